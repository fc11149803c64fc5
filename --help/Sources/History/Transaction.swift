import Wire

/// A content that a transaction read.
public struct Read: Equatable, Sendable {
    public var key: UInt32
    public var value: UInt64
    /// The commit that made the content; zero for what nobody has written.
    public var version: GlobalTime

    public init(key: UInt32, value: UInt64, version: GlobalTime) {
        self.key = key
        self.value = value
        self.version = version
    }
}

/// A content that a transaction made. Its version is the transaction's commit time.
public struct Write: Equatable, Sendable {
    public var key: UInt32
    public var value: UInt64

    public init(key: UInt32, value: UInt64) {
        self.key = key
        self.value = value
    }
}

/// A transaction as a history tells it.
public struct Transaction: Equatable, Sendable {
    public enum Outcome: Equatable, Sendable {
        /// At this time; with no writes, its reads are the state at this time.
        case committed(GlobalTime)
        case aborted
        /// Its node died: it may have committed once, with any writes.
        case unknown
    }

    /// Unique in its history.
    public var name: String
    /// A node's name; another one for each of its lives.
    public var node: String
    /// Nanoseconds of the host's clock.
    public var begin: UInt64
    /// Nanoseconds of the host's clock; when the commit was acknowledged. `begin` when it is not known.
    public var end: UInt64
    public var outcome: Outcome
    public var reads: [Read] = []
    public var writes: [Write] = []
    /// More was read than `reads` lists.
    public var hasUnlistedReads = false
    /// More was written than `writes` lists.
    public var hasUnlistedWrites = false
    /// The history names it as undone.
    public var isNamedUndone = false

    public init(name: String, node: String, begin: UInt64, end: UInt64, outcome: Outcome) {
        self.name = name
        self.node = node
        self.begin = begin
        self.end = end
        self.outcome = outcome
    }

    /// Nil unless it committed.
    public var commitTime: GlobalTime? {
        if case .committed(let time) = outcome { time } else { nil }
    }

    public var isWriter: Bool { !writes.isEmpty || hasUnlistedWrites }
}

extension GlobalTime {
    /// As histories write it: epoch, dot, counter.
    public var text: String { "\(epoch).\(counter)" }
}
