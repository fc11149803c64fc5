import Cluster
import Control
import Foundation
import Synchronization

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
        complain(Failure(.fault, "the result could not be written: \(String(cString: strerror(errno)))", at: "stdout"))
        _exit(Failure.Kind.fault.rawValue)
    }

    /// Ends the command at once, with what was printed.
    static func end(_ status: Int32) -> Never {
        fflush(nil)
        _exit(status)
    }

    /// Whether the command is to speak JSON only: known before its arguments are.
    static let wantsJSON = CommandLine.arguments.prefix { $0 != "--" }.contains("--json")

    /// Whether somebody looks at what is said on standard error.
    static let isWatched = isatty(STDERR_FILENO) == 1

    /// The cluster that the arguments name.
    private static let cluster: String = {
        let words = CommandLine.arguments.prefix { $0 != "--" }
        if let word = words.last(where: { $0.hasPrefix("--name=") }) { return String(word.dropFirst("--name=".count)) }
        guard let place = words.lastIndex(of: "--name"), place + 1 < words.endIndex else {
            return RunDirectory.defaultName
        }
        return words[place + 1]
    }()

    private static let held = Mutex<RunDirectory?>(nil)

    /// The cluster that the command works with, once it does.
    static var attended: RunDirectory? { held.withLock { $0 } }

    /// From now on it is said when the command waits because one of the cluster's processes is being started again.
    static func attend(_ cluster: RunDirectory) {
        let isFirst = held.withLock { held in
            defer { held = cluster }
            return held == nil
        }
        if isFirst { RestartWatch.begin(in: cluster) { progress($0) } }
    }

    /// Prints a result.
    static func show(_ text: String) {
        print(text)
    }

    /// Prints a result as JSON with sorted keys.
    static func show(json value: some Encodable) throws {
        print(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    /// Says how far the work is. Programs that read JSON are spared it.
    static func progress(_ text: String) {
        guard isWatched || !wantsJSON else { return }
        say(text)
    }

    static func progress(unread count: Int) { progress("\(count) pages of the saved memory are still to be read") }

    /// Says what is wrong: a sentence, or one object with `--json`.
    ///
    /// - Parameter exitCode: Of a command that something else ends than this failure.
    static func complain(_ failure: Failure, exitCode: Int32? = nil) {
        // What was found before comes before.
        fflush(nil)
        var text = "plurix: \(failure)"
        let report = ErrorReport(failure: failure, cluster: cluster, exitCode: exitCode)
        if wantsJSON, let data = try? encoder.encode(report) {
            text = String(decoding: data, as: UTF8.self)
        }
        say(text)
    }

    /// Nobody need listen.
    private static func say(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data("\(text)\n".utf8))
    }

    private static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    /// Columns of the terminal on standard output; 80 where it is none and `COLUMNS` does not say.
    static var columns: Int {
        var size = winsize()
        if ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
        return ProcessInfo.processInfo.environment["COLUMNS"].flatMap { Int($0) } ?? 80
    }
}
