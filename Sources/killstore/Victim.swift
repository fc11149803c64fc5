import Foundation
import Glibc

/// A writer as its killer sees it.
final class Victim {
    private let process = Process()
    private let pipe = Pipe()
    /// What it has told so far.
    private(set) var words: [Word] = []
    /// What it printed that is none of its words: its last error.
    private(set) var complaint: [UInt8] = []

    /// A writer that says nothing for so long hangs.
    private static let longestSilence: Int32 = 60_000

    init(_ path: String, seed: UInt64) throws {
        process.executableURL = URL(filePath: "/proc/self/exe")
        process.arguments = ["write", path, "\(seed)"]
        process.standardOutput = pipe
        try process.run()
        close(pipe.fileHandleForWriting.fileDescriptor)
    }

    private var output: Int32 { pipe.fileHandleForReading.fileDescriptor }

    /// Listens until it has told so many words, or has ended.
    func listen(until count: Int) throws {
        while words.count < count {
            var wait = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            guard poll(&wait, 1, Self.longestSilence) > 0 else { throw KillError("a writer hangs") }
            if !read() { return }
        }
    }

    private func read() -> Bool {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(output, &bytes, bytes.count)
        guard count > 0 else { return false }
        for byte in bytes[..<count] {
            if complaint.isEmpty, let word = Word(byte) { words.append(word) } else { complaint.append(byte) }
        }
        return true
    }

    /// Ends it as kill -9 does, and hears what it had told before.
    func kill() throws {
        Glibc.kill(process.processIdentifier, SIGKILL)
        while read() {}
        process.waitUntilExit()
        guard complaint.isEmpty else {
            throw KillError("a writer ended by itself: \(String(decoding: complaint, as: UTF8.self))")
        }
    }
}

struct KillError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
