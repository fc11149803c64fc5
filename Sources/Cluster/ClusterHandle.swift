import Control
import Foundation
import Logging
import Wire

/// A cluster as the commands see it.
public struct ClusterHandle: Sendable {
    public let directory: RunDirectory
    public let description: ClusterDescription
    private let supervisor: ControlClient

    /// A running cluster.
    ///
    /// - Throws: `.unavailable` when there is none of that name.
    public init(_ directory: RunDirectory) throws(Failure) {
        self.directory = directory
        description = try ClusterDescription.load(directory)
        supervisor = BackgroundProcess.supervisor.client(in: directory)
    }

    /// Makes sure that the supervisor serves: a killed one is started again.
    ///
    /// - Throws: `.unavailable` when the cluster was taken down.
    public func ensureSupervisor() async throws(Failure) {
        if BackgroundProcess.supervisor.isServing(in: directory) { return }
        if let failure = directory.takenDown { throw failure }
        let child = try BackgroundProcess.supervisor.start(in: directory)
        try await BackgroundProcess.supervisor.waitUntilServing(in: directory, child: child, limit: .seconds(30))
    }

    /// - Parameter limit: how long the answer is waited for.
    public func status(limit: Duration = .seconds(10)) async throws(Failure) -> ClusterStatus {
        try await ask(SupervisorStatus(), limit: limit, isRepeatable: true)
    }

    /// Starts a machine and returns the node's number. `node` nil takes the lowest free number.
    public func startNode(
        _ node: Int? = nil, image: String? = nil, key: ClusterKey? = nil, maximumFrameBytes: Int? = nil
    ) async throws(Failure) -> Int {
        try await ask(
            StartNode(node: node, image: image, key: key, maximumFrameBytes: maximumFrameBytes), limit: .seconds(120)
        ).node
    }

    public func remove(_ node: Int) async throws(Failure) { try await change(node, .remove) }
    public func kill(_ node: Int) async throws(Failure) { try await change(node, .kill) }
    public func pause(_ node: Int) async throws(Failure) { try await change(node, .pause) }
    public func resume(_ node: Int) async throws(Failure) { try await change(node, .resume) }

    /// Lets the cluster go back to a checkpoint. The nodes have not joined yet when this returns.
    ///
    /// - Parameter at: a label, `EPOCH:COUNTER` or the number of a commit time.
    /// - Throws: `.input` for a checkpoint that does not exist, `.unavailable` while a program runs; every failure says
    ///   which state the cluster is in.
    public func restore(at time: String) async throws(Failure) -> RestoreOutcome {
        do throws(Failure) { return try await ask(RestoreCluster(at: time), limit: .seconds(300)) } catch {
            guard error.kind == .unavailable, error.place == Self.killed else { throw error }
            try await waitForSuccessor()
            let isBack = try ClusterDescription.load(directory).identifier != description.identifier
            let state = isBack ? "has the state of \(time)" : "goes on with the state that it had"
            throw Failure(
                .unavailable, "the supervisor was killed; the cluster \(state)",
                advice: "see \(directory.hint("status"))", at: Self.killed)
        }
    }

    /// Waits until a new supervisor has ended what the killed one was restoring.
    private func waitForSuccessor() async throws(Failure) {
        let deadline = ContinuousClock.now + .seconds(60)
        repeat {
            // It may have been ended instead.
            _ = try ClusterDescription.load(directory)
            try await ensureSupervisor()
            // Cancellation is seen by the caller's next request.
            try? await Task.sleep(for: .milliseconds(50))
        } while RestoreIntent.load(directory) != nil && ContinuousClock.now < deadline
    }

    /// What a failure is about that a supervisor's death has caused.
    private static let killed = "supervisor"

    private func change(_ node: Int, _ change: ChangeNode.Change) async throws(Failure) {
        let isRepeatable = change == .pause || change == .resume
        _ = try await ask(ChangeNode(node: node, change: change), limit: .seconds(60), isRepeatable: isRepeatable)
    }

    /// The arbiter's control socket, with a supervisor at work that keeps the arbiter alive.
    public func arbiter() async throws(Failure) -> ControlClient {
        try await ensureSupervisor()
        return BackgroundProcess.arbiter.client(in: directory)
    }

    /// The arbiter's control socket, once it serves: one that was killed is waited for.
    ///
    /// - Throws: `.unavailable` with what keeps it from serving.
    public func servingArbiter() async throws(Failure) -> ControlClient {
        try await servingArbiter(isStoreEnough: false)
    }

    /// The same for what is asked of its store alone: also of one that stands still because that cannot be written.
    public func storeArbiter() async throws(Failure) -> ControlClient {
        try await servingArbiter(isStoreEnough: true)
    }

    private func servingArbiter(isStoreEnough: Bool) async throws(Failure) -> ControlClient {
        let arbiter = try await arbiter()
        do throws(Failure) { _ = try await arbiter.sendPatiently(ArbiterStatus(), limit: Self.patience) } catch {
            // What is about something else comes from the arbiter itself.
            if isStoreEnough, error.place != arbiter.path { return arbiter }
            guard error.place == arbiter.path, error.kind != .timeout else { throw error }
            let trouble = try await status().trouble
            throw Failure(
                .unavailable, trouble ?? "the arbiter does not serve: \(error.message)",
                advice: trouble == nil ? "see \(directory.hint("status"))" : nil, at: "arbiter")
        }
        return arbiter
    }

    /// The segment's control socket.
    public func segment() async throws(Failure) -> ControlClient {
        try await ensureSupervisor()
        return BackgroundProcess.segment.client(in: directory)
    }

    /// - Parameter isRepeatable: whether to ask the next supervisor when this one is killed before it answers.
    private func ask<Request: ControlRequest>(
        _ request: Request, limit: Duration = .seconds(30), isRepeatable: Bool = false
    ) async throws(Failure) -> Request.Reply {
        for _ in 1..<Self.supervisors {
            try await ensureSupervisor()
            do throws(Failure) { return try await supervisor.send(request, limit: limit) } catch {
                guard error.kind == .unavailable, error.place == supervisor.path else {
                    throw late(error, Request.operation)
                }
                guard isRepeatable else {
                    throw Failure(
                        .unavailable, "the supervisor was killed before it answered",
                        advice: "see \(directory.hint("status")) whether it was done, and if not, try again",
                        at: Self.killed)
                }
            }
        }
        try await ensureSupervisor()
        return try await supervisor.send(request, limit: limit)
    }

    /// A supervisor that has not answered in time may have begun.
    private func late(_ failure: Failure, _ operation: String) -> Failure {
        guard failure.kind == .timeout, failure.place == supervisor.path, operation != SupervisorStatus.operation
        else { return failure }
        let advice = "see \(directory.hint("status")) whether it was done, and if not, try again"
        return Failure(
            failure.kind, failure.message, advice: failure.advice.map { "\($0); \(advice)" } ?? advice,
            at: failure.place)
    }

    /// As long as a question may take that the arbiter answers at once, where somebody only looks.
    public static let glance = Duration.seconds(2)
    /// As long as it may where somebody wants something of it.
    public static let patience = Duration.seconds(5)

    /// How many are asked, should each be killed before it answers.
    private static let supervisors = 3
}
