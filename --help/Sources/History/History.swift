import Wire

/// What happened in a cluster from one saved state to another, as far as it was recorded.
public struct History: Equatable, Sendable {
    /// In the order in which they began in the file. Transactions of one node are in that node's order.
    public var transactions: [Transaction] = []
    public var openings: Openings
    /// Times up to which nothing can be undone any more, in the order in which they were told. The first is where the
    /// history starts: commits up to there may be missing from it. The last is where it ends.
    public var saved: [Saved]
    /// When recording began and ended, nanoseconds of the host's clock.
    public var beginNanoseconds: UInt64
    public var endNanoseconds: UInt64
    /// How far the clocks of two nodes may be apart, nanoseconds.
    public var clockError: UInt64

    public init(
        start: GlobalTime = .zero, openings: Openings = Openings(), beginNanoseconds: UInt64 = 0,
        endNanoseconds: UInt64 = 0, clockError: UInt64 = 0
    ) {
        saved = [Saved(start, at: beginNanoseconds)]
        self.openings = openings
        self.beginNanoseconds = beginNanoseconds
        self.endNanoseconds = endNanoseconds
        self.clockError = clockError
    }

    /// Commits up to this time may be missing.
    public var start: GlobalTime { saved.first?.time ?? .zero }

    /// The same history with some of the transactions only.
    func restricted(to chosen: [Int]) -> History {
        var history = self
        history.transactions = chosen.sorted().map { transactions[$0] }
        return history
    }
}

/// A time up to which nothing can be undone any more, and when that was told, nanoseconds of the host's clock.
public struct Saved: Equatable, Sendable {
    public var time: GlobalTime
    public var nanoseconds: UInt64

    public init(_ time: GlobalTime, at nanoseconds: UInt64) {
        self.time = time
        self.nanoseconds = nanoseconds
    }
}

/// An epoch that was opened at an older commit: what came after that commit is undone.
public struct Opening: Equatable, Sendable {
    /// The newest commit that stays.
    public var stays: GlobalTime
    /// The new epoch with the counter of `stays`: its first commit is the next one. Times after `stays`, up to this
    /// one, are undone.
    public var begins: GlobalTime

    public init(stays: GlobalTime, begins: GlobalTime) {
        self.stays = stays
        self.begins = begins
    }

    public init(epoch: UInt32, stays: GlobalTime) {
        self.init(stays: stays, begins: GlobalTime(epoch: epoch, counter: stays.counter))
    }

    func undoes(_ time: GlobalTime) -> Bool { stays < time && time <= begins }
}

/// All openings: they make the commits a tree with one branch that stays.
public struct Openings: Equatable, Sendable {
    /// By the epochs that they open, ascending.
    public private(set) var list: [Opening] = []

    public init() {}

    /// - Precondition: it opens a later epoch than all before.
    public mutating func append(_ opening: Opening) {
        precondition(list.last.map { $0.begins.epoch < opening.begins.epoch } ?? true, "epochs open in their order")
        list.append(opening)
    }

    /// Whether some epoch has undone what was committed at this time.
    public func undo(_ time: GlobalTime) -> Bool { list.contains { $0.undoes(time) } }

    /// The first opening that separates an older commit from the branch that leads to `tip`.
    func cut(_ time: GlobalTime, from tip: GlobalTime) -> Opening? {
        list.first { $0.undoes(time) && tip > $0.begins }
    }

    /// Whether the commit is part of the history that leads to `tip`.
    func isBefore(_ time: GlobalTime, orAt tip: GlobalTime) -> Bool { time <= tip && cut(time, from: tip) == nil }
}
