import Testing

@testable import PageServer

struct PausesTests {
    @Test func pausesOfEachNodeAddUp() {
        var pauses = Pauses()
        #expect(pauses.longest(now: 100) == 0)
        pauses.update(paused: [1, 2], now: 100)
        pauses.update(paused: [2], now: 130)
        #expect(pauses.longest(now: 150) == 50)
        pauses.update(paused: [1], now: 160)
        #expect(pauses.longest(now: 170) == 60)
        #expect(pauses.longest(now: 200) == 70)
        pauses.update(paused: [], now: 200)
        #expect(pauses.longest(now: 900) == 70)
    }
}
