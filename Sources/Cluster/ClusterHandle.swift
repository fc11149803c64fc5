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
        supervisor = ControlClient(path: directory.supervisorSocket)
    }

    /// Makes sure that the supervisor serves: a killed one is started again.
    public func ensureSupervisor() async throws(Failure) {
        if canConnect(to: directory.supervisorSocket) { return }
        let child = try BackgroundProcess.supervisor.start(in: directory)
        try await BackgroundProcess.supervisor.waitUntilServing(in: directory, child: child, limit: .seconds(30))
    }

    public func status() async throws(Failure) -> ClusterStatus {
        try await ask(SupervisorStatus())
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

    private func change(_ node: Int, _ change: ChangeNode.Change) async throws(Failure) {
        _ = try await ask(ChangeNode(node: node, change: change), limit: .seconds(60))
    }

    /// The arbiter's control socket, with a supervisor at work that keeps the arbiter alive.
    public func arbiter() async throws(Failure) -> ControlClient {
        try await ensureSupervisor()
        return ControlClient(path: directory.arbiterSocket)
    }

    /// The segment's control socket.
    public func segment() async throws(Failure) -> ControlClient {
        try await ensureSupervisor()
        return ControlClient(path: directory.segmentSocket)
    }

    private func ask<Request: ControlRequest>(
        _ request: Request, limit: Duration = .seconds(30)
    ) async throws(Failure) -> Request.Reply {
        try await ensureSupervisor()
        return try await supervisor.send(request, limit: limit)
    }
}
