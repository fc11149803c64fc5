import Wire

/// Makes frames that a station of the cluster could have sent, or that only a broken one could: the fields are what the
/// receiver expects, near it, or anything.
struct FrameForge {
    static let cluster: UInt64 = 0xC1
    static let build = BuildIdentifier(low: 1, high: 2)

    /// What a well-behaved sender would know of the receiver.
    var receiver = Station(1)
    var incarnation: UInt32 = 1
    var epoch: UInt32 = 1
    var applied = GlobalTime.zero
    var saved = GlobalTime.zero
    var sharedPages = 48
    var maximumFrameBytes = Limits.standardFrameBytes
    /// The requests that the receiver has sent last, newest first.
    var requests: [PageRequest] = []
    var joinNonce: UInt64 = 0
    var challenge: UInt64 = 0
    var strictNonce: UInt64 = 0
    private var sequence: UInt64 = 0

    /// A whole frame with a valid tag.
    mutating func frame(_ kind: FrameHeader.Kind, from sender: Station, incarnation: UInt32,
                        _ input: inout Input) -> [UInt8] {
        var payload = payload(kind, &input)
        payload.disturb(&input, most: 2)
        if input.byte() > 240 { payload = Array(payload.prefix(input.below(64))) }
        return frame(kind, from: sender, incarnation: incarnation, payload, &input)
    }

    mutating func frame(_ kind: FrameHeader.Kind, from sender: Station, incarnation: UInt32, _ payload: [UInt8],
                        _ input: inout Input) -> [UInt8] {
        sequence += 1
        let what = input.byte()
        let longest = kind == .pageTrain ? Limits.trainFrameBytes : maximumFrameBytes
        let header = FrameHeader(
            kind: kind, sender: sender, target: what & 1 == 0 ? receiver : .everyone,
            payloadBytes: min(payload.count, longest - Limits.headerBytes),
            epoch: what & 6 == 6 ? epoch(&input) : epoch, incarnation: incarnation, cluster: Self.cluster,
            sequence: sequence, applied: what & 24 == 24 ? time(&input) : applied)
        var frame = [UInt8](repeating: 0, count: Limits.headerBytes) + payload.prefix(header.payloadBytes)
        frame.write { header.emit(into: &$0, key: Target.frameKey) }
        return frame
    }

    // MARK: Fields

    func time(_ input: inout Input) -> GlobalTime {
        switch input.below(10) {
        case 0, 1: return after(1)
        case 2: return applied
        case 3: return after(UInt64(input.byte()))
        case 4: return saved
        case 5: return .zero
        case 6: return GlobalTime(raw: applied.raw > 0 ? applied.raw - 1 : 0)
        case 7: return GlobalTime(raw: input.number())
        case 8: return GlobalTime(raw: .max)
        default: return GlobalTime(raw: UInt64(epoch(&input)) << Limits.counterBits | UInt64(input.byte()))
        }
    }

    /// The time of a commit in the receiver's epoch.
    private func after(_ distance: UInt64) -> GlobalTime {
        GlobalTime(raw: UInt64(epoch) << Limits.counterBits | min(applied.counter + distance, Limits.maximumCounter))
    }

    func epoch(_ input: inout Input) -> UInt32 {
        switch input.below(6) {
        case 0: epoch
        case 1, 2: min(epoch + 1, Limits.maximumEpoch)
        case 3: min(epoch + UInt32(input.byte()), Limits.maximumEpoch)
        case 4: epoch > 0 ? epoch - 1 : 0
        default: input.number(UInt32.self) & Limits.maximumEpoch
        }
    }

    func page(_ input: inout Input) -> PageNumber {
        let number = input.byte()
        return PageNumber(number == 0xFF ? input.number() : UInt32(number) % UInt32(sharedPages + 1))
    }

    func station(_ input: inout Input) -> Station {
        [receiver, Station(1), Station(2), Station(3), Station(64), .arbiter, .nobody, .everyone][input.below(8)]
    }

    func incarnation(_ input: inout Input) -> UInt32 {
        let number = input.byte()
        return number < 0xF0 ? incarnation &+ UInt32(number & 1) : input.number()
    }

    func tokenNumber(_ input: inout Input) -> UInt32 {
        let number = input.byte()
        return number < 0xF0 ? UInt32(number) : .max - UInt32(number & 7)
    }

    func nonce(_ known: UInt64, _ input: inout Input) -> UInt64 { input.byte() < 0xF0 ? known : input.number() }
}
