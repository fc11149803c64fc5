import Control
import Foundation

/// Waits for nodes to join.
public struct JoinWatch: Sendable {
    private let cluster: ClusterHandle
    private let limit: Duration

    private static let lastWords = Duration.milliseconds(500)
    /// A debugger stops a process for moments.
    private static let stoppedLimit = Duration.seconds(3)
    /// What is in the way for less is no news.
    private static let troubleLimit = Duration.seconds(1)

    public init(_ cluster: ClusterHandle, limit: Duration) {
        self.cluster = cluster
        self.limit = limit
    }

    /// - Parameters:
    ///   - numbers: the nodes that must join.
    ///   - progress: gets the cluster's state whenever a node's state has changed, or something is in the way.
    /// - Throws: `.unavailable` when one of them dies or is refused, or the segment or the arbiter is stopped, without
    ///   which none joins; `.timeout` when one does not join in time.
    public func wait(
        for numbers: [Int], progress: (ClusterStatus) -> Void
    ) async throws(Failure) -> ClusterStatus {
        let names = Set(numbers.map { "n\($0)" })
        let deadline = ContinuousClock.now + limit
        var shown: [NodeState] = []
        var goneOnAt = ContinuousClock.now
        var untroubledAt = ContinuousClock.now
        var told: String?
        while true {
            let status = try await cluster.status()
            let nodes = status.nodes.filter { names.contains($0.name) }
            if status.trouble == nil { untroubledAt = .now }
            let isLasting = ContinuousClock.now - untroubledAt >= Self.troubleLimit
            if nodes.map(\.state) != shown || isLasting && status.trouble != told {
                shown = nodes.map(\.state)
                told = status.trouble
                progress(status)
            }
            if nodes.contains(where: { $0.state == .refused }) {
                // Who asked ends the machine next: first the node may say on its console what it was told.
                try? await Task.sleep(for: Self.lastWords)
            }
            let stopped = BackgroundProcess.arbiter.stoppedProcess(in: cluster.directory)
            do throws(Failure) { for node in nodes { try check(node) } } catch {
                throw stopped.map { hindered(nodes, by: $0) } ?? error
            }
            if nodes.count == names.count, nodes.allSatisfy({ $0.state == .joined }) { return status }
            if stopped == nil { goneOnAt = .now }
            if let stopped, ContinuousClock.now - goneOnAt >= Self.stoppedLimit { throw hindered(nodes, by: stopped) }
            guard ContinuousClock.now < deadline else {
                throw late(nodes.filter { $0.state != .joined }, status.trouble)
            }
            // Cancellation is seen by the next request.
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Nothing moves before somebody does something, and what nodes say of it is no reason.
    private func hindered(
        _ nodes: [ClusterStatus.Node], by stopped: (process: BackgroundProcess, number: Int32)
    ) -> Failure {
        Failure(
            .unavailable,
            "\(stopped.process.name(in: cluster.directory)) is stopped, and without it no node joins:"
                + " \(Self.states(nodes.filter { $0.state != .joined }))",
            advice: "let it go on: kill -CONT \(stopped.number)", at: stopped.process.rawValue)
    }

    private static func states(_ nodes: [ClusterStatus.Node]) -> String {
        nodes.map { "\($0.name) is \($0.state.rawValue)" }.joined(separator: ", ")
    }

    private func late(_ nodes: [ClusterStatus.Node], _ trouble: String?) -> Failure {
        let words = "not all nodes joined within \(limit.components.seconds) s: \(Self.states(nodes))"
        return Failure(
            .timeout, trouble.map { "\(words); \($0)" } ?? words,
            advice: trouble == nil ? "see \(hint("logs", nodes.first))" : nil, at: nodes.first?.name)
    }

    private func check(_ node: ClusterStatus.Node) throws(Failure) {
        let number = Int(node.name.dropFirst()) ?? 0
        switch node.state {
        case .dead:
            let epitaph = Epitaph.last(inFile: cluster.directory.serialLog(number))
            // A refused node ends its machine at once, often before anybody has asked for its state.
            if epitaph == nil, let refusal = node.notice { throw refused(node, refusal) }
            let words = epitaph.map { ": \($0.summary)" } ?? ""
            throw Failure(
                .unavailable, "the node \(node.name) died before it joined\(words)",
                advice: epitaph == nil ? "see \(hint("logs", node))" : "see \(hint("autopsy", node))", at: node.name)
        case .refused:
            throw refused(node, node.notice ?? "the node \(node.name) was refused")
        case .starting, .joining:
            // Frames under another key are dropped unread, so only the node itself can say what is wrong.
            guard hasOtherKey(number) else { return }
            throw Failure(
                .unavailable,
                "\(node.name) was refused: it has another cluster's key",
                advice: "start it with the cluster's, or see \(hint("logs", node))", at: node.name)
        case .joined, .silent, .paused:
            break
        }
    }

    private func refused(_ node: ClusterStatus.Node, _ reason: String) -> Failure {
        Failure(.unavailable, reason, advice: "see \(hint("logs", node))", at: node.name)
    }

    private func hint(_ command: String, _ node: ClusterStatus.Node?) -> String {
        cluster.directory.hint("\(command) \(node?.name ?? "NODE")")
    }

    /// Whether the node has said so since it last booted.
    private func hasOtherKey(_ number: Int) -> Bool {
        let console = FileManager.default.contents(atPath: cluster.directory.serialLog(number)) ?? Data()
        let lines = String(decoding: console, as: UTF8.self).split(whereSeparator: \.isNewline)
        let boot = lines.lastIndex { $0.hasPrefix("READY ticks=") } ?? lines.startIndex
        return lines[boot...].contains { $0.hasPrefix("KEY ") }
    }
}
