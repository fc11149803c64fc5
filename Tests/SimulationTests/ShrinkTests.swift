import Simulation
import Testing

@testable import simulate

/// The search for the least that still fails, with failures of which the least is known.
struct ShrinkTests {
    /// What a made-up failure needs.
    private struct Need {
        var faults: Set<Int> = []
        var kinds: Trouble = []
        var frames = 0

        func isMet(by restriction: Restriction) -> Bool {
            let kept = restriction.faults.map(Set.init)
            return kept.map(faults.isSubset) ?? true && restriction.without.isDisjoint(with: kinds)
                && restriction.calmAfter ?? .max >= frames
        }
    }

    private func shrunk(_ need: Need, scriptLength: Int = 60) -> Shrink {
        var shrink = Shrink(scriptLength: scriptLength, stillFails: need.isMet)
        shrink.run()
        return shrink
    }

    @Test(arguments: [[], [0], [59], [17, 18], [3, 30, 31, 59]] as [Set<Int>])
    func whatIsNeededStaysAndNothingElse(faults: Set<Int>) {
        for kinds: Trouble in [.none, .loss, [.crashes, .lulls], .all] {
            for frames in [0, 1, 833, 99_999] {
                let shrink = shrunk(Need(faults: faults, kinds: kinds, frames: frames))
                #expect(shrink.restriction.faults.map(Set.init) == faults)
                #expect(Trouble.names.allSatisfy {
                    shrink.restriction.without.contains($0.trouble) != kinds.contains($0.trouble)
                })
                #expect(shrink.restriction.calmAfter == frames)
                #expect(shrink.tries <= Shrink.mostTries)
            }
        }
    }

    /// A run that fails only as it is stays as it is, and the search ends.
    @Test func nothingCanBeTakenAway() {
        var shrink = Shrink(scriptLength: 1000) { _ in false }
        shrink.run()
        #expect(shrink.restriction.faults == nil && shrink.restriction.without == .none)
        #expect(shrink.restriction.calmAfter == nil)
        #expect(shrink.tries == Shrink.mostTries)
    }

    /// When its time has run out, the search has what it has found until then.
    @Test func theSearchEndsWithItsTime() {
        var left = 30
        let need = Need(faults: [3], kinds: .loss, frames: 5)
        var shrink = Shrink(scriptLength: 1000, isOver: { left == 0 }, stillFails: { attempt in
            left -= 1
            return need.isMet(by: attempt)
        })
        shrink.run()
        #expect(shrink.tries == 30 && left == 0)
        #expect(shrink.restriction.calmAfter == 5 && shrink.restriction.without != .none)
    }

    @Test func aScriptOfNothing() {
        let shrink = shrunk(Need(frames: 5), scriptLength: 0)
        #expect(shrink.restriction.calmAfter == 5)
    }

    /// What is found fails by itself: every restriction that was kept was tried.
    @Test func onlyWhatFailedIsKept() {
        var draw: UInt64 = 9
        for _ in 0..<50 {
            var accepted: [Restriction] = []
            var shrink = Shrink(scriptLength: 40) { attempt in
                draw = draw &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                if draw >> 63 == 0 { return false }
                accepted.append(attempt)
                return true
            }
            shrink.run()
            guard let last = accepted.last else { continue }
            #expect(shrink.restriction.faults == last.faults && shrink.restriction.without == last.without)
            #expect(shrink.restriction.calmAfter == last.calmAfter)
        }
    }

    /// The same seed with less of its faults is judged by the simulation itself.
    @Test func aSeedWithoutItsFaultsIsPeaceful() {
        var restriction = Restriction()
        restriction.without = .all
        restriction.faults = []
        for seed in 900...905 as ClosedRange<UInt64> {
            let verdict = Simulation.run(seed: seed, restriction: restriction)
            #expect(verdict.isSound, "\(verdict.description)")
            #expect(verdict.commits >= 300)
        }
        #expect(Simulation.scriptLength(seed: 900, trouble: .all, nodes: nil) > 2)
    }
}
