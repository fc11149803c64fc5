import Control
import Foundation

/// The last words of a node on its serial console: lines from the first `EPITAPH …` to `EPITAPH END`. Those that begin
/// with `EPITAPH ` tell of the fault, the others are the flight recorder.
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
        return Epitaph(lines: lines[start..<(isComplete ? lastLine : lines.count)], isComplete: isComplete)
    }

    /// The last epitaph in a node's console log; nil when there is none.
    public static func last(inFile path: String) -> Epitaph? {
        FileManager.default.contents(atPath: path).flatMap { last(in: String(decoding: $0, as: UTF8.self)) }
    }

    private init(lines: ArraySlice<String>, isComplete: Bool) {
        var fields: [String: String] = [:]
        var callers: [UInt64] = []
        var recorder: [String] = []
        for line in lines {
            guard line.hasPrefix(Self.title + " ") else {
                recorder.append(line)
                continue
            }
            for (name, value) in Self.pairs(in: line.dropFirst(Self.title.count + 1)) {
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

/// Finds functions and lines of addresses in a node image.
public struct Symbolizer: Sendable {
    private let tool: String
    private let debugFile: String

    /// Nil when the image has no debug information beside it, or no tool reads it.
    public init?(image: String) {
        let debugFile = (image as NSString).deletingPathExtension + ".debug"
        let tools = ["llvm-symbolizer", "llvm-addr2line", "addr2line"]
        guard FileManager.default.isReadableFile(atPath: debugFile),
            let tool = tools.lazy.compactMap(Installation.find).first
        else { return nil }
        self.tool = tool
        self.debugFile = debugFile
    }

    /// "function at file:line" for each address.
    ///
    /// - Parameter areReturns: whether these are return addresses, whose call is the instruction before.
    public func places(of addresses: [UInt64], areReturns: Bool = false) -> [String] {
        let process = Process()
        process.executableURL = URL(filePath: tool)
        let wanted = addresses.map { "0x" + String(areReturns ? $0 - 1 : $0, radix: 16) }
        // llvm-symbolizer takes addr2line's options too, under addr2line's name for the output.
        let style = tool.hasSuffix("llvm-symbolizer") ? ["--output-style=GNU", "--functions"] : ["-f"]
        process.arguments = style + ["-C", "-e", debugFile] + wanted
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return [] }
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let lines = text.split(separator: "\n").map(String.init)
        return stride(from: 0, to: lines.count - 1, by: 2).map { "\(Self.demangled(lines[$0])) at \(lines[$0 + 1])" }
    }

    private static func demangled(_ name: String) -> String {
        guard name.hasPrefix("$s") || name.hasPrefix("$e"), let tool = Installation.find("swift-demangle") else {
            return name
        }
        let process = Process()
        process.executableURL = URL(filePath: tool)
        process.arguments = ["--compact", "--simplified", name]
        let output = Pipe()
        process.standardOutput = output
        guard (try? process.run()) != nil else { return name }
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
