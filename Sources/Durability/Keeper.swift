import Protocol
import Store
import Wire

/// What a page server does with its arbiter's store, call by call: facts, rounds of saving, checkpoints that somebody
/// wants to keep, and how it goes on after an error. It has no thread and no clock; those are its user's.
///
/// A round is put page by page, while it is gathered, and ended. What was put of it is remembered until it is durable,
/// so that it can be put again when the store had to be read anew.
public struct Keeper<Medium: Disk & ~Copyable>: ~Copyable {
    /// What has happened that the arbiter, or a person, wants to know.
    public enum Report: Equatable, Sendable {
        /// The state at this time survives whatever the disk survives.
        case durable(GlobalTime)
        /// The store cannot be written, and why; nil when it can be again.
        case trouble(StoreError?)
    }

    public var state: DurableState<Medium>
    /// Nothing can be written; `retry` tries whether it can again.
    public private(set) var isFailing = false
    private var isTroubleTold = false
    /// Whether old checkpoints make room for new ones. Not while pages are known to be lost: old ones may have them.
    public var isForgetting = true
    private var reports: [Report] = []
    /// Of the round under way: put again when the store had to be read anew.
    private(set) var round: [[PageVersion]] = []
    /// When the round under way has ended, and is not durable yet: its time, and when that was.
    private(set) var ended: (time: GlobalTime, now: UInt64)?
    var marks: [Mark] = []
    var nextMark = 0
    /// For the figures of a checkpoint: when the round began.
    var roundStart = (bytes: 0, flushes: 0)
    /// Bytes written when the log was vouched for last, and how many more may be without: what a recovery reads record
    /// by record.
    private var settledBytes: Int
    private let settleInterval: Int

    public init(_ state: consuming DurableState<Medium>, settleInterval: Int) {
        settledBytes = state.store.bytesWritten
        self.settleInterval = settleInterval
        self.state = state
    }

    /// Whether every round that has ended is durable.
    public var isDurable: Bool { ended == nil }

    /// What has happened since this was last asked.
    public mutating func takeReports() -> [Report] {
        guard !reports.isEmpty else { return [] }
        defer { reports.removeAll(keepingCapacity: true) }
        return reports
    }

    // MARK: What must not be lost

    /// Notes a change of the facts; it is durable when this returns.
    public mutating func note(_ change: (inout ArbiterFacts) -> Void) throws(StoreError) {
        let wasFailing = isFailing
        do throws(StoreError) {
            if wasFailing { try resume() }
            // An opening is behind the state that it opens at.
            if wasFailing, ended != nil { try putRoundAgain() }
            try noteCleaning(change)
            try flush()
        } catch {
            // Nothing more is to be cleaned. It was refused before anything was changed: the rest goes on.
            guard error == .tooLarge, state.store.stopped == nil else {
                fail(error)
                throw error
            }
            if wasFailing { attempt { keeper throws(StoreError) in try keeper.goOn() } }
            throw error
        }
        if wasFailing { attempt { keeper throws(StoreError) in try keeper.goOn() } }
    }

    /// A log that names too many segments to take a fact is cleaned first.
    private mutating func noteCleaning(_ change: (inout ArbiterFacts) -> Void) throws(StoreError) {
        do throws(StoreError) { try state.note(change) } catch {
            guard error == .tooLarge else { throw error }
            try cleanAll()
            try state.note(change)
        }
    }

    /// Pages of the round under way.
    public mutating func put(_ pages: [PageVersion]) {
        guard !pages.isEmpty else { return }
        if round.isEmpty { roundStart = (state.store.bytesWritten, state.store.flushCount) }
        // As they come: to count references to each page would cost more than to look for it here.
        round.append(pages)
        guard !isFailing else { return }
        attempt { keeper throws(StoreError) in try keeper.state.put(pages) }
    }

    /// The round ends with the state at this time. A report tells when it is durable.
    ///
    /// - Parameter now: Microseconds since 1970.
    public mutating func end(at time: GlobalTime, now: UInt64) {
        ended = (time, now)
        guard !isFailing else { return }
        attempt { keeper throws(StoreError) in try keeper.finish(time, now) }
    }

    /// The round under way came to nothing.
    public mutating func abandon() {
        guard ended == nil else { return }
        round.removeAll()
        state.abandon()
    }

    private mutating func finish(_ time: GlobalTime, _ now: UInt64) throws(StoreError) {
        if isMarked(time) {
            try keep(time, now, pages: round.reduce(0) { $0 + $1.count })
        } else {
            try state.end(Checkpoint(time: time, created: now, isKept: false))
            try flush()
        }
        round.removeAll()
        ended = nil
        reports.append(.durable(time))
    }

    /// Also settles what was appended, when a recovery would have to read much of it record by record: an arbiter that
    /// dies again and again must not leave the next one ever more to read.
    private mutating func flush() throws(StoreError) {
        if state.store.bytesWritten - settledBytes + state.store.recoveredBytes > settleInterval {
            try settle()
        } else {
            try state.flush()
        }
    }

    mutating func settle() throws(StoreError) {
        try state.settle()
        settledBytes = state.store.bytesWritten
    }

    // MARK: Upkeep

    /// Tidies up a little, while there is nothing else to do; false when nothing is left, or nothing can be done.
    public mutating func clean(budget: Int) -> Bool {
        guard !isFailing else { return false }
        var isMore = false
        attempt { keeper throws(StoreError) in isMore = try keeper.state.clean(budget: budget) }
        return isMore && ended == nil
    }

    // MARK: Trouble

    mutating func attempt(_ body: (inout Self) throws(StoreError) -> Void) {
        do throws(StoreError) { try body(&self) } catch { fail(error) }
    }

    /// Somebody else has used the state, as to make a fork: a store that has stopped over it is tried again like after
    /// any error.
    public mutating func followUp() {
        if !isFailing, let error = state.store.stopped { fail(error) }
    }

    mutating func fail(_ error: StoreError) {
        isFailing = true
        guard !isTroubleTold else { return }
        isTroubleTold = true
        reports.append(.trouble(error))
    }

    /// After an error: tries whether the store can be written again.
    ///
    /// - Returns: Whether it still cannot.
    public mutating func retry() -> Bool {
        guard isFailing else { return false }
        do throws(StoreError) {
            try resume()
            try goOn()
            return false
        } catch {
            fail(error)
            return true
        }
    }

    /// Begins again with what is on the disk. What nobody needs goes first, but for a store that was full behind the
    /// segment that shows whether there is room now: each try would else leave less room for the next.
    mutating func resume() throws(StoreError) {
        try state.resume()
        isFailing = false
        try cleanAll()
    }

    mutating func cleanAll() throws(StoreError) {
        while try state.clean(budget: Self.cleaningStep) {}
    }

    private static var cleaningStep: Int { 1 << 20 }

    /// Puts on the disk again what was lost of the round under way. It may be there with its end: then what failed came
    /// after it, and it is not put behind itself.
    private mutating func putRoundAgain() throws(StoreError) {
        if ended.map({ state.time < $0.time }) ?? !state.store.isCheckpointOpen {
            for pages in round { try state.put(pages) }
        }
        if let ended { try finish(ended.time, ended.now) }
    }

    /// The store was resumed: all is as if nothing had failed.
    mutating func goOn() throws(StoreError) {
        try putRoundAgain()
        try state.flush()
        isTroubleTold = false
        reports.append(.trouble(nil))
        keepNewest()
    }
}
