import Control
import Foundation
import Logging
import Segment
import Testing
import Wire

@testable import PageServer

/// A cluster without machines in a temporary directory: a real segment, a real arbiter, and `HostNode`s.
actor Cluster {
    nonisolated let directory: RunDirectory
    nonisolated let settings: NodeSettings
    private nonisolated let base: String
    private var segment: Task<Void, any Error>?
    private var arbiter: Task<Void, any Error>?
    private var nodes: [UInt8: HostNode] = [:]

    init(_ settings: NodeSettings = NodeSettings()) throws {
        self.settings = settings
        base = "/tmp/plurix-arbiter-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        directory = try RunDirectory(name: "t", base: base)
        try directory.create()
    }

    nonisolated var arbiterSettings: ArbiterSettings {
        ArbiterSettings(
            cluster: settings.cluster, key: settings.key, build: settings.build, sharedPages: settings.sharedPages,
            maximumFrameBytes: settings.maximumFrameBytes,
            store: StoreSettings(directory: base + "/store"))
    }

    nonisolated var client: ControlClient { ControlClient(path: directory.arbiterSocket) }

    private static let logger: Logger = {
        var logger = Logger(label: "test") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .critical
        return logger
    }()

    /// Starts the segment, the arbiter and nodes, and waits until the nodes have joined.
    func start(nodes count: UInt8) async throws {
        try startSegment()
        try await startArbiter()
        for number in 1...count { try await startNode(number) }
    }

    func startSegment() throws {
        let process = try SegmentProcess(in: directory, logger: Self.logger)
        segment = Task { try await process.run() }
    }

    func stopSegment() async {
        segment?.cancel()
        _ = await segment?.result
    }

    /// Starts an arbiter; the one before must have been killed.
    func startArbiter() async throws {
        let process = try await retry {
            try ArbiterProcess(self.arbiterSettings, in: self.directory, logger: Self.logger)
        }
        arbiter = Task { try await process.run() }
        _ = try await retry { try await self.client.send(ArbiterStatus()) }
    }

    /// The arbiter ends without writing a word.
    func killArbiter() async {
        arbiter?.cancel()
        _ = await arbiter?.result
    }

    /// Starts a node and, unless it is expected not to, waits until it has joined.
    func startNode(_ number: UInt8, _ settings: NodeSettings? = nil, joins: Bool = true) async throws {
        _ = try await retry {
            try await ControlClient(path: self.directory.segmentSocket).send(SegmentAttach(station: number))
        }
        nodes[number] = try HostNode(number, settings ?? self.settings, in: directory)
        guard joins else { return }
        try await wait { $0.nodes.contains { $0.number == Int(number) && $0.state == .joined } }
    }

    nonisolated func set(_ faults: SegmentFaults) async throws {
        _ = try await ControlClient(path: directory.segmentSocket).send(SegmentSetFaults(faults: faults))
    }

    func kill(_ number: UInt8) async throws {
        nodes.removeValue(forKey: number)?.kill()
        _ = try await client.send(ArbiterDied(node: Int(number)))
    }

    func stop() async {
        for node in nodes.values { node.kill() }
        await killArbiter()
        await stopSegment()
        try? FileManager.default.removeItem(atPath: base)
    }

    /// Waits until the arbiter's status is as it should be.
    @discardableResult
    nonisolated func wait(
        _ limit: Duration = .seconds(20), until isSo: (ArbiterStatus.Reply) -> Bool
    ) async throws -> ArbiterStatus.Reply {
        let end = ContinuousClock.now + limit
        while true {
            let status = try await client.send(ArbiterStatus())
            if isSo(status) { return status }
            guard ContinuousClock.now < end else { throw Failure(.timeout, "the status stays at \(status)") }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    nonisolated func start(
        _ program: String, _ arguments: [String] = [], nodes: [Int], input: String? = nil
    ) async throws -> Int {
        try await client.send(
            ArbiterStart(program: program, arguments: arguments, nodes: nodes, input: input)
        ).job
    }

    /// Waits for the end of a job.
    nonisolated func finish(_ job: Int, _ limit: Duration = .seconds(60)) async throws -> ArbiterJob.Reply {
        let end = ContinuousClock.now + limit
        while true {
            let reply = try await client.send(ArbiterJob(job: job))
            if reply.state == .finished || reply.state == .failed { return reply }
            guard ContinuousClock.now < end else { throw Failure(.timeout, "the job stays at \(reply)") }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    nonisolated func run(
        _ program: String, _ arguments: [String] = [], nodes: [Int], input: String? = nil
    ) async throws -> ArbiterJob.Reply {
        try await finish(try await start(program, arguments, nodes: nodes, input: input))
    }

    /// Writes a file into the cluster's directory.
    nonisolated func file(_ bytes: [UInt8]) throws -> String {
        let path = directory.path + "/input-\(UInt32.random(in: 0...UInt32.max))"
        try Data(bytes).write(to: URL(filePath: path))
        return path
    }
}

/// Runs a test over a cluster and takes everything away, also after a failure.
func withCluster(_ settings: NodeSettings = NodeSettings(), _ body: (Cluster) async throws -> Void) async throws {
    let cluster = try Cluster(settings)
    do {
        try await body(cluster)
        await cluster.stop()
    } catch {
        await cluster.stop()
        throw error
    }
}

/// Tries for five seconds.
func retry<Result: Sendable>(_ body: @Sendable () async throws -> Result) async throws -> Result {
    for _ in 0..<250 {
        if let result = try? await body() { return result }
        try await Task.sleep(for: .milliseconds(20))
    }
    return try await body()
}
