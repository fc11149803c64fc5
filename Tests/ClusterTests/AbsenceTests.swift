import Control
import Testing

@testable import plurix

@Suite struct AbsenceTests {
    private let start = ContinuousClock.now

    private func isForgiven(_ failure: Failure, after seconds: Int, _ absence: inout Absence) -> Bool {
        absence.isForgiven(failure, now: start + .seconds(seconds))
    }

    @Test func whoIsAwayForLongDoesNotComeBack() {
        for failure in [
            Failure(.unavailable, "nobody answers", at: "/arbiter.sock"), Failure(.unavailable, "it is stopping"),
            Failure(.timeout, "it has not answered", at: "/arbiter.sock"),
        ] {
            var absence = Absence(of: "/arbiter.sock", store: "/store", now: start)
            absence.hasBegun = true
            #expect(isForgiven(failure, after: 29, &absence))
            #expect(!isForgiven(failure, after: 31, &absence))
            absence.ends(now: start + .seconds(31))
            #expect(isForgiven(failure, after: 60, &absence))
        }
    }

    /// What is refused is not begun later.
    @Test func untilAProgramHasBegunOnlyAnArbiterThatIsGoneIsWaitedFor() {
        var absence = Absence(of: "/arbiter.sock", store: "/store", now: start)
        for place in ["/arbiter.sock", "supervisor"] {
            #expect(isForgiven(Failure(.unavailable, "it was killed", at: place), after: 29, &absence))
        }
        #expect(!isForgiven(Failure(.timeout, "it has not answered", at: "/arbiter.sock"), after: 1, &absence))
        #expect(!isForgiven(Failure(.unavailable, "another program runs"), after: 1, &absence))
        #expect(!isForgiven(Failure(.unavailable, "n1 has not joined", at: "n1"), after: 1, &absence))
    }

    @Test func whoSaysWhatIsWrongIsNotAway() {
        var absence = Absence(of: "/arbiter.sock", store: "/store", now: start)
        #expect(!isForgiven(Failure(.timeout, "n1 is late", at: "n1"), after: 0, &absence))
        #expect(!isForgiven(Failure(.fault, "the store is damaged", at: "/store"), after: 0, &absence))
    }

    /// A full disk has room again some time, and runs wait for that.
    @Test func aStoreThatCannotBeWrittenIsWaitedFor() {
        var absence = Absence(of: "/arbiter.sock", store: "/store", now: start)
        let full = Failure(.unavailable, "the arbiter stands still: no space", at: "/store")
        for minute in 1...100 { #expect(isForgiven(full, after: 60 * minute, &absence)) }
        // It may be killed meanwhile.
        let gone = Failure(.unavailable, "nobody answers", at: "/arbiter.sock")
        #expect(isForgiven(gone, after: 6020, &absence))
        #expect(!isForgiven(gone, after: 6031, &absence))
    }
}
