import CLinux
import Control
import Foundation
import Logging
import Wire

/// The background process `plurix arbiter`: the arbiter of a cluster, its memory of what must not be forgotten, and its
/// control socket. It may be killed at any moment and started again while the machines live.
public struct ArbiterProcess: Sendable {
    private let directory: RunDirectory
    private let settings: ArbiterSettings
    private let logger: Logger
    private let loop: ArbiterLoop

    /// How long nodes are waited for that retire, or begin to record.
    private static let patience = Duration.seconds(10)
    /// How long is tried to make a checkpoint.
    private static let checkpointPatience = Duration.seconds(60)

    private static let lookInterval = DispatchTimeInterval.milliseconds(100)

    /// - Throws: `.unavailable` when another arbiter of the cluster runs; `.fault` for a damaged store.
    public init(_ settings: ArbiterSettings, in directory: RunDirectory, logger: Logger) throws(Failure) {
        self.directory = directory
        self.settings = settings
        self.logger = logger
        loop = try ArbiterLoop(settings, in: directory, logger: logger)
    }

    /// Serves until a `Stop` request arrives.
    public func run() async throws {
        let loop = loop
        let thread = Thread { loop.run() }
        thread.name = "arbiter"
        thread.qualityOfService = .userInteractive
        thread.start()
        defer { loop.stop() }

        let (stops, stop) = AsyncStream.makeStream(of: Void.self)
        let server = makeServer(stop)
        try await withThrowingTaskGroup { group in
            group.addTask { try await server.run() }
            group.addTask { for await _ in stops { return } }
            group.addTask {
                await attach()
                // Not the one whose end ends the process.
                for await _ in AsyncStream<Void>.makeStream().stream {}
            }
            try await group.next()
            group.cancelAll()
        }
    }

    /// Pages come and go by the thousand, each in memory of its own: the allocator is to get that in large portions, as
    /// it would ask the system for each page otherwise, and not to give it back after every round. Only its first arena
    /// grows in portions, so there is one for all threads: those that begin after this call.
    public static func arrangeMemory() {
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_TOP_PAD, 4 << 20)
        mallopt(M_TRIM_THRESHOLD, 64 << 20)
        mallopt(M_MMAP_THRESHOLD, 8 << 20)
    }

    /// Asks the segment for a port until it has given one. A restarted segment remembers its ports.
    private func attach() async {
        let segment = ControlClient(path: directory.segmentSocket)
        while !Task.isCancelled {
            do throws(Failure) {
                _ = try await segment.send(SegmentAttach(station: Station.arbiter.number))
                return
            } catch {
                logger.debug("the segment has no port for the arbiter yet: \(error)")
            }
            // Cancelled: the loop's condition sees it too.
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    private func makeServer(_ stop: AsyncStream<Void>.Continuation) -> ControlServer {
        var server = ControlServer(path: directory.arbiterSocket, logger: logger)
        server.on(ArbiterStatus.self) { _ in try await loop.perform { $0.status() } }
        server.on(ArbiterMachines.self) { request in
            try await loop.perform { $0.update(request) }
            return Done()
        }
        server.on(ArbiterDied.self) { request in
            try await loop.perform { $0.died(request.node) }
            return Done()
        }
        server.on(ArbiterRetire.self) { request in
            try await retire(request.node)
            return Done()
        }
        server.on(ArbiterRecordHistory.self) { request in
            try await record(isOn: request.isOn)
        }
        server.on(ArbiterReserve.self) { _ in
            ArbiterReserve.Reply(job: try await loop.perform { $0.reserveJob() })
        }
        server.on(ArbiterStart.self) { request in
            let checked = try JobRequest(
                request, sharedPages: settings.sharedPages, maximumFrameBytes: settings.maximumFrameBytes)
            if let end = request.validUntil, Clock.microsecondsSince1970() > end {
                throw Failure(.timeout, "\(request.program) was not begun in time", at: request.program)
            }
            return ArbiterStart.Reply(job: try await loop.perform { loop throws(Failure) in try loop.start(checked) })
        }
        server.on(ArbiterJob.self) { request in
            var (reply, result) = try await loop.perform { $0.report(request.job) }
            if !result.isEmpty { reply.result = try JSONDecoder().decode(JSONValue.self, from: Data(result)) }
            return reply
        }
        server.on(ArbiterCancel.self) { request in
            try await loop.perform { loop throws(Failure) in try loop.cancel(request.job) }
            return Done()
        }
        server.on(ArbiterStop.self) { _ in
            ArbiterStop.Reply(stopped: try await loop.perform { loop throws(Failure) in try loop.stopProgram() })
        }
        server.on(ArbiterCheckpoint.self) { request in
            if request.isWhole == true { try await checkMemory() }
            return try await keep(request.label)
        }
        // These need the store alone: an arbiter that stands still because of its store can be helped by them.
        server.on(ArbiterCheckpoints.self) { _ in loop.keeper.checkpoints.map { CheckpointReport($0) } }
        server.on(ArbiterForget.self) { request in
            try loop.keeper.forget(request.names).map { CheckpointReport($0) }
        }
        server.on(ArbiterFork.self) { request in
            let keeper = try await loop.perform { $0.keeper }
            return ArbiterFork.Reply(
                time: try keeper.fork(at: request.at, into: request.into, cluster: request.cluster).raw)
        }
        server.on(Stop.self) { _ in
            stop.yield()
            return Done()
        }
        return server
    }

    private func retire(_ node: Int) async throws {
        guard try await loop.perform({ $0.beginRetirement(node, within: Self.patience) }) else { return }
        guard try await !loop.wait(Self.patience, until: { $0.isRetired(node) }) else { return }
        if let words = try await loop.perform({ $0.outageWords }) {
            throw Failure(
                .unavailable, "n\(node) stays, because what it did cannot be saved: \(words)",
                advice: "then try again, or end it now with \(directory.hint("kill n\(node)"))", at: "n\(node)")
        }
        throw Failure(
            .timeout, "n\(node) did not hand over what it holds within \(Self.patience)",
            advice: "see \(directory.hint("logs n\(node)")), or end it with \(directory.hint("kill n\(node)"))",
            at: "n\(node)")
    }

    /// - Throws: `.fault` when pages of the memory are lost; `.timeout` when that is not known in time.
    private func checkMemory() async throws {
        let isKnown = try await loop.wait(Self.checkpointPatience) { $0.isMemoryKnown }
        guard isKnown else {
            throw Failure(
                .timeout, "the saved memory was not read within \(Self.checkpointPatience)",
                advice: "see \(directory.hint("status"))")
        }
        guard var damage = try await loop.perform({ $0.status().damage }) else { return }
        damage.message = "no whole checkpoint can be taken: \(damage.message)"
        throw damage
    }

    /// Keeps the state that is current now, or one soon after.
    private func keep(_ label: String?) async throws -> ArbiterCheckpoint.Reply {
        let began = Clock.now()
        let keeper = loop.keeper
        if let label { try CheckpointName.check(label, among: keeper.checkpoints) }
        let time = try await loop.perform { $0.commitTime }
        let mark = keeper.mark(label ?? "", notBefore: time, now: Clock.microsecondsSince1970())
        defer { keeper.forget(mark: mark) }
        try await loop.perform { $0.hasten() }
        let end = ContinuousClock.now + Self.checkpointPatience
        while true {
            if let outcome = keeper.outcome(of: mark) {
                let kept = try outcome.get()
                return ArbiterCheckpoint.Reply(
                    checkpoint: CheckpointReport(kept.checkpoint), pages: kept.pages, bytes: kept.bytes,
                    flushes: kept.flushes, milliseconds: Double(Clock.now() - began) / 1e6)
            }
            guard ContinuousClock.now < end else {
                throw Failure(
                    .timeout, "no state could be saved within \(Self.checkpointPatience)",
                    advice: "see \(directory.hint("status"))")
            }
            await keeper.settled(mark, within: Self.lookInterval)
            // An epoch may have undone what was waited for.
            keeper.lower(mark: mark, to: try await loop.perform { $0.commitTime })
        }
    }

    private func record(isOn: Bool) async throws -> ArbiterRecordHistory.Reply {
        let began = Clock.now()
        let nodes = try await loop.perform { $0.beginRecording(isOn: isOn) }
        if try await loop.wait(Self.patience, until: { $0.waitsForRecording(nodes, isOn: isOn).isEmpty }) {
            return try await loop.perform { $0.recordingFacts(since: began) }
        }
        let late = try await loop.perform { $0.waitsForRecording(nodes, isOn: isOn) }
        let names = late.map { "n\($0)" }.joined(separator: ", ")
        throw Failure(
            .timeout, "\(names) did not answer within \(Self.patience)",
            advice: "see \(directory.hint("status"))", at: names)
    }
}
