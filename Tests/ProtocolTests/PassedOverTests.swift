import Testing
import Wire

@testable import Protocol

/// Whom a node asks for pages when their owner says nothing [P29].
final class PassedOverTests {
    private let owner = Station(2)
    private var world = QuietWorld()
    private var other = Sender(Station(2))
    private var core: NodeCore
    private let time = GlobalTime(epoch: 1, counter: 1)

    init() {
        var arbiter = Sender(.arbiter)
        core = NodeCore.joined(by: &arbiter, tokenHolder: owner, &world)
        let piece = RecordPiece(
            time: time, digest: 0, tokenNumber: 1, committer: owner, committerIncarnation: 1, index: 0, count: 1,
            total: 8, pages: 8)
        let record = other.frame(SignedRecord(piece: piece, pages: Array(4..<12)), to: .everyone, epoch: 1)
        core.receive(record.span.bytes, now: 3, &world)
        #expect(core.applied == time)
    }

    private func requests(for page: UInt32) -> [(request: PageRequest, target: Station)] {
        world.sent.filter { $0[17] == FrameHeader.Kind.pageRequest.rawValue }.compactMap { frame in
            PageRequest.parse(frame.span.bytes).map { ($0, Station(frame[19])) }
        }.filter { $0.request.page.index == page }
    }

    /// Whom the requests for a page went to, so far.
    private func asked(_ page: UInt32) -> [Station] { requests(for: page).map(\.target) }

    private func answer<M: Message>(_ message: M, _ now: UInt64) {
        core.receive(other.frame(message, to: Station(1), epoch: 1, applied: time).span.bytes, now: now, &world)
    }

    private func fetch(_ page: UInt32, _ now: UInt64) {
        core.fetch(PageNumber(page), ahead: 0, now: now, &world)
    }

    private func tick(from begin: UInt64 = 0, until end: UInt64) {
        for now in stride(from: begin, through: end, by: Int(Tuning.millisecond)) { core.tick(now: now, &world) }
    }

    private func letPass() -> UInt64 {
        fetch(4, 0)
        let end = 30 * Tuning.millisecond
        tick(until: end)
        #expect(asked(4) == [owner, owner, .arbiter])
        return end
    }

    /// Seed 768060372: each of many pages was asked for twice of a node that was not heard.
    @Test func whoLetsAPagePassIsPassedOver() {
        let now = letPass()
        fetch(5, now)
        #expect(asked(5) == [.arbiter])
        // But not for long: it may have been a lost frame.
        fetch(6, now + core.tuning.heartbeat)
        #expect(asked(6) == [owner])
    }

    /// The arbiter may be the one that does not answer.
    @Test func whoIsPassedOverIsAskedNext() {
        let now = letPass()
        fetch(5, now)
        tick(from: now, until: now + 10 * Tuning.millisecond)
        #expect(asked(5) == [.arbiter, owner])
    }

    /// Who says that it has no copy is there.
    @Test func whoSaysNoIsAskedForOthers() {
        fetch(4, 0)
        answer(PageAbsent(nonce: requests(for: 4)[0].request.nonce, page: PageNumber(4)), 5)
        tick(until: 100 * Tuning.millisecond)
        #expect(asked(4).prefix(2) == [owner, .arbiter])
        fetch(5, 101 * Tuning.millisecond)
        #expect(asked(5) == [owner])
    }
}
