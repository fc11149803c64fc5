import Foundation

/// What a person should know of what has become of a cluster, a line each, oldest first: the time of day in UTC, as in
/// `2026-11-21T00:46:36Z`, a space, and words.
public struct NoticeFile: Sendable {
    private let path: String

    public init(_ path: String) {
        self.path = path
    }

    /// All lines; none where there is no file yet.
    public var lines: [String] {
        let text = String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
        return text.split(separator: "\n").map(String.init)
    }

    /// A line that is of now.
    public static func line(_ words: String) -> String {
        var seconds = time(nil)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func digits(_ number: Int32, _ count: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
        }
        let date = "\(digits(parts.tm_year + 1900, 4))-\(digits(parts.tm_mon + 1, 2))-\(digits(parts.tm_mday, 2))"
        let hour = "\(digits(parts.tm_hour, 2)):\(digits(parts.tm_min, 2)):\(digits(parts.tm_sec, 2))"
        return "\(date)T\(hour)Z \(words)"
    }

    /// Adds a line that is of now, unless one of the last ones has the same words: of what is noticed by several
    /// processes, or by one that is killed before all of it is done.
    public func appendOnce(_ words: String) {
        guard !lines.suffix(Self.recent).contains(where: { $0.hasSuffix("Z \(words)") }) else { return }
        append(Self.line(words))
    }

    private static let recent = 50

    /// Adds a line. Several processes may do so. One that cannot be kept, as on a full disk, is left out: it is in the
    /// log of who wanted to.
    public func append(_ line: String) {
        guard let stream = fopen(path, "a") else { return }
        fputs(line + "\n", stream)
        fclose(stream)
    }
}

extension RunDirectory {
    public var notices: NoticeFile { NoticeFile(path + "/notices") }
}
