/// Arbiter → everyone: promise to stand still for epoch `epoch`, and say what you hold (PROTOCOL 4).
public struct Poll: Message {
    public static let kind = FrameHeader.Kind.poll
    /// The epoch that shall be opened, never polled for before.
    public var epoch: UInt32
    /// Versions up to here need not be named: the arbiter has them.
    public var saved: GlobalTime

    public init(epoch: UInt32, saved: GlobalTime) {
        self.epoch = epoch
        self.saved = saved
    }

    public var byteCount: Int { 16 }
    public func emit(into frame: inout MutableRawSpan) {
        frame.store(UInt64(epoch), at: Payload.at(0))
        frame.store(saved.raw, at: Payload.at(8))
    }
    public static func parse(_ frame: RawSpan) -> Poll? {
        guard Payload.count(frame) == 16, let epoch = UInt32(exactly: frame.load(UInt64.self, at: Payload.at(0))),
            epoch <= Limits.maximumEpoch
        else { return nil }
        return Poll(epoch: epoch, saved: GlobalTime(raw: frame.load(UInt64.self, at: Payload.at(8))))
    }
}

/// A page version that a station can produce.
public struct Holding: Equatable, Sendable {
    public static let bytes = 12
    public var page: PageNumber
    public var version: GlobalTime

    public init(page: PageNumber, version: GlobalTime) {
        self.page = page
        self.version = version
    }
}

/// Node → arbiter: the promise, the applied time, and a piece of the list of unsaved page versions held here.
public struct PollAnswer: Message {
    public static let kind = FrameHeader.Kind.pollAnswer
    public static let headBytes = 24
    /// Holdings in one frame: 72 + 24 + 12 × 112 ≤ 1514.
    public static let maximumHoldings = 112
    public var epoch: UInt32
    public var applied: GlobalTime
    public var index: UInt16
    public var count: UInt16
    public var holdings: UInt16

    public init(epoch: UInt32, applied: GlobalTime, index: UInt16, count: UInt16, holdings: UInt16) {
        self.epoch = epoch
        self.applied = applied
        self.index = index
        self.count = count
        self.holdings = holdings
    }

    public var byteCount: Int { Self.headBytes + Holding.bytes * Int(holdings) }
    public func emit(into frame: inout MutableRawSpan) {
        frame.store(epoch, at: Payload.at(0))
        frame.store(index, at: Payload.at(4))
        frame.store(count, at: Payload.at(6))
        frame.store(applied.raw, at: Payload.at(8))
        frame.store(holdings, at: Payload.at(16))
        frame.store(UInt16(0), at: Payload.at(18))
        frame.store(UInt32(0), at: Payload.at(20))
    }
    public static func parse(_ frame: RawSpan) -> PollAnswer? {
        guard Payload.count(frame) >= headBytes else { return nil }
        let answer = PollAnswer(
            epoch: frame.load(UInt32.self, at: Payload.at(0)),
            applied: GlobalTime(raw: frame.load(UInt64.self, at: Payload.at(8))),
            index: frame.load(UInt16.self, at: Payload.at(4)), count: frame.load(UInt16.self, at: Payload.at(6)),
            holdings: frame.load(UInt16.self, at: Payload.at(16)))
        guard Payload.count(frame) == answer.byteCount, answer.index < answer.count,
            Int(answer.holdings) <= maximumHoldings
        else { return nil }
        return answer
    }

    public static func store(_ holding: Holding, at place: Int, into frame: inout MutableRawSpan) {
        frame.store(holding.page.index, at: Payload.at(headBytes + Holding.bytes * place))
        frame.store(holding.version.raw, at: Payload.at(headBytes + Holding.bytes * place + 4))
    }
    public static func holding(at place: Int, of frame: RawSpan) -> Holding {
        let offset = Payload.at(headBytes + Holding.bytes * place)
        return Holding(page: PageNumber(frame.load(UInt32.self, at: offset)),
                       version: GlobalTime(raw: frame.load(UInt64.self, at: offset + 4)))
    }
}

/// One epoch of the chain and the time at which it was opened: later commits of its parent are undone.
public struct EpochRecord: Equatable, Sendable {
    public var epoch: UInt32
    public var opened: GlobalTime
    public init(epoch: UInt32, opened: GlobalTime) {
        self.epoch = epoch
        self.opened = opened
    }
}

/// Arbiter → everyone: the newest epoch, with the chain of those before it (PROTOCOL 5).
public struct Open: Message {
    public static let kind = FrameHeader.Kind.open
    public static let headBytes = 24
    public var saved: GlobalTime
    /// Who gets token number 1 of this epoch, and in which incarnation.
    public var grantee: Station
    public var granteeIncarnation: UInt32
    /// Entries of the chain, newest first, at most 64.
    public var count: UInt16

    public init(saved: GlobalTime, grantee: Station, granteeIncarnation: UInt32, count: UInt16) {
        self.saved = saved
        self.grantee = grantee
        self.granteeIncarnation = granteeIncarnation
        self.count = count
    }

    public var byteCount: Int { Self.headBytes + 12 * Int(count) }
    public func emit(into frame: inout MutableRawSpan) {
        frame.store(saved.raw, at: Payload.at(0))
        frame.store(granteeIncarnation, at: Payload.at(8))
        frame.store(grantee.number, at: Payload.at(12))
        frame.store(UInt8(0), at: Payload.at(13))
        frame.store(count, at: Payload.at(14))
        frame.store(UInt64(0), at: Payload.at(16))
    }
    public static func parse(_ frame: RawSpan) -> Open? {
        guard Payload.count(frame) >= headBytes else { return nil }
        let open = Open(saved: GlobalTime(raw: frame.load(UInt64.self, at: Payload.at(0))),
                        grantee: Station(frame.load(UInt8.self, at: Payload.at(12))),
                        granteeIncarnation: frame.load(UInt32.self, at: Payload.at(8)),
                        count: frame.load(UInt16.self, at: Payload.at(14)))
        guard open.count >= 1, Int(open.count) <= Limits.maximumChain, Payload.count(frame) == open.byteCount
        else { return nil }
        for place in 0..<Int(open.count) {
            let record = record(at: place, of: frame)
            // An epoch opens at a commit of an earlier one; only later ones stand before it.
            guard record.opened.epoch < record.epoch,
                place == 0 || record.epoch < Self.record(at: place - 1, of: frame).epoch
            else { return nil }
        }
        let epoch = record(at: 0, of: frame).epoch
        return epoch <= Limits.maximumEpoch && open.saved.epoch <= epoch ? open : nil
    }

    public static func store(_ record: EpochRecord, at place: Int, into frame: inout MutableRawSpan) {
        frame.store(record.epoch, at: Payload.at(headBytes + 12 * place))
        frame.store(record.opened.raw, at: Payload.at(headBytes + 12 * place + 4))
    }
    public static func record(at place: Int, of frame: RawSpan) -> EpochRecord {
        let offset = Payload.at(headBytes + 12 * place)
        return EpochRecord(epoch: frame.load(UInt32.self, at: offset),
                           opened: GlobalTime(raw: frame.load(UInt64.self, at: offset + 4)))
    }
}

/// Node → arbiter: I saw a later epoch than mine; tell me.
public struct EpochQuestion: Message {
    public static let kind = FrameHeader.Kind.epochQuestion
    public init() {}
    public var byteCount: Int { 0 }
    public func emit(into frame: inout MutableRawSpan) {}
    public static func parse(_ frame: RawSpan) -> EpochQuestion? {
        Payload.count(frame) == 0 ? EpochQuestion() : nil
    }
}
