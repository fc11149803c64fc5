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

/// Waits for nodes to join.
public struct JoinWatch: Sendable {
    private let cluster: ClusterHandle
    private let limit: Duration

    public init(_ cluster: ClusterHandle, limit: Duration) {
        self.cluster = cluster
        self.limit = limit
    }

    /// - Parameters:
    ///   - numbers: the nodes that must join.
    ///   - progress: gets the cluster's state whenever a node's state has changed.
    /// - Throws: `.unavailable` when one of them dies or is refused, `.timeout` when one does not join in time.
    public func wait(
        for numbers: [Int], progress: (ClusterStatus) -> Void
    ) async throws(Failure) -> ClusterStatus {
        let names = Set(numbers.map { "n\($0)" })
        let deadline = ContinuousClock.now + limit
        var shown: [NodeState] = []
        while true {
            let status = try await cluster.status()
            let nodes = status.nodes.filter { names.contains($0.name) }
            if nodes.map(\.state) != shown {
                shown = nodes.map(\.state)
                progress(status)
            }
            for node in nodes { try check(node) }
            if nodes.count == names.count, nodes.allSatisfy({ $0.state == .joined }) { return status }
            guard ContinuousClock.now < deadline else {
                let late = nodes.filter { $0.state != .joined }.map { "\($0.name) is \($0.state.rawValue)" }
                throw Failure(
                    .timeout,
                    "not all nodes joined within \(limit): \(late.joined(separator: ", ")); see plurix logs NODE")
            }
            // Cancellation is seen by the next request.
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    private func check(_ node: ClusterStatus.Node) throws(Failure) {
        switch node.state {
        case .dead:
            let number = Int(node.name.dropFirst()) ?? 0
            let epitaph = Epitaph.last(inFile: cluster.directory.serialLog(number))
            let words = epitaph.map { ": \($0.summary)" } ?? ""
            throw Failure(.unavailable, "the node \(node.name) died before it joined\(words)")
        case .refused:
            throw Failure(
                .unavailable, "the node \(node.name) was refused\(node.notice.map { ": " + $0 } ?? "")")
        case .starting, .joining, .joined, .silent, .paused:
            break
        }
    }
}
