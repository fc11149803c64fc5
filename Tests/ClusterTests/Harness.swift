import Control
import Foundation
import Testing

/// The built command, as the tests of real machines run it.
enum Harness {
    /// `PLURIX` names the command; without it tests of real machines are skipped.
    static let command = ProcessInfo.processInfo.environment["PLURIX"]
    static var canBoot: Bool { command != nil }
    /// Every program on 1, 2, 3 and 5 nodes, both cards, with and without loss.
    static let isThorough = ProcessInfo.processInfo.environment["PLURIX_TEST_ALL"] != nil

    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path(percentEncoded: false)

    /// How a run of the command ended.
    struct Outcome: Sendable {
        var status: Int32
        var output: String
        var complaint: String

        func decoded<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
            try JSONDecoder().decode(type, from: Data(output.utf8))
        }
    }

    struct TimedOut: Error {
        var arguments: [String]
    }

    /// Runs an executable and waits for its end.
    static func run(
        _ executable: String, _ arguments: [String], environment: [String: String] = [:],
        limit: Duration = .seconds(120)
    ) async throws -> Outcome {
        let work = FileManager.default.temporaryDirectory.appending(path: "plurix-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: work, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: work) }
        // Files and not pipes: background processes would keep a pipe open.
        let places = ["out", "err"].map { work.appending(path: $0) }
        for place in places { try Data().write(to: place) }
        let process = Process()
        process.executableURL = URL(filePath: executable)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        let handles = try places.map { try FileHandle(forWritingTo: $0) }
        // At once, not when somebody lets go of them: a list of more than a thousand open files crashes the next start.
        defer { for handle in handles { try? handle.close() } }
        process.standardOutput = handles[0]
        process.standardError = handles[1]
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        process.terminationHandler = { _ in end.finish() }
        try process.run()
        try await withThrowingTaskGroup { group in
            group.addTask { for await _ in ends {} }
            group.addTask {
                try await Task.sleep(for: limit)
                throw TimedOut(arguments: arguments)
            }
            defer { group.cancelAll() }
            do { try await group.next() } catch {
                kill(process.processIdentifier, SIGKILL)
                throw error
            }
        }
        let texts = try places.map { String(decoding: try Data(contentsOf: $0), as: UTF8.self) }
        return Outcome(status: process.terminationStatus, output: texts[0], complaint: texts[1])
    }
}

/// What the tests read of `plurix status --json`.
struct StatusReply: Decodable {
    struct Processes: Decodable {
        var supervisor: Int32?
        var segment: Int32?
        var arbiter: Int32?
    }

    struct Node: Decodable {
        var name: String
        var state: String
        var nic: String
        var processIdentifier: Int32?
        var joinMilliseconds: Double
        var joinPageRequests: UInt64
        var upMilliseconds: Double
        var commitTime: UInt64
        var commits: UInt64
        var aborts: UInt64
        var pagesFetched: UInt64
        var framesSent: UInt64
        var framesReceived: UInt64
        var framesRejected: UInt64
    }

    var cluster: String
    var processes: Processes
    var epoch: UInt32
    var commitTime: UInt64
    var savedTime: UInt64
    var storeDirectory: String
    var isVolatile: Bool
    var storeTrouble: String?
    struct Running: Decodable {
        var program: String
        var nodes: [String]
        var unattendedSeconds: Int
    }

    var nodes: [Node]
    var running: Running?
    var restoring: String?
    var trouble: String?
    var damage: String?
    var notices: [String]
}

/// What the tests read of `plurix run --json`.
struct RunReply: Decodable {
    struct Node: Decodable {
        var name: String
        var commits: UInt64
        var aborts: UInt64
        var pagesFetched: UInt64
    }

    var program: String
    var nodes: Int
    var elapsedMilliseconds: Double
    var commits: UInt64
    var aborts: UInt64
    var pagesFetched: UInt64
    var perNode: [Node]
    var result: JSONValue
}

/// A cluster of a name of its own, in a run directory of its own, that is gone after the test.
final class LiveCluster: Sendable {
    let name: String
    /// `XDG_RUNTIME_DIR` of its commands.
    let base: String

    /// Starts a cluster, hands it to `body`, and removes it, also when something fails.
    static func with(_ options: String..., body: (LiveCluster) async throws -> Void) async throws {
        try await withNone { cluster in
            _ = try await cluster.succeed(["up"] + options)
            try await body(cluster)
        }
    }

    /// Hands a cluster that was not started to `body`, and removes what became of it.
    static func withNone(body: (LiveCluster) async throws -> Void) async throws {
        let cluster = try LiveCluster()
        do { try await body(cluster) } catch {
            await cluster.remove()
            throw error
        }
        await cluster.remove()
    }

    private init() throws {
        let mark = String(UInt32.random(in: 0...UInt32.max), radix: 36)
        name = "t-\(mark)"
        base = "/tmp/plurix-test-\(mark)"
        try FileManager.default.createDirectory(atPath: base, withIntermediateDirectories: true)
    }

    /// The cluster's run directory.
    var directory: String { "\(base)/plurix/\(name)" }

    private func remove() async {
        let down = try? await plurix(["down", "--force"])
        if down?.status != 0 { Issue.record("down failed: \(down?.complaint ?? "no outcome")") }
        try? FileManager.default.removeItem(atPath: base)
    }

    /// Nothing that a test does stays behind on this machine.
    private var environment: [String: String] { ["XDG_RUNTIME_DIR": base, "XDG_STATE_HOME": base + "/state"] }

    /// The store that the cluster has unless it is given another.
    var store: String { "\(base)/state/plurix/\(name)" }

    /// Names this cluster, unless another one is named.
    private func named(_ arguments: [String]) -> [String] {
        arguments.contains("--name") ? arguments : ["--name", name] + arguments
    }

    /// Runs the command on this cluster, unless another one is named.
    func plurix(_ arguments: [String], limit: Duration = .seconds(120)) async throws -> Harness.Outcome {
        let command = try #require(Harness.command)
        return try await Harness.run(
            command, named(arguments), environment: environment, limit: limit)
    }

    /// Runs the command on this cluster and kills it after some seconds.
    func plurix(killedAfter seconds: Int, _ arguments: [String]) async throws {
        let outcome = try await plurix(after: "\(seconds)", signal: "KILL", arguments)
        #expect(outcome.status == SIGKILL || outcome.status == 128 + SIGKILL)
    }

    /// Runs the command on this cluster and sends it a signal after some seconds.
    ///
    /// - Parameter options: Of timeout(1), which sends it.
    func plurix(
        after seconds: String, signal: String, options: [String] = [], _ arguments: [String]
    ) async throws -> Harness.Outcome {
        let command = try #require(Harness.command)
        return try await Harness.run(
            "/usr/bin/timeout", options + ["-s", signal, seconds, command] + named(arguments),
            environment: environment)
    }

    /// Runs the command and expects success.
    @discardableResult
    func plurix(_ arguments: String...) async throws -> String { try await succeed(arguments) }

    private func succeed(_ arguments: [String]) async throws -> String {
        let outcome = try await plurix(arguments)
        guard outcome.status == 0 else {
            throw Failure(.fault, "\(arguments) ended with \(outcome.status): \(outcome.complaint)")
        }
        return outcome.output
    }

    func status() async throws -> StatusReply {
        try JSONDecoder().decode(StatusReply.self, from: Data(try await plurix("status", "--json").utf8))
    }

    /// Runs a program and expects success.
    func run(_ arguments: String..., limit: Duration = .seconds(120)) async throws -> RunReply {
        let outcome = try await plurix(["run", "--json"] + arguments, limit: limit)
        guard outcome.status == 0 else {
            throw Failure(.fault, "run \(arguments) ended with \(outcome.status): \(outcome.complaint)")
        }
        return try outcome.decoded()
    }

    /// Waits until the cluster is as it should be.
    @discardableResult
    func wait(_ limit: Duration = .seconds(20), until isSo: (StatusReply) -> Bool) async throws -> StatusReply {
        let deadline = ContinuousClock.now + limit
        while true {
            let status = try await status()
            if isSo(status) { return status }
            guard ContinuousClock.now < deadline else { throw Failure(.timeout, "the cluster stays at \(status)") }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Processes that work for this cluster.
    func processes() throws -> [Int32] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }.filter { number in
            guard let file = FileHandle(forReadingAtPath: "/proc/\(number)/cmdline"),
                let line = try? file.readToEnd()
            else { return false }
            return String(decoding: line, as: UTF8.self).contains(directory)
        }
    }
}

/// Tests that boot machines, one after the other: two of them would share the processors that they are timed on.
@Suite(.serialized, .enabled(if: Harness.canBoot, "needs PLURIX, the built command"))
struct LiveTests {}
