import Foundation

/// Results go to standard output, everything else to standard error.
enum Terminal {
    /// Prints a result.
    static func show(_ text: String) {
        print(text)
    }

    /// Prints a result as JSON with sorted keys.
    static func show(json value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        print(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    /// Says how far the work is.
    static func progress(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }

    /// Says what is wrong.
    static func complain(_ text: String) {
        FileHandle.standardError.write(Data("plurix: \(text)\n".utf8))
    }

    /// Columns of the terminal on standard output; 80 where it is none and `COLUMNS` does not say.
    static var columns: Int {
        var size = winsize()
        if ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
        return ProcessInfo.processInfo.environment["COLUMNS"].flatMap { Int($0) } ?? 80
    }
}
