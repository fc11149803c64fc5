import Control
import Foundation

/// A process that is this process and no later one with its number: the number, when it started, and in which boot.
public struct ProcessIdentity: Codable, Equatable, Sendable {
    public let processIdentifier: Int32
    /// Since the system's boot, in ticks of 10 ms.
    let startTicks: UInt64
    let boot: String

    /// Nil when there is no such process, or it has ended and waits for its parent to notice.
    public init?(of processIdentifier: Int32) {
        guard processIdentifier > 0, let startTicks = Self.startTicks(of: processIdentifier) else { return nil }
        self.processIdentifier = processIdentifier
        self.startTicks = startTicks
        boot = Self.currentBoot()
    }

    /// Whether this very process still runs.
    public var isAlive: Bool { ProcessIdentity(of: processIdentifier) == self }

    /// Sends a signal, unless the process has ended.
    public func signal(_ number: Int32) {
        if isAlive { kill(processIdentifier, number) }
    }

    /// When the process started, in microseconds since 1970, to 10 ms.
    public var startedAt: UInt64 {
        var sinceBoot = timespec()
        clock_gettime(CLOCK_BOOTTIME, &sinceBoot)
        let age = Double(sinceBoot.tv_sec) + Double(sinceBoot.tv_nsec) / 1e9 - Double(startTicks) / 100
        return UInt64(max(0, (Date().timeIntervalSince1970 - age) * 1e6))
    }

    /// The record that `save(to:)` wrote; nil when there is none.
    public static func load(_ path: String) -> ProcessIdentity? {
        FileManager.default.contents(atPath: path).flatMap { try? JSONDecoder().decode(ProcessIdentity.self, from: $0) }
    }

    public func save(to path: String) throws(Failure) {
        do { try RunDirectory.replace(path, with: JSONEncoder().encode(self)) } catch {
            throw Failure(error, while: "writing \(path)")
        }
    }

    /// Whether the process was started with `text` in its command line: a sign that it belongs to a directory.
    static func commandLine(of processIdentifier: Int32, contains text: String) -> Bool {
        commandLine(of: processIdentifier)?.contains { $0.contains(text) } == true
    }

    /// The words that the process was started with; nil when there is no such process.
    static func commandLine(of processIdentifier: Int32) -> [String]? {
        readSystemFile("/proc/\(processIdentifier)/cmdline").map { data in
            String(decoding: data, as: UTF8.self).split(separator: "\0").map(String.init)
        }
    }

    /// Whether somebody has stopped it, as with SIGSTOP or a debugger: it does nothing until it is let go on.
    public var isStopped: Bool { ["T", "t"].contains(Self.facts(of: processIdentifier)?.first) }

    /// Field 22 of `/proc/PID/stat`.
    private static func startTicks(of processIdentifier: Int32) -> UInt64? {
        guard let fields = facts(of: processIdentifier), fields.count > 19, !["Z", "X"].contains(fields[0]) else {
            return nil
        }
        return UInt64(fields[19])
    }

    /// `/proc/PID/stat` from field 3 on; the fields begin behind the command's closing bracket (proc(5)).
    private static func facts(of processIdentifier: Int32) -> [String]? {
        guard let data = readSystemFile("/proc/\(processIdentifier)/stat") else { return nil }
        let text = String(decoding: data, as: UTF8.self)
        guard let bracket = text.lastIndex(of: ")") else { return nil }
        return text[bracket...].split(separator: " ").dropFirst().map(String.init)
    }

    private static func currentBoot() -> String {
        let data = readSystemFile("/proc/sys/kernel/random/boot_id") ?? Data()
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Files under `/proc` have no length, so they are read to their end.
    private static func readSystemFile(_ path: String) -> Data? {
        guard let file = FileHandle(forReadingAtPath: path) else { return nil }
        defer { try? file.close() }
        return try? file.readToEnd()
    }
}
