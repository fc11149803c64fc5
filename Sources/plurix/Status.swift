import ArgumentParser
import Cluster
import Control
import Wire

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show the cluster and its nodes.")

    @OptionGroup var common: CommonOptions

    /// Notices that a reader is shown.
    private static let shownNotices = 5

    func run() async throws {
        let status = try await common.cluster().status()
        if common.json { return try Terminal.show(json: status) }
        if let trouble = status.trouble { Terminal.show("trouble: \(trouble)") }
        if let damage = status.damage { Terminal.show("damage: \(damage)") }
        if let count = status.unreadPages, count > 0 {
            Terminal.show("\(count) pages of the saved memory are still to be read")
        }
        if let state = status.restoring { Terminal.show("the cluster is going back to \(state)") }
        let commits = Self.counter(status.commitTime)
        let behind = commits - min(commits, Self.counter(status.savedTime))
        func process(_ number: Int32?) -> String { number.map { "\($0)" } ?? "not running" }
        Terminal.show(
            "cluster \(status.cluster): epoch \(status.epoch), \(commits) commits,"
                + " saved up to \(Self.counter(status.savedTime))" + (behind == 0 ? "" : ", \(behind) behind"))
        Terminal.show("store \(status.storeDirectory)" + (status.isVolatile ? ", volatile" : ""))
        Terminal.show(
            "supervisor \(process(status.processes.supervisor)), segment \(process(status.processes.segment)),"
                + " arbiter \(process(status.processes.arbiter))")
        if let running = status.running {
            let nodes = running.nodes.joined(separator: ", ")
            Terminal.show("\(running.program) runs on \(nodes)" + (try unattended(running)))
        }
        for line in Self.table(status).lines(width: Terminal.columns) { Terminal.show(line) }
        for notice in status.notices.suffix(Self.shownNotices) { Terminal.show("notice: \(notice)") }
        if status.notices.count > Self.shownNotices {
            Terminal.show("(the newest \(Self.shownNotices) of \(status.notices.count) notices; all with --json)")
        }
    }

    /// Whoever waits for a program asks for it every 50 ms.
    private func unattended(_ running: ClusterStatus.Program) throws -> String {
        guard running.unattendedSeconds >= Self.attention else { return "" }
        let rest = max(0, running.patienceSeconds - running.unattendedSeconds)
        return "; nobody waits for its result, so it is stopped in \(rest) s, or at once with"
            + " \(try common.directory().hint("stop"))"
    }

    private static let attention = 3

    /// How many commits a global time counts; its epoch is in the high bits.
    private static func counter(_ time: UInt64) -> UInt64 { GlobalTime(raw: time).counter }

    private static func state(_ node: ClusterStatus.Node) -> String {
        node.state == .silent ? "silent \(node.silentMilliseconds / 1000) s" : node.state.rawValue
    }

    static func table(_ status: ClusterStatus) -> Table {
        var table = Table(columns: [
            Table.Column(heading: "NODE"),
            Table.Column(heading: "STATE"),
            Table.Column(heading: "COMMITS", isNumber: true),
            Table.Column(heading: "ABORTS", isNumber: true),
            Table.Column(heading: "FETCHED", rank: 1, isNumber: true),
            Table.Column(heading: "JOIN MS", rank: 2, isNumber: true),
            Table.Column(heading: "UP MS", rank: 3, isNumber: true),
            Table.Column(heading: "SENT", rank: 4, isNumber: true),
            Table.Column(heading: "RECEIVED", rank: 4, isNumber: true),
            Table.Column(heading: "REJECTED", rank: 2, isNumber: true),
            Table.Column(heading: "NIC", rank: 5),
            Table.Column(heading: "PROCESS", rank: 6, isNumber: true),
        ])
        table.rows = status.nodes.map { node in
            [
                node.name, state(node), "\(node.commits)", "\(node.aborts)", "\(node.pagesFetched)",
                node.joinMilliseconds.rounded(to: 1), node.upMilliseconds.rounded(to: 0), "\(node.framesSent)",
                "\(node.framesReceived)", "\(node.framesRejected)", node.nic.rawValue,
                node.processIdentifier.map { "\($0)" } ?? "",
            ]
        }
        return table
    }
}

extension Double {
    func rounded(to digits: Int) -> String {
        formatted(.number.precision(.fractionLength(digits)).grouping(.never).locale(.init(identifier: "en_US")))
    }
}
