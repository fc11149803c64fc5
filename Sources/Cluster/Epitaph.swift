import Control
import Foundation

/// What a node says of a fault on its serial console.
///
/// A node's own end: lines from the first `EPITAPH …` to `EPITAPH END`. Those that begin with `EPITAPH ` tell of the
/// fault, the others are the flight recorder. The end of a program, which the node survives: lines that begin with
/// `TRAP `, the first of them with the vector.
public struct Epitaph: Sendable {
    /// `vector`, `name`, `rip`, `cr2`, registers, `build`, or `reason`.
    public let fields: [String: String]
    /// Return addresses, innermost first.
    public let callers: [UInt64]
    /// What the flight recorder held, oldest first.
    public let flightRecorder: [String]
    /// False when the node fell silent in the middle.
    public let isComplete: Bool

    private static let title = "EPITAPH"
    private static let trapTitle = "TRAP"

    /// The last trap of a program in a console's text; nil when there is none.
    public static func lastTrap(in text: String) -> Epitaph? {
        let lines = text.split(whereSeparator: \.isNewline).map(String.init)
        guard let start = lines.lastIndex(where: { $0.hasPrefix(trapTitle + " vector=") }) else { return nil }
        let block = lines[start...].prefix { $0.hasPrefix(trapTitle + " ") }
        return Epitaph(lines: block, title: trapTitle, isComplete: true)
    }

    /// The last trap of a program in a node's console log; nil when there is none.
    public static func lastTrap(inFile path: String) -> Epitaph? {
        FileManager.default.contents(atPath: path).flatMap { lastTrap(in: String(decoding: $0, as: UTF8.self)) }
    }

    /// The last epitaph in a console's text; nil when there is none.
    public static func last(in text: String) -> Epitaph? {
        let lines = text.split(whereSeparator: \.isNewline).map(String.init)
        let ends = lines.indices.filter { lines[$0] == "\(title) END" }
        let lastLine = lines.lastIndex { $0.hasPrefix(title + " ") }
        guard let lastLine else { return nil }
        let isComplete = ends.last == lastLine
        let earlierEnd = isComplete ? ends.dropLast().last : ends.last
        let start = lines[(earlierEnd.map { $0 + 1 } ?? 0)...].firstIndex { $0.hasPrefix(title + " ") }
        guard let start, start < lines.count else { return nil }
        let end = isComplete ? lastLine : lines.count
        return Epitaph(lines: lines[start..<end], title: title, isComplete: isComplete)
    }

    /// The last epitaph in a node's console log; nil when there is none.
    public static func last(inFile path: String) -> Epitaph? {
        FileManager.default.contents(atPath: path).flatMap { last(in: String(decoding: $0, as: UTF8.self)) }
    }

    private init(lines: ArraySlice<String>, title: String, isComplete: Bool) {
        var fields: [String: String] = [:]
        var callers: [UInt64] = []
        var recorder: [String] = []
        for line in lines {
            guard line.hasPrefix(title + " ") else {
                recorder.append(line)
                continue
            }
            for (name, value) in Self.pairs(in: line.dropFirst(title.count + 1)) {
                if name == "caller" { callers += Self.address(value).map { [$0] } ?? [] } else { fields[name] = value }
            }
        }
        self.fields = fields
        self.callers = callers
        flightRecorder = recorder
        self.isComplete = isComplete
    }

    /// `name=value` pairs; a value may be quoted.
    private static func pairs(in line: Substring) -> [(String, String)] {
        var pairs: [(String, String)] = []
        var rest = line
        while let equals = rest.firstIndex(of: "=") {
            let name = rest[..<equals].split(separator: " ").last.map(String.init) ?? ""
            rest = rest[rest.index(after: equals)...]
            let isQuoted = rest.first == "\""
            if isQuoted { rest = rest.dropFirst() }
            let end = rest.firstIndex(of: isQuoted ? "\"" : " ") ?? rest.endIndex
            pairs.append((name, String(rest[..<end])))
            rest = rest[end...].dropFirst()
        }
        return pairs
    }

    private static func address(_ text: String) -> UInt64? {
        UInt64(text.hasPrefix("0x") ? text.dropFirst(2) : text[...], radix: 16)
    }

    /// The instruction that faulted.
    public var instruction: UInt64? { fields["rip"].flatMap(Self.address) }

    /// What happened, in one line.
    public var summary: String {
        if let reason = fields["reason"] { return reason }
        let name = fields["name"] ?? "vector \(fields["vector"] ?? "?")"
        return "\(name) at \(fields["rip"] ?? "an unknown instruction")"
            + (fields["cr2"].map { ", address \($0)" } ?? "")
    }
}
