/// What a node tells of one of its transactions, for a history: not on the network, but at its debug port. A page is a
/// key, a digest of its content the value, the commit time that made it the version.
///
/// A head, the reads, the writes, little-endian and without gaps:
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 0 | 1 | 0x54 |
/// | 1 | 1 | 1 committed, 2 aborted |
/// | 2 | 2 | reads |
/// | 4 | 2 | writes |
/// | 6 | 1 | the node's number |
/// | 7 | 1 | 1 when more was touched than is listed |
/// | 8 | 8 | number of the transaction on this node, since recording began |
/// | 16 | 8 | applied time at its end, its own time when it committed |
/// | 24 | 8, 8 | begin and end, nanoseconds of the host's clock (late by the command's way to this node) |
/// | 40 | 20 each | reads: page 4, version 8, digest 8; pages that were only written are among them |
/// | | 12 each | writes: page 4, digest 8 |
public struct TransactionRecord: Equatable, Sendable {
    public static let mark: UInt8 = 0x54
    public static let committed: UInt8 = 1
    public static let aborted: UInt8 = 2
    public static let headBytes = 40

    public var mark = Self.mark
    /// `committed` or `aborted`.
    public var outcome: UInt8
    public var reads: UInt16
    public var writes: UInt16
    public var node: UInt8
    /// 1 when more was touched than is listed.
    public var flags: UInt8
    public var number: UInt64
    public var time: GlobalTime
    public var begin: UInt64
    public var end: UInt64

    public init(
        outcome: UInt8, reads: UInt16, writes: UInt16, node: UInt8, flags: UInt8, number: UInt64, time: GlobalTime,
        begin: UInt64, end: UInt64
    ) {
        self.outcome = outcome
        self.reads = reads
        self.writes = writes
        self.node = node
        self.flags = flags
        self.number = number
        self.time = time
        self.begin = begin
        self.end = end
    }

    /// Of the head and everything that it says will follow.
    public var byteCount: Int {
        Self.headBytes + Int(reads) * TransactionRead.byteCount + Int(writes) * TransactionWrite.byteCount
    }

    /// Gives the head's numbers to `put`, each with its bytes, in their order.
    public func emit(_ put: (UInt64, Int) -> Void) {
        put(UInt64(mark) | UInt64(outcome) << 8 | UInt64(reads) << 16 | UInt64(writes) << 32, 6)
        put(UInt64(node) | UInt64(flags) << 8, 2)
        put(number, 8)
        put(time.raw, 8)
        put(begin, 8)
        put(end, 8)
    }

    /// Takes a head from what `field` gives at an offset, of so many bytes.
    public init(_ field: (Int, Int) -> UInt64) {
        mark = UInt8(truncatingIfNeeded: field(0, 1))
        outcome = UInt8(truncatingIfNeeded: field(1, 1))
        reads = UInt16(truncatingIfNeeded: field(2, 2))
        writes = UInt16(truncatingIfNeeded: field(4, 2))
        node = UInt8(truncatingIfNeeded: field(6, 1))
        flags = UInt8(truncatingIfNeeded: field(7, 1))
        number = field(8, 8)
        time = GlobalTime(raw: field(16, 8))
        begin = field(24, 8)
        end = field(32, 8)
    }
}

/// A page that a transaction touched, as it was when the transaction began.
public struct TransactionRead: Equatable, Sendable {
    public static let byteCount = 20

    public var page: UInt32
    public var version: GlobalTime
    public var digest: UInt64

    public init(page: UInt32, version: GlobalTime, digest: UInt64) {
        self.page = page
        self.version = version
        self.digest = digest
    }

    public func emit(_ put: (UInt64, Int) -> Void) {
        put(UInt64(page), 4)
        put(version.raw, 8)
        put(digest, 8)
    }

    public init(_ field: (Int, Int) -> UInt64) {
        page = UInt32(truncatingIfNeeded: field(0, 4))
        version = GlobalTime(raw: field(4, 8))
        digest = field(12, 8)
    }
}

/// A page as a transaction left it.
public struct TransactionWrite: Equatable, Sendable {
    public static let byteCount = 12

    public var page: UInt32
    public var digest: UInt64

    public init(page: UInt32, digest: UInt64) {
        self.page = page
        self.digest = digest
    }

    public func emit(_ put: (UInt64, Int) -> Void) {
        put(UInt64(page), 4)
        put(digest, 8)
    }

    public init(_ field: (Int, Int) -> UInt64) {
        page = UInt32(truncatingIfNeeded: field(0, 4))
        digest = field(4, 8)
    }
}
