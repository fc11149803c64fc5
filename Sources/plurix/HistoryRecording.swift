import Cluster
import Control
import Foundation
import History
import Wire

/// Has the nodes record their transactions while a program runs, and makes one history of what they tell.
///
/// Each machine has a file for it that QEMU fills; it is emptied when the history is made, or given up.
actor HistoryRecording {
    /// Where one life of a node tells.
    private struct Source {
        var node: Int
        var life: Int
        var path: String
    }

    private let cluster: ClusterHandle
    private let path: String
    private var recording: Recording?
    /// While one records, nobody else does: nodes tell all of it to one place.
    private var lock: ProcessLock?
    /// The files that were there, and were told to fill, when recording began.
    private var begun: Set<String> = []
    /// How long machines had been paused that the arbiter knew, and how long they were since recording began.
    private var pause: (known: UInt64, total: UInt64) = (0, 0)

    /// Files of the lives whose clocks are set, and how late that was at most, nanoseconds.
    private var timed: Set<String> = []
    private var clockDelay: UInt64 = 0

    /// How often nodes are told again: those that have joined since, and all when the arbiter was started anew.
    private static let interval = Duration.seconds(2)
    /// An arbiter that is away so long does not come back.
    private static let patience = Duration.seconds(15)

    /// - Throws: `.input` when the file cannot be written, `.usage` when the shared memory is too large for it.
    init(_ cluster: ClusterHandle, to path: String) throws(Failure) {
        self.cluster = cluster
        // What a link leads to is written, not the link.
        self.path = realpath(path, nil).map { place in
            defer { free(place) }
            // Safe: the system's answer ends with a zero, and is freed behind this.
            return String(cString: place)
        } ?? path
        let limit = (Limits.maximumRecordedPages * Limits.pageBytes) >> 20
        guard cluster.description.sharedPages <= Limits.maximumRecordedPages else {
            throw Failure(
                .usage, "--history needs a cluster with at most --shared \(limit); this one has"
                    + " \(cluster.description.sharedMebibytes)")
        }
        try Self.check(self.path)
    }

    /// It is replaced by what is written: a device, or a link, must not be, and its directory must take a new file.
    /// Only trying tells that: root may write everywhere, and yet there is no new file below /proc.
    static func check(_ path: String) throws(Failure) {
        var facts = stat()
        if lstat(path, &facts) == 0 {
            guard facts.st_mode & S_IFMT == S_IFREG else {
                throw unwritable(path, "it is there, and no regular file")
            }
            guard access(path, W_OK) == 0 else { throw unwritable(path, String(cString: strerror(errno))) }
        } else if errno != ENOENT {
            throw unwritable(path, String(cString: strerror(errno)))
        }
        let trial = RunDirectory.parent(of: path) + "/.plurix-\(UInt64.random(in: 0...UInt64.max))"
        let file = open(trial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw unwritable(path, "its directory takes no new file: \(String(cString: strerror(errno)))")
        }
        close(file)
        unlink(trial)
    }

    private static func unwritable(_ path: String, _ reason: String) -> Failure {
        Failure(
            .input, "the history \(path) cannot be written: \(reason)",
            advice: "name a file in a directory that exists and is yours", at: path)
    }

    /// - Throws: what the arbiter says, or `.unavailable` while a program runs, or another command records, whose
    ///   recording this would end; nothing records then.
    func begin() async throws(Failure) {
        lock = try ProcessLock.take(cluster.directory.lock(of: "history"))
        guard lock != nil else {
            throw Failure(
                .unavailable, "another plurix run records the transactions of this cluster",
                advice: "wait for it, or stop its program with \(cluster.directory.hint("stop"))")
        }
        if let running = try await cluster.arbiter().sendPatiently(ArbiterStatus()).running {
            throw Failure(
                .unavailable, "\(running.program) still runs on this cluster",
                advice: "wait for it, or stop it with \(cluster.directory.hint("stop"))")
        }
        do throws(Failure) { try await beginTelling() } catch {
            await abandon()
            throw error
        }
    }

    private func beginTelling() async throws(Failure) {
        _ = try await tell(isOn: false)
        try empty()
        let sources = sources()
        let reply = try await tell(isOn: true)
        let start = reply.nodes.map { GlobalTime(raw: $0.commitTime) }.max() ?? .zero
        recording = Recording(start: start, began: reply.beginNanoseconds, clockError: 0)
        pause.known = reply.pausedNanoseconds
        let told = Set(reply.nodes.map(\.number))
        for (_, lives) in Dictionary(grouping: sources, by: \.node) {
            if let last = lives.last, told.contains(last.node) { begun.insert(last.path) }
        }
        note(reply)
    }

    /// Tells the nodes again and again, until cancelled.
    func renew() async {
        while !Task.isCancelled {
            do {
                try await Task.sleep(for: Self.interval)
                // Not cancelled half-way: nodes would begin to record after they were told to stop.
                note(try await Task { try await tell(isOn: true) }.value)
            } catch {
                // Cancelled, or the arbiter is being started again: the next turn reaches it.
                continue
            }
        }
    }

    /// The nodes record no more.
    ///
    /// - Returns: what `writeHistory` needs.
    func end() async throws(Failure) -> ArbiterRecordHistory.Reply {
        let reply = try await tell(isOn: false)
        note(reply)
        return reply
    }

    /// Makes the history and writes it.
    ///
    /// - Parameter reply: of the arbiter when recording ended.
    /// - Returns: how many transactions it has.
    func writeHistory(_ reply: ArbiterRecordHistory.Reply) throws(Failure) -> Int {
        guard var recording else { throw Failure(.fault, "a recording ended that had not begun") }
        let stopped = Set(reply.nodes.map(\.number))
        let sources = sources()
        for source in sources {
            let isLast = !sources.contains { $0.node == source.node && $0.life > source.life }
            let isLate = !begun.contains(source.path)
            // The machine was gone before.
            if isLate, !isLast || !stopped.contains(source.node), isEmpty(source) { continue }
            recording.add(
                try records(source), node: source.node, life: source.life, isLate: isLate,
                isLost: !isLast || !stopped.contains(source.node))
        }
        let end = reply.nodes.map { GlobalTime(raw: $0.commitTime) }.min() ?? GlobalTime(raw: reply.savedTime)
        let history = recording.history(end: end, openings: openings(reply), endedAt: reply.endNanoseconds)
        try write(history)
        try empty()
        return history.transactions.count
    }

    /// Leaves nothing behind. Nodes that cannot be told now are told by the arbiter, which waits for renewals.
    func abandon() async {
        do throws(Failure) {
            _ = try await tell(isOn: false)
            try empty()
        } catch {
            Terminal.progress("the recording could not be ended in order: \(error)")
        }
    }

    // MARK: The arbiter

    /// Waits for a killed arbiter that is being started again.
    private func tell(isOn: Bool) async throws(Failure) -> ArbiterRecordHistory.Reply {
        let end = ContinuousClock.now + Self.patience
        while true {
            do throws(Failure) {
                return try await cluster.arbiter().send(ArbiterRecordHistory(isOn: isOn))
            } catch {
                guard error.kind == .unavailable, ContinuousClock.now < end else { throw error }
                // Cancelled: the next request says so.
                try? await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    private func note(_ reply: ArbiterRecordHistory.Reply) {
        recording?.add(saved: GlobalTime(raw: reply.savedTime), at: reply.endNanoseconds)
        // A restarted arbiter counts from zero.
        let known = reply.pausedNanoseconds
        pause.total += known >= pause.known ? known - pause.known : known
        pause.known = known
        recording?.add(clockError: clockDelay + pause.total)
        for node in reply.nodes {
            // Told again, a node's clock can only get better.
            guard let life = cluster.directory.histories(node.number).last, timed.insert(life).inserted else {
                continue
            }
            clockDelay = max(clockDelay, node.delayNanoseconds)
            recording?.add(clockError: clockDelay + pause.total)
        }
    }

    private func openings(_ reply: ArbiterRecordHistory.Reply) -> Openings {
        var openings = Openings()
        for opening in reply.openings.reversed() where opening.epoch > 1 {
            openings.append(Opening(epoch: opening.epoch, stays: GlobalTime(raw: opening.opened)))
        }
        return openings
    }

    // MARK: The nodes' files

    private func sources() -> [Source] {
        (1...Limits.maximumNodes).flatMap { node in
            cluster.directory.histories(node).enumerated().map { Source(node: node, life: $0 + 1, path: $1) }
        }
    }

    private func isEmpty(_ source: Source) -> Bool {
        let attributes = try? FileManager.default.attributesOfItem(atPath: source.path)
        return (attributes?[.size] as? UInt64 ?? 0) == 0
    }

    private func records(_ source: Source) throws(Failure) -> NodeRecords {
        guard let bytes = FileManager.default.contents(atPath: source.path) else {
            throw Failure(.fault, "\(source.path) cannot be read")
        }
        do throws(HistoryError) {
            let records = try NodeRecords([UInt8](bytes), node: source.node, life: source.life)
            if records.tornBytes > 0 {
                Terminal.progress("n\(source.node) died while it told of a transaction: its last record is left out")
            }
            return records
        } catch {
            throw Failure(.fault, "\(source.path): \(error)")
        }
    }

    /// Makes all files empty; a machine that writes on begins at their start.
    private func empty() throws(Failure) {
        for source in sources() where truncate(source.path, 0) != 0 {
            throw Failure(.fault, "cannot empty \(source.path): \(String(cString: strerror(errno)))")
        }
    }

    private func write(_ history: History) throws(Failure) {
        var writer = HistoryWriter()
        writer.append(history)
        do {
            try Data(writer.takeBytes()).write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw Failure(.input, "the history \(path) cannot be written: \(error.localizedDescription)")
        }
    }
}
