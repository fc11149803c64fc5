import Testing

@testable import PageServer

struct PausesTests {
    @Test func pausesOfEachNodeAddUp() {
        var pauses = Pauses()
        #expect(pauses.total(now: 100) == 0)
        pauses.update(paused: [1, 2], now: 100)
        pauses.update(paused: [2], now: 130)
        #expect(pauses.total(now: 150) == 80)
        pauses.update(paused: [1], now: 160)
        #expect(pauses.total(now: 170) == 100)
        #expect(pauses.total(now: 200) == 130)
        pauses.update(paused: [], now: 200)
        #expect(pauses.total(now: 900) == 130)
    }

    /// A short pause counts although another node was paused for longer before.
    @Test func everyPauseCounts() {
        var pauses = Pauses()
        pauses.update(paused: [1], now: 0)
        pauses.update(paused: [], now: 8)
        let before = pauses.total(now: 10)
        pauses.update(paused: [2], now: 11)
        pauses.update(paused: [], now: 15)
        #expect(pauses.total(now: 20) - before == 4)
    }
}
