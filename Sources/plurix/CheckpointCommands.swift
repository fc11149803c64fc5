import ArgumentParser
import Cluster
import Control
import Foundation
import PageServer

extension CheckpointReport {
    /// When it was taken, as in `2026-11-21T00:46:36Z`.
    var taken: String { Date(timeIntervalSince1970: Double(created) / 1e6).formatted(.iso8601) }
}

struct TakeCheckpoint: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoint",
        abstract: "Keep the state of the shared memory at one commit time.",
        discussion: """
            Programs run on meanwhile. A checkpoint with a label stays until plurix forget, others until newer ones \
            crowd them out (plurix up --keep, --keep-for). To go back to one: plurix restore --at, or plurix up --from \
            DIR --at.
            """)

    @OptionGroup var common: CommonOptions

    @Option(help: ArgumentHelp("A name for it, without spaces or what cannot be seen.", valueName: "label"))
    var label: String?

    func validate() throws {
        if label?.isEmpty == true { throw ValidationError("--label needs a name") }
    }

    private struct Outcome: Encodable {
        var checkpoint: CheckpointReport
        var pages: Int
        var bytes: Int
        var flushes: Int
        var milliseconds: Double
    }

    func run() async throws {
        let arbiter = try await common.cluster().servingArbiter()
        if let trouble = try await arbiter.send(ArbiterStatus()).storeTrouble {
            throw Failure(.unavailable, "no checkpoint can be taken: \(trouble)", at: "store")
        }
        let made = try await arbiter.send(ArbiterCheckpoint(label: label, isWhole: true), limit: .seconds(150))
        if common.json {
            return try Terminal.show(
                json: Outcome(
                    checkpoint: made.checkpoint, pages: made.pages, bytes: made.bytes, flushes: made.flushes,
                    milliseconds: made.milliseconds))
        }
        let what = made.pages == 0 ? "all of it was saved already" : "\(made.pages) pages, \(made.bytes) bytes"
        Terminal.show("checkpoint \(made.checkpoint.title): \(what), in \(made.milliseconds.rounded(to: 1)) ms")
    }
}

struct Checkpoints: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the checkpoints of a cluster or of a store, oldest first.",
        discussion: "The last one is the newest state; unless it is kept, it goes as soon as there is a newer one.")

    @OptionGroup var common: CommonOptions

    @Option(
        help: ArgumentHelp("The store of a cluster, running or not.", valueName: "dir"), completion: .directory)
    var from: String?

    private struct Outcome: Encodable {
        var checkpoints: [CheckpointReport]
    }

    func run() async throws {
        let checkpoints = try await found()
        if common.json { return try Terminal.show(json: Outcome(checkpoints: checkpoints)) }
        guard !checkpoints.isEmpty else { return Terminal.show("nothing was saved yet") }
        for line in Self.table(checkpoints).lines(width: Terminal.columns) { Terminal.show(line) }
    }

    private func found() async throws -> [CheckpointReport] {
        guard let from else { return try await common.cluster().storeArbiter().send(ArbiterCheckpoints()) }
        guard let user = StoreUser.livingCluster(of: from) else { return try StoreExamination.checkpoints(of: from) }
        return try await ClusterHandle(user).storeArbiter().send(ArbiterCheckpoints())
    }

    static func table(_ checkpoints: [CheckpointReport]) -> Table {
        var table = Table(columns: [
            Table.Column(heading: "TIME"), Table.Column(heading: "TAKEN", rank: 1), Table.Column(heading: "LABEL"),
            Table.Column(heading: "KEPT"),
        ])
        table.rows = checkpoints.map { one in
            [one.name, one.taken, one.labelsInWords, one.isKept ? "yes" : CheckpointName.newest]
        }
        return table
    }
}

struct Forget: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Forget checkpoints, labelled or not.",
        discussion: """
            What only they needed of the disk is free for others. The newest state stays until there is a newer one, \
            but without its label. Of a state with several labels all must be named, or its EPOCH:COUNTER.
            """)

    @OptionGroup var common: CommonOptions

    @Argument(
        help: ArgumentHelp(
            "The checkpoints: labels, or EPOCH:COUNTER as plurix checkpoints shows it.", valueName: "time|label"))
    var names: [String]

    @Option(
        help: ArgumentHelp("The store of a cluster, running or not.", valueName: "dir"), completion: .directory)
    var from: String?

    private struct Outcome: Encodable {
        var forgotten: [CheckpointReport]
    }

    func run() async throws {
        let forgotten = try await forgotten()
        if common.json { return try Terminal.show(json: Outcome(forgotten: forgotten)) }
        for one in forgotten { Terminal.show("forgot \(one.title)") }
    }

    private func forgotten() async throws -> [CheckpointReport] {
        guard let from else { return try await common.cluster().storeArbiter().send(ArbiterForget(names)) }
        guard let user = StoreUser.livingCluster(of: from) else { return try StoreRevival.forget(names, in: from) }
        return try await ClusterHandle(user).storeArbiter().send(ArbiterForget(names))
    }
}

struct Restore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let a running cluster go back to a checkpoint.",
        discussion: """
            All nodes are started anew with the memory as it was then. Nothing is lost: the state up to now is saved, \
            and its store stays beside the cluster's, as DIR.1 or with the next free number. Once begun it is done, \
            also when this command is interrupted. While a program runs it is refused, and the exit code is 69. Where \
            pages of that state cannot be read back it says so at the end, with 70.
            """)

    @OptionGroup var common: CommonOptions

    @Option(
        help: ArgumentHelp(
            "The checkpoint: a label, EPOCH:COUNTER as plurix checkpoints shows it, or newest.",
            valueName: "time|label"))
    var at: String

    @Option(help: ArgumentHelp("How long to wait for the nodes, 1 to 3600.", valueName: "seconds"))
    var timeout = 60

    func validate() throws {
        if at.isEmpty { throw ValidationError("--at needs the name of a checkpoint") }
        try check(timeout, in: Up.timeoutRange, "--timeout")
    }

    private struct Outcome: Encodable {
        var checkpoint: CheckpointReport
        var oldStoreDirectory: String
        var nodes: [String]
    }

    func run() async throws {
        let cluster = try common.cluster()
        let hint = cluster.directory.hint
        if let title = try await beginning(cluster) { Terminal.progress("going back to \(title)") }
        let watch = Interruption().watch {
            Terminal.progress(
                "what was begun goes on without this command: see \(hint("status")) and \(hint("events"))")
        }
        defer { watch.cancel() }
        let outcome = try await cluster.restore(at: at)
        let status = try await JoinWatch(cluster, limit: .seconds(timeout)).wait(for: outcome.nodes) { status in
            Terminal.progress(status.nodes.map { "\($0.name) \($0.state.rawValue)" }.joined(separator: ", "))
        }
        if common.json {
            try Terminal.show(
                json: Outcome(
                    checkpoint: outcome.checkpoint, oldStoreDirectory: outcome.oldStore,
                    nodes: outcome.nodes.map { "n\($0)" }))
        } else {
            Terminal.show("the memory is as it was at \(outcome.checkpoint.title)")
            Terminal.show("what came after it is in \(outcome.oldStore)")
            if let words = status.resumption(hint) { Terminal.show(words) }
        }
        try await checkMemory(cluster)
    }

    /// It may have been damaged then already.
    private func checkMemory(_ cluster: ClusterHandle) async throws {
        let damage: Failure?
        do throws(Failure) {
            damage = try await ImageWatch(cluster, limit: .seconds(timeout)).wait { Terminal.progress(unread: $0) }
        } catch {
            throw Failure(
                error.kind,
                "the cluster has gone back, but whether all of its memory can be read is not known: \(error.message)",
                advice: "see \(cluster.directory.hint("status"))", at: error.place)
        }
        if let damage { throw damage }
    }

    /// What the cluster will go back to; nil where it may be refused for another reason, which the supervisor knows.
    ///
    /// - Throws: `.input` for a checkpoint that does not exist.
    private func beginning(_ cluster: ClusterHandle) async throws(Failure) -> String? {
        let checkpoints: [CheckpointReport]
        do throws(Failure) {
            let status = try await cluster.status()
            guard status.running == nil, status.restoring == nil, status.trouble == nil else { return nil }
            checkpoints = try await cluster.arbiter().send(ArbiterCheckpoints(), limit: ClusterHandle.glance)
        } catch {
            return nil
        }
        do throws(Failure) { return try CheckpointName.resolve(at, among: checkpoints).title } catch {
            var failure = error
            failure.message += "; the cluster was not touched"
            throw failure
        }
    }
}

extension ClusterStatus {
    /// What is said of a program that the state holds in the middle of its work: it is there like all the rest.
    func resumption(_ hint: (String) -> String) -> String? {
        running.map { running in
            "\(running.program), which ran at that time, goes on from there. Nobody waits for its result: it is stopped"
                + " after \(running.patienceSeconds) s, or at once with \(hint("stop"))"
        }
    }
}
