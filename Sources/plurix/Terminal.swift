import Control
import Foundation

/// Results go to standard output, everything else to standard error.
enum Terminal {
    /// Gives standard streams that are closed to nobody: what is opened later must not take their numbers.
    static func open() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest free number is this one.
            _ = Glibc.open("/dev/null", O_RDWR)
        }
    }

    /// Ends the command when its results are lost on their way, as on a full disk.
    static func finish() {
        guard fflush(nil) != 0 else { return }
        // Whoever read the results has enough of them.
        if errno == EPIPE { _exit(128 + SIGPIPE) }
        complain("the result could not be written: \(String(cString: strerror(errno)))")
        _exit(Failure.Kind.fault.rawValue)
    }

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
