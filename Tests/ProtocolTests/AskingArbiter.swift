import Testing
import Wire

@testable import Protocol

/// An arbiter that one node has joined, and what it sends.
final class AskingArbiter {
    private var core: Arbiter
    private var world = SavingWorld()
    private var node = Sender(Station(1))
    private var now: UInt64 = 1
    private var last: UInt64 = 0
    private var seen = 0
    let tuning = Tuning()

    init() {
        core = Arbiter(cluster: Sender.cluster, key: Sender.key, build: Sender.build,
                       state: ArbiterState(sharedPages: 256), nonce: 1)
        core.start(now: 0, &world)
        let request = JoinRequest(nonce: 1, build: Sender.build)
        receive(request)
        receive(JoinAnswer(nonce: 1, challenge: core.member(node.station).challenge, build: Sender.build))
        node.incarnation = core.member(node.station).incarnation
        now += Arbiter.saveInterval
    }

    private func receive<M: Message>(_ message: M, _ more: (inout MutableRawSpan) -> Void = { _ in }) {
        let frame = node.frame(message, to: .arbiter, epoch: 1, applied: core.applied, more)
        core.receive(frame.span.bytes, now: now, &world)
    }

    var held: GlobalTime { core.held }
    var saved: [UInt32] { world.gathered }
    /// The version that the last request names.
    var wanted: GlobalTime { requests.last?.wanted ?? .zero }

    private var requests: [PageRequest] {
        world.sent.filter { $0[17] == FrameHeader.Kind.pageRequest.rawValue }
            .compactMap { PageRequest.parse($0.span.bytes) }
    }

    func takeRequests() -> [SavingTests.Run] {
        defer { seen = requests.count }
        return requests.dropFirst(seen).map { SavingTests.Run(first: $0.page.index, count: $0.count) }
    }

    func commit(_ pages: [UInt32]) {
        last += 1
        let piece = RecordPiece(
            time: GlobalTime(epoch: 1, counter: last), digest: 0, tokenNumber: 1, committer: node.station,
            committerIncarnation: node.incarnation, index: 0, count: 1, total: UInt32(pages.count),
            pages: UInt16(pages.count))
        receive(SignedRecord(piece: piece, pages: pages))
    }

    /// The node answers for a page, to the question that was asked last, or to an earlier try.
    func answer(_ page: UInt32, try number: UInt64? = nil) {
        let asked = requests.last { $0.page.index <= page && page < $0.page.index + UInt32($0.count) }
        guard let asked else { return }
        let most = PageReply.pieceBytes(maximumFrame: world.maximumFrameBytes)
        let nonce = number.map { asked.nonce & ~15 | $0 } ?? asked.nonce
        let count = PageReply.pieces(maximumFrame: world.maximumFrameBytes)
        for index in 0..<count {
            let offset = index * most
            receive(PageReply(
                nonce: nonce, page: PageNumber(page), version: asked.wanted, index: UInt8(index), count: UInt8(count),
                offset: UInt16(offset), length: UInt16(min(most, Limits.pageBytes - offset))))
        }
    }

    /// The node answers for neighbours at once, to the question that was asked last of the first one.
    func train(_ first: UInt32, count: UInt16, counter: UInt64? = nil, nonce: UInt64? = nil) {
        let asked = requests.last { $0.page.index <= first && first < $0.page.index + UInt32($0.count) }
        guard let asked else { return }
        let version = counter.map { GlobalTime(epoch: 1, counter: $0) } ?? asked.wanted
        train((first..<first + UInt32(count)).map { $0 }, version, nonce: nonce ?? asked.nonce)
    }

    func train(_ pages: [UInt32], _ version: GlobalTime, nonce: UInt64) {
        var train = PageTrain(nonce: nonce, version: version)
        for page in pages { train.append(PageNumber(page)) }
        receive(train)
    }

    func hasten() { core.hasten(now: now) }

    /// The node sends pieces of a page unasked.
    func push(_ page: UInt32, counter: UInt64, pieces: Range<Int>? = nil) {
        let most = PageReply.pieceBytes(maximumFrame: world.maximumFrameBytes)
        let count = PageReply.pieces(maximumFrame: world.maximumFrameBytes)
        for index in pieces ?? 0..<count {
            let offset = index * most
            receive(PageReply(
                nonce: PageReply.unasked, page: PageNumber(page), version: GlobalTime(epoch: 1, counter: counter),
                index: UInt8(index), count: UInt8(count), offset: UInt16(offset),
                length: UInt16(min(most, Limits.pageBytes - offset))))
        }
    }

    func wantSaved() { receive(SaveRequest(time: core.applied)) }

    /// Times that it asked everybody for an epoch.
    var polls: Int { world.sent.filter { $0[17] == FrameHeader.Kind.poll.rawValue }.count }

    /// A sign of life of the node, whose token has the number of those that it commits with.
    func beat(claimsToken: Bool) { receive(Heartbeat(saved: .zero, tokenNumber: 1, holdsToken: claimsToken)) }

    func missToken() { receive(Missing(thing: .token, detail: 1)) }

    /// Time passes, and the arbiter does not see it.
    func sleep(_ nanoseconds: UInt64) { now += nanoseconds }

    func pass(_ nanoseconds: UInt64) {
        now += nanoseconds
        core.tick(now: now, &world)
    }
}

/// A commit's record as its own frame.
struct SignedRecord: Message {
    static let kind = FrameHeader.Kind.commit
    var piece: RecordPiece
    var pages: [UInt32]

    var byteCount: Int { piece.byteCount }

    func emit(into frame: inout MutableRawSpan) {
        piece.emit(into: &frame, at: Payload.at(0))
        for (place, page) in pages.enumerated() {
            frame.store(page, at: Payload.at(RecordPiece.headBytes + 4 * place))
        }
    }
    static func parse(_ frame: RawSpan) -> SignedRecord? { nil }
}

/// Frames go nowhere; what is gathered is remembered, and saved at once.
private struct SavingWorld: ArbiterWorld {
    let maximumFrameBytes = Limits.standardFrameBytes
    private(set) var sent: [[UInt8]] = []
    /// Pages that are here, in the order in which they came.
    private(set) var gathered: [UInt32] = []
    private var handles: UInt32 = 0

    mutating func transmit(_ byteCount: Int, _ fill: (inout MutableRawSpan) -> Void) -> Bool {
        sent.append(written(byteCount, fill))
        return true
    }
    mutating func transmit(_ byteCount: Int, _ content: PageContent, at target: Int,
                           _ fill: (inout MutableRawSpan) -> Void) -> Bool { transmit(byteCount, fill) }

    mutating func stage() -> FrameHandle {
        handles += 1
        return FrameHandle(handles)
    }
    mutating func fill(_ handle: FrameHandle, at offset: Int, with bytes: RawSpan, from start: Int, count: Int) {}
    mutating func discard(_ handle: FrameHandle) {}
    mutating func gathered(_ page: SavedPage) { gathered.append(page.page.index) }
    mutating func abandonSave() {}
    mutating func save(_ time: GlobalTime, _ pages: [SavedPage]) -> Bool { true }
    mutating func persist(_ fact: ArbiterFact) {}
    mutating func randomNumber() -> UInt64 { 4 }
    mutating func accept(_ reply: CommandReply, from node: Station) {}
    mutating func accept(_ report: Report, from node: Station) {}
    mutating func notify(_ notice: ArbiterNotice) {}
}
