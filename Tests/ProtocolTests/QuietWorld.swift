import Wire

@testable import Protocol

/// A node's world in which everything is there and nothing is kept, for single events of a core.
struct QuietWorld: NodeWorld, ArbiterWorld {
    let maximumFrameBytes = Limits.standardFrameBytes
    private(set) var sent: [[UInt8]] = []

    mutating func transmit(_ byteCount: Int, _ fill: (inout MutableRawSpan) -> Void) -> Bool {
        sent.append(written(byteCount, fill))
        return true
    }
    mutating func transmit(_ byteCount: Int, _ content: PageContent, at target: Int,
                           _ fill: (inout MutableRawSpan) -> Void) -> Bool { transmit(byteCount, fill) }

    func isAccessed(_ page: PageNumber) -> Bool { false }
    mutating func doom() {}
    mutating func stage(for page: PageNumber) -> FrameHandle? { FrameHandle(0) }
    mutating func stage() -> FrameHandle { FrameHandle(0) }
    mutating func fill(_ handle: FrameHandle, at offset: Int, with bytes: RawSpan, from start: Int, count: Int) {}
    mutating func clear(_ handle: FrameHandle, at offset: Int, count: Int) {}
    mutating func install(_ handle: FrameHandle, as page: PageNumber) {}
    mutating func discard(_ handle: FrameHandle) {}
    mutating func drop(_ page: PageNumber) {}
    mutating func retain(_ page: PageNumber) -> FrameHandle { FrameHandle(0) }
    mutating func publish(_ page: PageNumber) -> FrameHandle { FrameHandle(0) }
    mutating func accept(_ command: Command, from frame: RawSpan) {}
    mutating func rollback(to time: GlobalTime) {}
    mutating func record(_ event: ProtocolEvent) {}

    mutating func gathered(_ page: SavedPage) {}
    mutating func abandonSave() {}
    mutating func save(_ time: GlobalTime, _ pages: [SavedPage]) -> Bool { true }
    mutating func persist(_ fact: ArbiterFact) {}
    mutating func randomNumber() -> UInt64 { 4 }
    mutating func accept(_ reply: CommandReply, from node: Station) {}
    mutating func accept(_ report: Report, from node: Station) {}
    mutating func notify(_ notice: ArbiterNotice) {}

    /// The kinds of what was sent.
    var kinds: [FrameHeader.Kind] { sent.compactMap { FrameHeader.Kind(rawValue: $0[17]) } }
}

/// The bytes of a frame.
func written(_ byteCount: Int, _ fill: (inout MutableRawSpan) -> Void) -> [UInt8] {
    var frame = [UInt8](repeating: 0, count: byteCount)
    var span = frame.mutableSpan
    var raw = span.mutableBytes
    fill(&raw)
    return frame
}

/// A station that signs what it is told to.
struct Sender {
    static let cluster: UInt64 = 0xC1
    static let key = SipHash.Key(low: 1, high: 2)
    static let frameKey = FrameKey(key)
    static let build = BuildIdentifier(low: 3, high: 4)

    let station: Station
    var incarnation: UInt32 = 1
    private var sequence: UInt64 = 0

    init(_ station: Station) { self.station = station }

    mutating func frame<M: Message>(_ message: M, to target: Station, epoch: UInt32, applied: GlobalTime = .zero,
                                    _ more: (inout MutableRawSpan) -> Void = { _ in }) -> [UInt8] {
        sequence += 1
        let header = FrameHeader(
            kind: M.kind, sender: station, target: target, payloadBytes: message.byteCount, epoch: epoch,
            incarnation: incarnation, cluster: Self.cluster, sequence: sequence, applied: applied)
        var frame = [UInt8](repeating: 0, count: Limits.headerBytes + message.byteCount)
        var span = frame.mutableSpan
        var raw = span.mutableBytes
        message.emit(into: &raw)
        more(&raw)
        header.emit(into: &raw, key: Self.frameKey)
        return frame
    }
}

extension NodeCore {
    /// The node n1 of a memory of 16 pages, which the arbiter has let in at time 2.
    static func joined(by arbiter: inout Sender, tokenHolder: Station, _ world: inout QuietWorld) -> NodeCore {
        let module = BootModule(
            cluster: Sender.cluster, key: Sender.key, nonce: 5, sharedPages: 16,
            maximumFrameBytes: UInt16(Limits.standardFrameBytes), node: Station(1))
        var core = NodeCore(module: module, build: Sender.build, writeLimit: 4, preImageLimit: 4, logEntries: 128,
                            logWords: 1024)
        core.start(now: 1, &world)
        let accept = JoinAccept(
            nonce: module.nonce, incarnation: 1, epoch: 1, applied: .zero, saved: .zero, sharedPages: 16,
            tokenHolder: tokenHolder, tokenNumber: 0, isPrimary: false)
        core.receive(arbiter.frame(accept, to: Station(1), epoch: 1).span.bytes, now: 2, &world)
        return core
    }
}
