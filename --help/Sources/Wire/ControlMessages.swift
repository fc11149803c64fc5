/// A sign of life that bounds staleness; the header's applied time is the news.
public struct Heartbeat: Message {
    public static let kind = FrameHeader.Kind.heartbeat
    /// The newest saved time the sender knows; from the arbiter it is the announcement.
    public var saved: GlobalTime
    /// The highest token number seen in this epoch: evidence that a grant arrived.
    public var tokenNumber: UInt32
    public var holdsToken: Bool

    public init(saved: GlobalTime, tokenNumber: UInt32, holdsToken: Bool) {
        self.saved = saved
        self.tokenNumber = tokenNumber
        self.holdsToken = holdsToken
    }

    public var byteCount: Int { 16 }
    public func emit(into frame: inout MutableRawSpan) {
        frame.store(saved.raw, at: Payload.at(0))
        frame.store(tokenNumber, at: Payload.at(8))
        frame.store(UInt32(holdsToken ? 1 : 0), at: Payload.at(12))
    }
    public static func parse(_ frame: RawSpan) -> Heartbeat? {
        guard Payload.count(frame) == 16, frame.load(UInt32.self, at: Payload.at(12)) <= 1 else { return nil }
        return Heartbeat(saved: GlobalTime(raw: frame.load(UInt64.self, at: Payload.at(0))),
                         tokenNumber: frame.load(UInt32.self, at: Payload.at(8)),
                         holdsToken: frame.load(UInt32.self, at: Payload.at(12)) == 1)
    }
}

/// Node → arbiter: somebody waits until this time is saved. A hint, which spares a pause between two rounds of saving.
public struct SaveRequest: Message {
    public static let kind = FrameHeader.Kind.saveRequest
    public var time: GlobalTime
    public init(time: GlobalTime) { self.time = time }
    public var byteCount: Int { 8 }
    public func emit(into frame: inout MutableRawSpan) { frame.store(time.raw, at: Payload.at(0)) }
    public static func parse(_ frame: RawSpan) -> SaveRequest? {
        guard Payload.count(frame) == 8 else { return nil }
        return SaveRequest(time: GlobalTime(raw: frame.load(UInt64.self, at: Payload.at(0))))
    }
}

/// A strict read's question to the arbiter, and its answer: a time at or after every commit acknowledged before.
public struct StrictRead: Message {
    public static let kind = FrameHeader.Kind.strictRead
    public var nonce: UInt64
    public init(nonce: UInt64) { self.nonce = nonce }
    public var byteCount: Int { 8 }
    public func emit(into frame: inout MutableRawSpan) { frame.store(nonce, at: Payload.at(0)) }
    public static func parse(_ frame: RawSpan) -> StrictRead? {
        Payload.count(frame) == 8 ? StrictRead(nonce: frame.load(UInt64.self, at: Payload.at(0))) : nil
    }
}

public struct StrictAnswer: Message {
    public static let kind = FrameHeader.Kind.strictAnswer
    public var nonce: UInt64
    public var time: GlobalTime
    public init(nonce: UInt64, time: GlobalTime) {
        self.nonce = nonce
        self.time = time
    }
    public var byteCount: Int { 16 }
    public func emit(into frame: inout MutableRawSpan) {
        frame.store(nonce, at: Payload.at(0))
        frame.store(time.raw, at: Payload.at(8))
    }
    public static func parse(_ frame: RawSpan) -> StrictAnswer? {
        guard Payload.count(frame) == 16 else { return nil }
        return StrictAnswer(nonce: frame.load(UInt64.self, at: Payload.at(0)),
                            time: GlobalTime(raw: frame.load(UInt64.self, at: Payload.at(8))))
    }
}

/// Arbiter → node: do this for the host. Host stations never commit themselves (DESIGN 5).
///
/// `perform` carries a command of the kernel in its stored form as payload; the node performs it as one transaction.
/// Every command is idempotent, so it may be sent again until it is answered.
public struct Command: Message {
    public static let kind = FrameHeader.Kind.command
    public static let headBytes = 24
    public enum Verb: UInt8, Sendable { case perform = 1, powerOff, recordHistory }
    public var identifier: UInt64
    public var verb: Verb
    /// recordHistory: the host's clock in nanoseconds, 0 to stop; else 0.
    public var argument: UInt64
    public var length: UInt16

    public init(identifier: UInt64, verb: Verb, argument: UInt64, length: UInt16) {
        self.identifier = identifier
        self.verb = verb
        self.argument = argument
        self.length = length
    }

    public static let dataOffset = Limits.headerBytes + headBytes
    public var byteCount: Int { Self.headBytes + Int(length) }
    public func emit(into frame: inout MutableRawSpan) {
        frame.store(identifier, at: Payload.at(0))
        frame.store(argument, at: Payload.at(8))
        frame.store(verb.rawValue, at: Payload.at(16))
        frame.store(UInt8(0), at: Payload.at(17))
        frame.store(length, at: Payload.at(18))
        frame.store(UInt32(0), at: Payload.at(20))
    }
    public static func parse(_ frame: RawSpan) -> Command? {
        guard Payload.count(frame) >= headBytes, let verb = Verb(rawValue: frame.load(UInt8.self, at: Payload.at(16)))
        else { return nil }
        let command = Command(identifier: frame.load(UInt64.self, at: Payload.at(0)), verb: verb,
                              argument: frame.load(UInt64.self, at: Payload.at(8)),
                              length: frame.load(UInt16.self, at: Payload.at(18)))
        guard Payload.count(frame) == command.byteCount, Int(command.length) <= Limits.commandBytes else { return nil }
        return command
    }
}

/// Node → arbiter: the command is committed at `time`, or cannot be done.
public struct CommandReply: Message {
    public static let kind = FrameHeader.Kind.commandReply
    public enum Status: UInt8, Sendable { case done = 0, refused }
    public var identifier: UInt64
    public var status: Status
    public var time: GlobalTime

    public init(identifier: UInt64, status: Status, time: GlobalTime) {
        self.identifier = identifier
        self.status = status
        self.time = time
    }

    public var byteCount: Int { 24 }
    public func emit(into frame: inout MutableRawSpan) {
        frame.store(identifier, at: Payload.at(0))
        frame.store(time.raw, at: Payload.at(8))
        frame.store(UInt64(status.rawValue), at: Payload.at(16))
    }
    public static func parse(_ frame: RawSpan) -> CommandReply? {
        guard Payload.count(frame) == 24, let number = UInt8(exactly: frame.load(UInt64.self, at: Payload.at(16))),
            let status = Status(rawValue: number)
        else { return nil }
        return CommandReply(identifier: frame.load(UInt64.self, at: Payload.at(0)), status: status,
                            time: GlobalTime(raw: frame.load(UInt64.self, at: Payload.at(8))))
    }
}

/// What a node counts; it reports these to the arbiter for `plurix status`.
public struct Counters: Equatable, Sendable {
    public var commits: UInt64 = 0
    public var aborts: UInt64 = 0
    public var undone: UInt64 = 0
    public var pagesFetched: UInt64 = 0
    public var pagesServed: UInt64 = 0
    public var pageRequests: UInt64 = 0
    public var framesSent: UInt64 = 0
    public var framesReceived: UInt64 = 0
    public var framesRejected: UInt64 = 0
    public var framesUnauthentic: UInt64 = 0
    public var catchUps: UInt64 = 0
    public var evictions: UInt64 = 0
    /// Nanoseconds of guest time from the entry point until the own entry in the node table was committed.
    public var joinNanoseconds: UInt64 = 0
    public var joinPageRequests: UInt64 = 0
    public init() {}
}

/// Node → arbiter: the counters, and whether the node's entry in the node table is committed.
public struct Report: Message {
    public static let kind = FrameHeader.Kind.report
    public var counters: Counters
    public var isReady: Bool

    public init(counters: Counters, isReady: Bool) {
        self.counters = counters
        self.isReady = isReady
    }

    public var byteCount: Int { 15 * 8 }
    public func emit(into frame: inout MutableRawSpan) {
        frame.store(counters.commits, at: Payload.at(0))
        frame.store(counters.aborts, at: Payload.at(8))
        frame.store(counters.undone, at: Payload.at(16))
        frame.store(counters.pagesFetched, at: Payload.at(24))
        frame.store(counters.pagesServed, at: Payload.at(32))
        frame.store(counters.pageRequests, at: Payload.at(40))
        frame.store(counters.framesSent, at: Payload.at(48))
        frame.store(counters.framesReceived, at: Payload.at(56))
        frame.store(counters.framesRejected, at: Payload.at(64))
        frame.store(counters.framesUnauthentic, at: Payload.at(72))
        frame.store(counters.catchUps, at: Payload.at(80))
        frame.store(counters.evictions, at: Payload.at(88))
        frame.store(counters.joinNanoseconds, at: Payload.at(96))
        frame.store(counters.joinPageRequests, at: Payload.at(104))
        frame.store(UInt64(isReady ? 1 : 0), at: Payload.at(112))
    }
    public static func parse(_ frame: RawSpan) -> Report? {
        guard Payload.count(frame) == 15 * 8, frame.load(UInt64.self, at: Payload.at(112)) <= 1 else { return nil }
        var counters = Counters()
        counters.commits = frame.load(UInt64.self, at: Payload.at(0))
        counters.aborts = frame.load(UInt64.self, at: Payload.at(8))
        counters.undone = frame.load(UInt64.self, at: Payload.at(16))
        counters.pagesFetched = frame.load(UInt64.self, at: Payload.at(24))
        counters.pagesServed = frame.load(UInt64.self, at: Payload.at(32))
        counters.pageRequests = frame.load(UInt64.self, at: Payload.at(40))
        counters.framesSent = frame.load(UInt64.self, at: Payload.at(48))
        counters.framesReceived = frame.load(UInt64.self, at: Payload.at(56))
        counters.framesRejected = frame.load(UInt64.self, at: Payload.at(64))
        counters.framesUnauthentic = frame.load(UInt64.self, at: Payload.at(72))
        counters.catchUps = frame.load(UInt64.self, at: Payload.at(80))
        counters.evictions = frame.load(UInt64.self, at: Payload.at(88))
        counters.joinNanoseconds = frame.load(UInt64.self, at: Payload.at(96))
        counters.joinPageRequests = frame.load(UInt64.self, at: Payload.at(104))
        return Report(counters: counters, isReady: frame.load(UInt64.self, at: Payload.at(112)) == 1)
    }
}
