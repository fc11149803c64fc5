import Control
import Dispatch
import Durability
import Logging
import Protocol
import Store
import Synchronization
import Wire

/// The store of a running arbiter, and the thread that writes it: the arbiter goes on while the disk works.
///
/// Unchecked, because everything but `mailbox` belongs to the queue.
final class StoreKeeper: @unchecked Sendable {
    /// What the arbiter is told, in the queue.
    enum Report: Sendable {
        /// The state at this time survives whatever happens to the host.
        case durable(GlobalTime)
        /// The store cannot be written, and why; nil when it can be again.
        case trouble(Failure?)
    }

    /// What a page was at a version.
    struct Page: Sendable {
        var number: UInt32
        var version: GlobalTime
        var bytes: [UInt8]
    }

    let path: String
    let isVolatile: Bool
    var report: (@Sendable (Report) -> Void)?
    private let queue = DispatchQueue(label: "store", qos: .userInitiated)
    private let logger: Logger
    private var state: DurableState<StoreDirectory>
    /// Of the round under way: put again when the store had to be read anew.
    private var round: [Page] = []
    /// When the round under way has ended, and is not durable yet: its time.
    private var ended: GlobalTime?
    private var isFailing = false
    private var marks: [Mark] = []
    private var nextMark = 0
    /// For the figures of a checkpoint: of the last round.
    private var roundStart = (bytes: 0, flushes: 0)
    private var settledBytes = 0
    private var isCleaning = false

    /// A state that somebody wants to keep, as soon as there is one at or after a time.
    private struct Mark {
        var number: Int
        var label: String
        var notBefore: GlobalTime
        var outcome: Result<Kept, Failure>?
    }

    /// A checkpoint that was asked for, and what it cost.
    struct Kept: Sendable {
        var checkpoint: Checkpoint
        /// Of the round that made it.
        var pages: Int
        var bytes: Int
        var flushes: Int
    }

    /// Written between two superblocks: what a recovery reads record by record.
    private static let settleInterval = 16 << 20
    /// Cleaned at a time: about a millisecond, so that who saves never waits long.
    private static let cleaningBudget = 256 << 10
    private static let retryInterval = DispatchTimeInterval.milliseconds(200)

    /// Opens the store, or makes it.
    ///
    /// - Throws: `.unavailable` when another process uses it; `.input` for one of another cluster or another size;
    ///   `.fault` for a damaged one.
    init(_ settings: StoreSettings, cluster: UInt64, sharedPages: UInt32, logger: Logger) throws(Failure) {
        path = settings.directory
        isVolatile = settings.isVolatile
        self.logger = logger
        let store = try StoreOpening.open(settings, cluster: cluster, sharedPages: sharedPages)
        for finding in store.findings { logger.notice("\(settings.directory): \(finding)") }
        do throws(StoreError) {
            state = try DurableState(store)
            try state.setRetention(settings.retention)
            try state.flush()
        } catch {
            throw Failure(error, store: settings.directory)
        }
        settledBytes = state.store.bytesWritten
    }

    /// What an arbiter starts from.
    func contents() throws(Failure) -> (state: ArbiterState, joinedAt: [UInt64], image: SharedImage) {
        let outcome: Result<(state: ArbiterState, joinedAt: [UInt64], image: SharedImage), Failure> = queue.sync {
            do throws(StoreError) {
                return .success((state.arbiter, state.facts.joinedAt, try SharedImage(reading: &state)))
            } catch {
                return .failure(Failure(error, store: path))
            }
        }
        return try outcome.get()
    }

    // MARK: What must not be lost

    /// Notes a change of the facts; it is durable when this returns.
    func note(_ change: @escaping @Sendable (inout ArbiterFacts) -> Void) throws(Failure) {
        let outcome: Result<Void, Failure> = queue.sync {
            do throws(StoreError) {
                if isFailing { try recover() }
                try state.note(change)
                try state.flush()
                return .success(())
            } catch {
                fail(error)
                return .failure(Failure(error, store: path))
            }
        }
        try outcome.get()
    }

    /// A page of the round under way.
    func put(_ page: Page) {
        queue.async { [self] in
            if round.isEmpty { roundStart = (state.store.bytesWritten, state.store.flushCount) }
            round.append(page)
            attempt { () throws(StoreError) in try put(page.number, page.version, page.bytes) }
        }
    }

    /// The round ends with the state at this time.
    ///
    /// - Returns: Whether it is durable already; else `report` tells.
    func end(at time: GlobalTime, now: UInt64) -> Bool {
        guard isVolatile else {
            queue.async { [self] in
                ended = time
                attempt { () throws(StoreError) in try finish(time, now) }
            }
            return false
        }
        return queue.sync {
            ended = time
            attempt { () throws(StoreError) in try finish(time, now) }
            return ended == nil
        }
    }

    /// The round under way came to nothing.
    func abandon() {
        queue.async { [self] in
            guard ended == nil else { return }
            round.removeAll()
            state.abandon()
        }
    }

    // MARK: Checkpoints

    var checkpoints: [Checkpoint] { queue.sync { state.store.checkpoints } }

    /// Wants the next state at or after `time` to be kept, under a label if it is not empty.
    ///
    /// - Returns: Under what `outcome(of:)` tells what became of it.
    func mark(_ label: String, notBefore time: GlobalTime, now: UInt64) -> Int {
        queue.sync {
            nextMark += 1
            marks.append(Mark(number: nextMark, label: label, notBefore: time))
            keepNewest(now)
            return nextMark
        }
    }

    /// The state is at `time`, and an earlier one than a mark waited for: an epoch has undone what was between.
    func lower(mark: Int, to time: GlobalTime, now: UInt64) {
        queue.sync {
            guard let place = marks.firstIndex(where: { $0.number == mark && $0.notBefore > time }) else { return }
            marks[place].notBefore = time
            keepNewest(now)
        }
    }

    /// Keeps the newest state for those who wait for no later one, if no round is under way that will be it.
    private func keepNewest(_ now: UInt64) {
        let isWanted = marks.contains { $0.outcome == nil && $0.notBefore <= state.time }
        guard isWanted, ended == nil, round.isEmpty, !isFailing, state.time > .zero else { return }
        attempt { () throws(StoreError) in
            roundStart = (state.store.bytesWritten, state.store.flushCount)
            try keep(state.time, now, pages: 0)
        }
    }

    /// What became of a mark; nil while nothing has.
    func outcome(of mark: Int) -> Result<Kept, Failure>? {
        queue.sync { marks.first { $0.number == mark }?.outcome }
    }

    func forget(mark: Int) {
        queue.sync { marks.removeAll { $0.number == mark } }
    }

    /// Makes a store for another cluster out of the state at a checkpoint.
    func fork(
        at name: String?, into target: String, cluster: UInt64
    ) throws(Failure) -> GlobalTime {
        try queue.sync { () -> Result<GlobalTime, Failure> in
            do throws(Failure) {
                return .success(try StoreRevival.fork(&state, at: name, into: target, cluster: cluster))
            } catch {
                return .failure(error)
            }
        }.get()
    }

    // MARK: In the queue

    private func put(_ page: UInt32, _ version: GlobalTime, _ bytes: [UInt8]) throws(StoreError) {
        guard !isFailing else { return }
        try state.put(page, version: version, bytes.span.bytes)
    }

    private func finish(_ time: GlobalTime, _ now: UInt64) throws(StoreError) {
        guard !isFailing else { return }
        let pages = round.count
        if marks.contains(where: { $0.outcome == nil && $0.notBefore <= time }) {
            try keep(time, now, pages: pages)
        } else {
            try state.end(Checkpoint(time: time, created: now, isKept: false))
            if state.store.bytesWritten - settledBytes > Self.settleInterval {
                try settle()
            } else {
                try state.flush()
            }
        }
        round.removeAll()
        ended = nil
        report?(.durable(time))
        tidyUp()
    }

    /// The state at `time` is a checkpoint that stays.
    private func keep(_ time: GlobalTime, _ now: UInt64, pages: Int) throws(StoreError) {
        let due = marks.indices.filter { marks[$0].outcome == nil && marks[$0].notBefore <= time }
        let named = due.first { !marks[$0].label.isEmpty }
        var checkpoint = Checkpoint(
            time: time, created: now, label: named.map { marks[$0].label } ?? "", isKept: true)
        if let old = state.store.checkpoint(at: time), !old.label.isEmpty { checkpoint.label = old.label }
        try state.end(checkpoint)
        try settle()
        let kept = Kept(
            checkpoint: checkpoint, pages: pages, bytes: state.store.bytesWritten - roundStart.bytes,
            flushes: state.store.flushCount - roundStart.flushes)
        for place in due {
            let label = marks[place].label
            marks[place].outcome = label.isEmpty || label == checkpoint.label ? .success(kept) : .failure(Failure(
                .input, "the state at \(CheckpointName.text(time)) is the checkpoint \"\(checkpoint.label)\" already",
                advice: "use that, or take another when something has changed"))
        }
        try state.expire(now: now)
    }

    private func settle() throws(StoreError) {
        try state.settle()
        settledBytes = state.store.bytesWritten
    }

    /// Tidies up while there is nothing else to do.
    private func tidyUp() {
        guard !isCleaning, !isFailing else { return }
        isCleaning = true
        queue.async { [self] in
            isCleaning = false
            guard !isFailing else { return }
            attempt { () throws(StoreError) in
                if try state.clean(budget: Self.cleaningBudget), ended == nil { tidyUp() }
            }
        }
    }

    // MARK: Trouble

    private func attempt(_ body: () throws(StoreError) -> Void) {
        do throws(StoreError) { try body() } catch { fail(error) }
    }

    private func fail(_ error: StoreError) {
        guard !isFailing else { return }
        isFailing = true
        var failure = Failure(error, store: path)
        failure.message = "nothing is saved: \(failure.message)"
        logger.critical("\(failure)")
        report?(.trouble(failure))
        queue.asyncAfter(deadline: .now() + Self.retryInterval) { [self] in retry() }
    }

    private func retry() {
        guard isFailing else { return }
        do throws(StoreError) { try recover() } catch {
            queue.asyncAfter(deadline: .now() + Self.retryInterval) { [self] in retry() }
        }
    }

    /// Goes on from what is on the disk, and puts there again what was lost of the round under way.
    private func recover() throws(StoreError) {
        try state.resume()
        isFailing = false
        do throws(StoreError) {
            for page in round { try put(page.number, page.version, page.bytes) }
            if let ended { try finish(ended, Clock.microsecondsSince1970()) }
        } catch {
            isFailing = true
            throw error
        }
        logger.notice("\(path) can be written again")
        report?(.trouble(nil))
    }
}
