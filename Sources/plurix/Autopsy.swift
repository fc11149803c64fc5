import ArgumentParser
import Cluster
import Control
import Foundation

struct Autopsy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show a dead node's epitaph and flight recorder, or a living node's last fault of a program.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var target: NodeArgument

    private struct Report: Encodable {
        var node: String
        var summary: String
        /// Where it happened and who called, innermost first.
        var story: [String]
        var fields: [String: String]
        var flightRecorder: [String]
        var isComplete: Bool
    }

    func run() async throws {
        let cluster = try common.cluster()
        let log = cluster.directory.serialLog(try target.number())
        guard FileManager.default.fileExists(atPath: log) else {
            throw Failure(
                .input, "there is no console of \(target.node)", advice: "see \(cluster.directory.hint("status"))",
                at: target.node)
        }
        guard let epitaph = Epitaph.last(inFile: log) ?? Epitaph.lastTrap(inFile: log) else {
            throw try await noEpitaph(cluster)
        }
        let report = Report(
            node: target.node, summary: epitaph.summary,
            story: epitaph.story(Symbolizer(image: cluster.description.image)), fields: epitaph.fields,
            flightRecorder: epitaph.flightRecorder, isComplete: epitaph.isComplete)
        if common.json { return try Terminal.show(json: report) }
        show(report)
    }

    /// Why nothing is there to show.
    private func noEpitaph(_ cluster: ClusterHandle) async throws -> Failure {
        let node = try await cluster.status().nodes.first { $0.name == target.node }
        let reason =
            switch node?.state {
            case .dead?: "its machine was ended from outside, as by plurix kill"
            case nil: "it is no longer of the cluster"
            default: "it lives, and no program has failed on it"
            }
        return Failure(
            .input, "\(target.node) left no epitaph: \(reason)",
            advice: "see \(cluster.directory.hint("logs \(target.node)"))", at: target.node)
    }

    private func show(_ report: Report) {
        Terminal.show("\(report.node): \(report.summary)")
        for line in report.story { Terminal.show("  \(line)") }
        for (name, value) in report.fields.sorted(by: { $0.key < $1.key }) { Terminal.show("  \(name) = \(value)") }
        if !report.flightRecorder.isEmpty { Terminal.show("flight recorder:") }
        for event in report.flightRecorder { Terminal.show("  \(event)") }
        if !report.isComplete { Terminal.show("the epitaph is incomplete: the node fell silent while it spoke") }
    }
}
