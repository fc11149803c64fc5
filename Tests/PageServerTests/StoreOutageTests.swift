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
