import Testing
import Wire

@testable import Protocol

/// How an arbiter asks for what it saves, and how it is answered [P26].
struct SavingTests {
    /// What one request asks for.
    struct Run: Equatable {
        var first: UInt32
        var count: UInt16
    }

    @Test func neighboursOfACommitAreAskedForInOneFrame() {
        let arbiter = AskingArbiter()
        arbiter.commit([3, 4, 5, 9, 10, 12])
        #expect(arbiter.takeRequests() == [Run(first: 3, count: 3), Run(first: 9, count: 2), Run(first: 12, count: 1)])
        #expect(arbiter.wanted == GlobalTime(epoch: 1, counter: 1))
    }

    @Test func aRunIsNoLongerThanARequestAndAllTogetherThanTheWindow() {
        let arbiter = AskingArbiter()
        arbiter.commit(Array(0..<200))
        let most = UInt32(Limits.maximumRequestPages)
        let begun = (0..<UInt32(Saving.window) / most).map { Run(first: $0 * most, count: UInt16(most)) }
        #expect(arbiter.takeRequests() == begun)
        // A run is asked for when there is room for all of it.
        for page in 0..<most - 1 { arbiter.answer(page) }
        #expect(arbiter.takeRequests() == [])
        arbiter.answer(most - 1)
        #expect(arbiter.takeRequests() == [Run(first: UInt32(Saving.window), count: UInt16(most))])
    }

    @Test func whatDoesNotComeIsAskedForPageByPage() {
        let arbiter = AskingArbiter()
        arbiter.commit([3, 4, 5, 6])
        _ = arbiter.takeRequests()
        arbiter.answer(3)
        arbiter.answer(6)
        arbiter.pass(arbiter.tuning.retry)
        #expect(arbiter.takeRequests() == [Run(first: 4, count: 1), Run(first: 5, count: 1)])
        // An answer to the first question is as good as one to the second.
        arbiter.answer(4, try: 0)
        arbiter.answer(5, try: 1)
        #expect(arbiter.held == GlobalTime(epoch: 1, counter: 1))
        #expect(arbiter.saved == [3, 6, 4, 5])
    }

    @Test func oneAnswerCountsOnce() {
        let arbiter = AskingArbiter()
        arbiter.commit([3, 4])
        _ = arbiter.takeRequests()
        arbiter.answer(3)
        arbiter.answer(3)
        #expect(arbiter.held == .zero)
        arbiter.answer(4)
        #expect(arbiter.saved == [3, 4])
    }

    @Test func aPageThatIsNamedTwiceIsSavedOnce() {
        let arbiter = AskingArbiter()
        arbiter.commit([3, 3, 4])
        #expect(arbiter.takeRequests() == [Run(first: 3, count: 2)])
        arbiter.answer(3)
        arbiter.answer(4)
        #expect(arbiter.held == GlobalTime(epoch: 1, counter: 1))
    }

    @Test func aRunOfTheNextRoundIsOfThatRound() {
        let arbiter = AskingArbiter()
        arbiter.commit([3, 4])
        arbiter.answer(3)
        arbiter.answer(4)
        arbiter.commit([4, 5])
        arbiter.pass(Arbiter.saveInterval + 3 * Tuning.millisecond)
        #expect(arbiter.takeRequests().last == Run(first: 4, count: 2))
        arbiter.answer(3)
        arbiter.answer(4)
        #expect(arbiter.held.counter == 1)
        arbiter.answer(5)
        #expect(arbiter.held.counter == 2)
    }

    @Test func everyPageOfARunIsSpokenOf() {
        var world = QuietWorld()
        var arbiter = Sender(.arbiter)
        var core = NodeCore.joined(by: &arbiter, tokenHolder: Station(1), &world)
        // The last two of the four lie behind the end of the memory.
        let request = PageRequest(
            nonce: 32, page: PageNumber(14), count: 4, requester: .arbiter, requesterIncarnation: 1, applied: .zero,
            wanted: GlobalTime(epoch: 1, counter: 7))
        core.receive(arbiter.frame(request, to: Station(1), epoch: 1).span.bytes, now: 3, &world)
        let absent = world.sent.filter { $0[17] == FrameHeader.Kind.pageAbsent.rawValue }
            .compactMap { PageAbsent.parse($0.span.bytes) }
        #expect(absent.map(\.page.index) == [14, 15])
        #expect(absent.allSatisfy { $0.nonce == 32 })
    }
}

/// An arbiter that did nothing for a while, be it because of its disk: frames that waited meanwhile are read before it
/// looks at the clock.
struct DeafArbiterTests {
    @Test func whatItDidNotHearIsNotMissed() {
        let arbiter = AskingArbiter()
        arbiter.commit([1])
        arbiter.sleep(3_000 * Tuning.millisecond)
        arbiter.missToken()
        #expect(arbiter.polls == 0)
        // Later it hears as well as anybody.
        for _ in 0..<12 { arbiter.pass(100 * Tuning.millisecond) }
        arbiter.missToken()
        #expect(arbiter.polls == 1)
    }
}

/// What nodes send unasked, because somebody waits for it to be durable [P27].
struct PushTests {
    /// An arbiter that has just saved: the next round waits until it is due, or wanted.
    private func restingArbiter() -> AskingArbiter {
        let arbiter = AskingArbiter()
        arbiter.commit([1])
        arbiter.answer(1)
        _ = arbiter.takeRequests()
        return arbiter
    }

    @Test func whatWasPushedIsNotAskedFor() {
        let arbiter = restingArbiter()
        arbiter.commit([3, 7])
        arbiter.push(3, counter: 2)
        arbiter.push(7, counter: 2)
        #expect(arbiter.held.counter == 1)
        arbiter.wantSaved()
        #expect(arbiter.takeRequests() == [])
        #expect(arbiter.held.counter == 2)
        #expect(arbiter.saved == [1, 3, 7])
    }

    @Test func whatWasPushedInPartIsAskedFor() {
        let arbiter = restingArbiter()
        arbiter.commit([3, 7])
        arbiter.push(3, counter: 2)
        arbiter.push(7, counter: 2, pieces: 0..<1)
        arbiter.wantSaved()
        #expect(arbiter.takeRequests() == [SavingTests.Run(first: 7, count: 1)])
        // A piece that comes late is one of the answer; those of the first try are lost.
        arbiter.push(7, counter: 2, pieces: 1..<3)
        #expect(arbiter.held.counter == 1)
        arbiter.push(7, counter: 2, pieces: 0..<1)
        #expect(arbiter.held.counter == 2)
    }

    @Test func onlyTheNewestVersionIsKept() {
        let arbiter = restingArbiter()
        arbiter.push(3, counter: 2)
        arbiter.commit([3])
        arbiter.push(4, counter: 2)
        arbiter.push(3, counter: 1)
        arbiter.wantSaved()
        #expect(arbiter.takeRequests() == [SavingTests.Run(first: 3, count: 1)])
        arbiter.answer(3)
        #expect(arbiter.saved == [1, 3])
    }

    @Test func whatWasOverwrittenSinceIsAskedForAnew() {
        let arbiter = restingArbiter()
        arbiter.commit([3, 4])
        arbiter.push(3, counter: 2)
        arbiter.push(4, counter: 2)
        arbiter.commit([3, 5])
        arbiter.wantSaved()
        #expect(arbiter.takeRequests() == [SavingTests.Run(first: 3, count: 1), SavingTests.Run(first: 5, count: 1)])
        arbiter.answer(3)
        arbiter.answer(5)
        #expect(arbiter.held.counter == 3)
        #expect(arbiter.saved == [1, 4, 3, 5])
    }

    @Test func aNewerPushTakesThePlaceOfAnOlder() {
        let arbiter = restingArbiter()
        arbiter.commit([3])
        arbiter.push(3, counter: 2)
        arbiter.commit([3])
        arbiter.push(3, counter: 3)
        arbiter.wantSaved()
        #expect(arbiter.takeRequests() == [])
        #expect(arbiter.held.counter == 3)
    }

    @Test func whatTheImageHasIsNotSavedAgain() {
        let arbiter = restingArbiter()
        arbiter.push(1, counter: 1)
        arbiter.commit([3])
        arbiter.push(3, counter: 2)
        arbiter.wantSaved()
        #expect(arbiter.saved == [1, 3])
    }

    @Test func noMoreThanAWindowOfPagesIsKept() {
        let arbiter = restingArbiter()
        let most = UInt32(PushedPages.limit)
        arbiter.commit(Array(2..<most + 3))
        for page in 2..<most + 3 { arbiter.push(page, counter: 2) }
        arbiter.wantSaved()
        #expect(arbiter.takeRequests() == [SavingTests.Run(first: most + 2, count: 1)])
    }
}

/// An arbiter that one node has joined, and what it sends.
private final class AskingArbiter {
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
        let count = (Limits.pageBytes + most - 1) / most
        for index in 0..<count {
            let offset = index * most
            receive(PageReply(
                nonce: nonce, page: PageNumber(page), version: asked.wanted, index: UInt8(index), count: UInt8(count),
                offset: UInt16(offset), length: UInt16(min(most, Limits.pageBytes - offset))))
        }
    }

    /// The node sends pieces of a page unasked.
    func push(_ page: UInt32, counter: UInt64, pieces: Range<Int>? = nil) {
        let most = PageReply.pieceBytes(maximumFrame: world.maximumFrameBytes)
        let count = (Limits.pageBytes + most - 1) / most
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

    func missToken() { receive(Missing(thing: .token, detail: 1)) }

    /// Time passes, and the arbiter does not see it.
    func sleep(_ nanoseconds: UInt64) { now += nanoseconds }

    func pass(_ nanoseconds: UInt64) {
        now += nanoseconds
        core.tick(now: now, &world)
    }
}

/// A commit's record as its own frame.
private struct SignedRecord: Message {
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
        var frame = [UInt8](repeating: 0, count: byteCount)
        var span = frame.mutableSpan
        var raw = span.mutableBytes
        fill(&raw)
        sent.append(frame)
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
