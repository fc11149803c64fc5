import Testing
import Wire

@testable import Protocol

/// When a node that waits for the token tells the arbiter that it is missing [P25].
struct TokenTests {
    private static let holder = Station(2)

    /// Whether it does within two seconds, in which the supposed holder gives these signs of life.
    private func isMissed(_ sign: Heartbeat?) -> Bool {
        var world = QuietWorld()
        var arbiter = Sender(.arbiter)
        var core = NodeCore.joined(by: &arbiter, tokenHolder: Self.holder, &world)
        #expect(core.begin(now: 3, &world) && core.recordWrite(PageNumber(9)))
        #expect(core.commit(now: 4, &world) == .waiting)
        var other = Sender(Self.holder)
        for millisecond in 1...2000 as ClosedRange<UInt64> {
            let now = millisecond * Tuning.millisecond
            // Every other one is lost.
            if let sign, millisecond % 200 == 0 {
                core.receive(other.frame(sign, to: .everyone, epoch: 1).span.bytes, now: now, &world)
            }
            core.tick(now: now, &world)
        }
        #expect(world.kinds.contains(.tokenRequest) && !core.holdsToken)
        return world.kinds.contains(.missing)
    }

    @Test func whoHearsItsHolderDoesNotMissIt() {
        #expect(!isMissed(Heartbeat(saved: .zero, tokenNumber: 1, holdsToken: true)))
    }

    @Test func whoHearsNothingMissesIt() { #expect(isMissed(nil)) }

    @Test func whoHearsSomebodyElseMissesIt() {
        #expect(isMissed(Heartbeat(saved: .zero, tokenNumber: 1, holdsToken: false)))
    }
}
