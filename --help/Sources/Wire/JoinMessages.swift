// How a node comes in. Four frames: request, challenge, answer, accept (or a refusal with its reason). The nonce is the
// joiner's and lives as long as its boot; the challenge is the arbiter's, so a replayed request admits nobody.

/// Node → arbiter: a booted node wants in.
public struct JoinRequest: Message {
    public static let kind = FrameHeader.Kind.joinRequest
    public var nonce: UInt64
    public var build: BuildIdentifier

    public init(nonce: UInt64, build: BuildIdentifier) {
        self.nonce = nonce
        self.build = build
    }

    public var byteCount: Int { 24 }
    public func emit(into frame: inout MutableRawSpan) {
        frame.store(nonce, at: Payload.at(0))
        frame.store(build.low, at: Payload.at(8))
        frame.store(build.high, at: Payload.at(16))
    }
    public static func parse(_ frame: RawSpan) -> JoinRequest? {
        guard Payload.count(frame) == 24 else { return nil }
        let build = BuildIdentifier(low: frame.load(UInt64.self, at: Payload.at(8)),
                                    high: frame.load(UInt64.self, at: Payload.at(16)))
        return JoinRequest(nonce: frame.load(UInt64.self, at: Payload.at(0)), build: build)
    }
}

/// Arbiter → node: prove that you are there now.
public struct JoinChallenge: Message {
    public static let kind = FrameHeader.Kind.joinChallenge
    public var nonce: UInt64
    public var challenge: UInt64

    public init(nonce: UInt64, challenge: UInt64) {
        self.nonce = nonce
        self.challenge = challenge
    }

    public var byteCount: Int { 16 }
    public func emit(into frame: inout MutableRawSpan) {
        frame.store(nonce, at: Payload.at(0))
        frame.store(challenge, at: Payload.at(8))
    }
    public static func parse(_ frame: RawSpan) -> JoinChallenge? {
        guard Payload.count(frame) == 16 else { return nil }
        return JoinChallenge(nonce: frame.load(UInt64.self, at: Payload.at(0)),
                             challenge: frame.load(UInt64.self, at: Payload.at(8)))
    }
}

/// Node → arbiter: the challenge given back.
public struct JoinAnswer: Message {
    public static let kind = FrameHeader.Kind.joinAnswer
    public var nonce: UInt64
    public var challenge: UInt64
    public var build: BuildIdentifier

    public init(nonce: UInt64, challenge: UInt64, build: BuildIdentifier) {
        self.nonce = nonce
        self.challenge = challenge
        self.build = build
    }

    public var byteCount: Int { 32 }
    public func emit(into frame: inout MutableRawSpan) {
        frame.store(nonce, at: Payload.at(0))
        frame.store(challenge, at: Payload.at(8))
        frame.store(build.low, at: Payload.at(16))
        frame.store(build.high, at: Payload.at(24))
    }
    public static func parse(_ frame: RawSpan) -> JoinAnswer? {
        guard Payload.count(frame) == 32 else { return nil }
        let build = BuildIdentifier(low: frame.load(UInt64.self, at: Payload.at(16)),
                                    high: frame.load(UInt64.self, at: Payload.at(24)))
        return JoinAnswer(nonce: frame.load(UInt64.self, at: Payload.at(0)),
                          challenge: frame.load(UInt64.self, at: Payload.at(8)), build: build)
    }
}

/// Arbiter → node: you are in, and this is where the cluster stands.
public struct JoinAccept: Message {
    public static let kind = FrameHeader.Kind.joinAccept
    public var nonce: UInt64
    /// The node's new incarnation, never issued before.
    public var incarnation: UInt32
    public var epoch: UInt32
    /// The global time at which the node, holding no pages, is consistent.
    public var applied: GlobalTime
    public var saved: GlobalTime
    /// Pages of the shared memory.
    public var sharedPages: UInt32
    /// Who probably has the token, or nobody.
    public var tokenHolder: Station
    /// Number of the token that comes with this frame; 0 when none does.
    public var tokenNumber: UInt32
    /// Whether this node makes a new heap: nothing was ever committed.
    public var isPrimary: Bool

    public init(nonce: UInt64, incarnation: UInt32, epoch: UInt32, applied: GlobalTime, saved: GlobalTime,
                sharedPages: UInt32, tokenHolder: Station, tokenNumber: UInt32, isPrimary: Bool) {
        self.nonce = nonce
        self.incarnation = incarnation
        self.epoch = epoch
        self.applied = applied
        self.saved = saved
        self.sharedPages = sharedPages
        self.tokenHolder = tokenHolder
        self.tokenNumber = tokenNumber
        self.isPrimary = isPrimary
    }

    public var byteCount: Int { 48 }
    public func emit(into frame: inout MutableRawSpan) {
        frame.store(nonce, at: Payload.at(0))
        frame.store(incarnation, at: Payload.at(8))
        frame.store(epoch, at: Payload.at(12))
        frame.store(applied.raw, at: Payload.at(16))
        frame.store(saved.raw, at: Payload.at(24))
        frame.store(sharedPages, at: Payload.at(32))
        frame.store(tokenNumber, at: Payload.at(36))
        frame.store(tokenHolder.number, at: Payload.at(40))
        frame.store(UInt8(isPrimary ? 1 : 0), at: Payload.at(41))
        frame.store(UInt16(0), at: Payload.at(42))
        frame.store(UInt32(0), at: Payload.at(44))
    }
    public static func parse(_ frame: RawSpan) -> JoinAccept? {
        guard Payload.count(frame) == 48, frame.load(UInt8.self, at: Payload.at(41)) <= 1,
            frame.load(UInt32.self, at: Payload.at(12)) <= Limits.maximumEpoch
        else { return nil }
        let accept = JoinAccept(
            nonce: frame.load(UInt64.self, at: Payload.at(0)), incarnation: frame.load(UInt32.self, at: Payload.at(8)),
            epoch: frame.load(UInt32.self, at: Payload.at(12)),
            applied: GlobalTime(raw: frame.load(UInt64.self, at: Payload.at(16))),
            saved: GlobalTime(raw: frame.load(UInt64.self, at: Payload.at(24))),
            sharedPages: frame.load(UInt32.self, at: Payload.at(32)),
            tokenHolder: Station(frame.load(UInt8.self, at: Payload.at(40))),
            tokenNumber: frame.load(UInt32.self, at: Payload.at(36)),
            isPrimary: frame.load(UInt8.self, at: Payload.at(41)) == 1)
        return accept.saved <= accept.applied && accept.applied.epoch <= accept.epoch ? accept : nil
    }
}

/// Arbiter → node: you are not let in.
public struct JoinRefusal: Message {
    public static let kind = FrameHeader.Kind.joinRefusal
    public enum Reason: UInt8, Sendable { case build = 1, full, removed }
    public var nonce: UInt64
    public var reason: Reason
    /// The build that the cluster runs.
    public var build: BuildIdentifier

    public init(nonce: UInt64, reason: Reason, build: BuildIdentifier) {
        self.nonce = nonce
        self.reason = reason
        self.build = build
    }

    public var byteCount: Int { 32 }
    public func emit(into frame: inout MutableRawSpan) {
        frame.store(nonce, at: Payload.at(0))
        frame.store(build.low, at: Payload.at(8))
        frame.store(build.high, at: Payload.at(16))
        frame.store(UInt64(reason.rawValue), at: Payload.at(24))
    }
    public static func parse(_ frame: RawSpan) -> JoinRefusal? {
        guard Payload.count(frame) == 32,
            let number = UInt8(exactly: frame.load(UInt64.self, at: Payload.at(24))),
            let reason = Reason(rawValue: number)
        else { return nil }
        let build = BuildIdentifier(low: frame.load(UInt64.self, at: Payload.at(8)),
                                    high: frame.load(UInt64.self, at: Payload.at(16)))
        return JoinRefusal(nonce: frame.load(UInt64.self, at: Payload.at(0)), reason: reason, build: build)
    }
}
