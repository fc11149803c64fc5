import Foundation

/// Finds functions and lines of addresses in a node image.
public struct Symbolizer: Sendable {
    private let tool: String
    private let debugFile: String

    /// Any of them will do.
    static let tools = ["llvm-symbolizer", "llvm-addr2line", "addr2line"]

    /// Nil when the image has no debug information beside it, or no tool reads it.
    public init?(image: String) {
        let debugFile = (image as NSString).deletingPathExtension + ".debug"
        guard FileManager.default.isReadableFile(atPath: debugFile),
            let tool = Self.tools.lazy.compactMap(Installation.find).first
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
        return stride(from: 0, to: lines.count - 1, by: 2).map { index in
            let name = Self.demangled(lines[index])
            // Checks that the compiler put in have a name and no line.
            return lines[index + 1].contains("<compiler-generated>") ? name : "\(name) at \(lines[index + 1])"
        }
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

extension Epitaph {
    /// Where it happened and who called, one line each; what repeats is said once, with its number.
    public func story(_ symbolizer: Symbolizer?) -> [String] {
        guard let symbolizer else { return [] }
        let places = instruction.map { symbolizer.places(of: [$0]) } ?? []
        let calls = symbolizer.places(of: callers, areReturns: true)
        var lines: [(text: String, count: Int)] = []
        for text in places.map({ "in \($0)" }) + calls.map({ "called by \($0)" }) {
            if lines.last?.text == text { lines[lines.count - 1].count += 1 } else { lines.append((text, 1)) }
        }
        return lines.map { $0.count > 1 ? "\($0.text) (\($0.count) times)" : $0.text }
    }
}
