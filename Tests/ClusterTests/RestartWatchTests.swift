import Testing

@testable import Cluster

@Suite struct RestartWatchTests {
    private let start = ContinuousClock.now

    @Test func whoIsAwayForAMomentIsNoNewsAndWhoIsAwayForLongerIsToldOfOnce() {
        var watch = RestartWatch()
        func look(_ process: BackgroundProcess, _ isThere: Bool, after milliseconds: Int) -> Bool {
            watch.looked(at: process, isThere: isThere, now: start + .milliseconds(milliseconds))
        }
        #expect(!look(.arbiter, false, after: 0) && !look(.arbiter, false, after: 900))
        #expect(!look(.arbiter, true, after: 950))
        // Each by itself, and from its own begin.
        #expect(!look(.arbiter, false, after: 1000) && !look(.segment, false, after: 1500))
        #expect(look(.arbiter, false, after: 2000) && !look(.segment, false, after: 2400))
        #expect(!look(.arbiter, false, after: 9000) && look(.segment, false, after: 9000))
        // The next time it is news again.
        #expect(!look(.arbiter, true, after: 9100) && !look(.arbiter, false, after: 9200))
        #expect(look(.arbiter, false, after: 10_200))
    }
}
