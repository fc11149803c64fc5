/// The frozen header of every frame of the protocol. Offsets count from the start of the Ethernet frame.
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 0 | 6 | destination address |
/// | 6 | 6 | source address |
/// | 12 | 2 | Ethertype, big-endian: 0x88B5 (local experimental) |
/// | 14 | 2 | alignment, zero |
/// | 16 | 1 | format version |
/// | 17 | 1 | kind of message |
/// | 18 | 1 | sending station |
/// | 19 | 1 | target station, 0xFF for everyone |
/// | 20 | 2 | payload bytes |
/// | 22 | 2 | reserved, zero |
/// | 24 | 4 | epoch of the sender |
/// | 28 | 4 | incarnation of the sender, 0 before it was admitted |
/// | 32 | 8 | cluster |
/// | 40 | 8 | sequence number of the sender's incarnation |
/// | 48 | 8 | sender's applied global time (never a time it only heard of) |
/// | 56 | 16 | tag over bytes 16…55 and the payload (`FrameKey`) |
/// | 72 | | payload |
public struct FrameHeader: Equatable, Sendable {
    public static let version: UInt8 = 1
    public static let etherType: UInt16 = 0x88B5

    public var kind: Kind
    public var sender: Station
    public var target: Station
    public var payloadBytes: Int
    public var epoch: UInt32
    public var incarnation: UInt32
    public var cluster: UInt64
    public var sequence: UInt64
    public var applied: GlobalTime

    public init(kind: Kind, sender: Station, target: Station, payloadBytes: Int, epoch: UInt32, incarnation: UInt32,
                cluster: UInt64, sequence: UInt64, applied: GlobalTime) {
        self.kind = kind
        self.sender = sender
        self.target = target
        self.payloadBytes = payloadBytes
        self.epoch = epoch
        self.incarnation = incarnation
        self.cluster = cluster
        self.sequence = sequence
        self.applied = applied
    }

    /// Why bytes are not a frame of this protocol.
    public enum Fault: Error, Equatable, Sendable { case truncated, foreign, version, kind, length, reserved }

    /// Reads the header and checks every field that can be checked without a key or a state.
    public static func parse(_ frame: RawSpan) throws(Fault) -> FrameHeader {
        guard frame.byteCount >= Limits.headerBytes else { throw .truncated }
        guard frame.load(UInt16.self, at: 12).byteSwapped == etherType else { throw .foreign }
        guard frame.load(UInt8.self, at: 16) == version else { throw .version }
        guard let kind = Kind(rawValue: frame.load(UInt8.self, at: 17)) else { throw .kind }
        guard frame.load(UInt16.self, at: 14) == 0, frame.load(UInt16.self, at: 22) == 0 else { throw .reserved }
        let payload = Int(frame.load(UInt16.self, at: 20))
        let longest = kind == .pageTrain ? Limits.trainFrameBytes : Limits.maximumFrameBytes
        guard Limits.headerBytes + payload == frame.byteCount, frame.byteCount <= longest else { throw .length }
        let time = GlobalTime(raw: frame.load(UInt64.self, at: 48))
        let epoch = frame.load(UInt32.self, at: 24)
        guard epoch <= Limits.maximumEpoch else { throw .reserved }
        return FrameHeader(
            kind: kind, sender: Station(frame.load(UInt8.self, at: 18)),
            target: Station(frame.load(UInt8.self, at: 19)),
            payloadBytes: payload, epoch: epoch, incarnation: frame.load(UInt32.self, at: 28),
            cluster: frame.load(UInt64.self, at: 32), sequence: frame.load(UInt64.self, at: 40), applied: time)
    }

    /// Writes the header; the payload must be in place already, because the tag covers it.
    public func emit(into frame: inout MutableRawSpan, key: FrameKey) {
        emitFields(into: &frame)
        Self.store(key.tag(of: frame.bytes), in: &frame)
    }

    static func store(_ tag: SipHash.Tag, in frame: inout MutableRawSpan) {
        frame.store(tag.low, at: 56)
        frame.store(tag.high, at: 64)
    }

    /// Writes all but the tag.
    func emitFields(into frame: inout MutableRawSpan) {
        precondition(frame.byteCount == Limits.headerBytes + payloadBytes, "payload does not fill the frame")
        let to = target.address
        let from = sender.address
        frame.store(UInt16(truncatingIfNeeded: to >> 32).byteSwapped, at: 0)
        frame.store(UInt32(truncatingIfNeeded: to).byteSwapped, at: 2)
        frame.store(UInt16(truncatingIfNeeded: from >> 32).byteSwapped, at: 6)
        frame.store(UInt32(truncatingIfNeeded: from).byteSwapped, at: 8)
        frame.store(Self.etherType.byteSwapped, at: 12)
        frame.store(UInt16(0), at: 14)
        frame.store(Self.version, at: 16)
        frame.store(kind.rawValue, at: 17)
        frame.store(sender.number, at: 18)
        frame.store(target.number, at: 19)
        frame.store(UInt16(payloadBytes), at: 20)
        frame.store(UInt16(0), at: 22)
        frame.store(epoch, at: 24)
        frame.store(incarnation, at: 28)
        frame.store(cluster, at: 32)
        frame.store(sequence, at: 40)
        frame.store(applied.raw, at: 48)
    }

    /// Whether the frame carries the tag that the key gives. Compared without an early exit.
    public static func isAuthentic(_ frame: RawSpan, key: FrameKey) -> Bool {
        let tag = key.tag(of: frame)
        return (tag.low ^ frame.load(UInt64.self, at: 56)) | (tag.high ^ frame.load(UInt64.self, at: 64)) == 0
    }

    /// Every kind of message, with its number on the wire.
    public enum Kind: UInt8, Sendable, CaseIterable {
        case joinRequest = 1, joinChallenge, joinAnswer, joinAccept, joinRefusal
        case heartbeat = 16
        case pageRequest = 32, pageReply, pageAbsent, pageTrain
        case tokenRequest = 48, tokenGrant
        case commit = 64, recordRequest, recordReply, missing
        case poll = 80, pollAnswer, open, epochQuestion
        case strictRead = 96, strictAnswer, saveRequest
        case command = 112, commandReply, report
    }
}
