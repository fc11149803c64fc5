import Control
import Testing

@testable import PageServer

struct StoreOutageTests {
    private let full = Failure(.unavailable, "the disk is full")
    private let second: UInt64 = 1_000_000_000

    /// Room for moments ends nothing.
    @Test func oneOutageHasOneBeginningAndOneEnd() {
        var outage = StoreOutage()
        #expect(outage.hear(full, now: 0) == "the disk is full")
        for round in 1...9 as ClosedRange<UInt64> {
            #expect(outage.hear(nil, now: round * second) == nil)
            #expect(outage.end(now: round * second + second / 2) == nil)
            #expect(outage.hear(full, now: round * second + second / 2) == nil)
        }
        #expect(outage.deadline == .max && outage.end(now: .max) == nil)
        #expect(outage.hear(nil, now: 20 * second) == nil)
        #expect(outage.deadline > 20 * second && outage.deadline < 40 * second)
        #expect(outage.end(now: outage.deadline - 1) == nil)
        #expect(outage.end(now: outage.deadline)?.contains("can be written again") == true)
        #expect(outage.deadline == .max && outage.end(now: .max) == nil)
        #expect(outage.hear(full, now: 50 * second) == "the disk is full")
    }

    /// The next page server knows it by what was told.
    @Test func anOutageOutlivesThePageServer() {
        let begun = "2026-11-21T00:46:36Z nothing is saved: /s: the disk is full"
        let ended = "2026-11-21T00:46:40Z the store can be written again, and saving goes on"
        let other = "2026-11-21T00:46:41Z n1 was admitted, and nothing is saved: nothing"
        for lines in [[], [other], [begun, other, ended, other]] {
            var outage = StoreOutage(after: lines, now: second)
            #expect(outage.deadline == .max && outage.end(now: .max) == nil, "\(lines)")
        }
        for lines in [[begun, other], [begun, ended, begun]] {
            var outage = StoreOutage(after: lines, now: second)
            // It may still be full, which was told.
            #expect(outage.hear(Failure(.unavailable, "nothing is saved: /s: the disk is full"), now: second) == nil)
            #expect(outage.deadline == .max && outage.hear(nil, now: 2 * second) == nil)
            #expect(outage.deadline > 2 * second && outage.end(now: outage.deadline) != nil)
            #expect(outage.end(now: .max) == nil)
            // Or it was mended meanwhile.
            var mended = StoreOutage(after: lines, now: second)
            #expect(mended.deadline > second && mended.end(now: mended.deadline - 1) == nil)
            #expect(mended.end(now: mended.deadline) == ended.split(separator: " ", maxSplits: 1).last.map(String.init))
        }
    }

    @Test func anotherReasonIsTold() {
        var outage = StoreOutage()
        #expect(outage.hear(nil, now: 0) == nil && outage.deadline == .max)
        #expect(outage.hear(full, now: 0) != nil)
        #expect(outage.hear(Failure(.fault, "the disk failed"), now: 1) == "the disk failed")
    }

    @Test func triesBecomeRare() {
        var pause = RetryPause()
        var now: UInt64 = 5
        var pauses: [Int] = []
        for _ in 0..<6 {
            pauses.append(pause.next(now: now))
            now += UInt64(pauses.last ?? 0) * 1_000_000
        }
        #expect(pauses == [200, 400, 800, 1600, 2000, 2000])
        #expect(pause.next(now: now + 60 * second) == 200)
    }
}
