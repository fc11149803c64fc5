import Protocol
import Testing
import Wire

@testable import Simulation

/// What a killed arbiter owes the nodes when it comes back [P7, P22].
struct RestartTests {
    private let counter: UInt32 = 9

    private func isFrozen(_ laboratory: Laboratory, _ number: Int) -> Bool {
        laboratory.nodes[number - 1].core.isFrozen
    }

    @Test func aPollThatWasInterruptedIsMadeGood() {
        let laboratory = Laboratory(nodes: 3)
        #expect(laboratory.transaction(on: 1, writing: [counter]))
        // One node hears nothing, so the poll over the death of another stays open, and the third stands still.
        laboratory.deaf = [1]
        laboratory.nodes[2].isAlive = false
        laboratory.arbiter.core.died(Station(3), now: laboratory.now, &laboratory.arbiter.store)
        laboratory.settle()
        #expect(isFrozen(laboratory, 2))
        laboratory.restartArbiter()
        laboratory.deaf = []
        laboratory.pass(100_000_000)
        #expect(!isFrozen(laboratory, 1) && !isFrozen(laboratory, 2))
        #expect(laboratory.arbiter.core.epoch == 3)
        #expect(laboratory.transaction(on: 2, writing: [counter]))
    }

    @Test func savedTimeAndMembersOutliveTheArbiter() {
        let laboratory = Laboratory(nodes: 2)
        for _ in 0..<20 { #expect(laboratory.transaction(on: 1, writing: [counter])) }
        laboratory.pass(100_000_000)
        let saved = laboratory.arbiter.core.saved
        #expect(saved.counter == 20)
        laboratory.restartArbiter()
        laboratory.pass(300_000_000)
        // Nothing was under way, so nothing is opened, and nobody joins anew.
        #expect(laboratory.arbiter.core.epoch == 1 && laboratory.arbiter.core.saved == saved)
        #expect(laboratory.transaction(on: 2, writing: [counter]))
        laboratory.pass(100_000_000)
        #expect(laboratory.arbiter.core.saved.counter == 21)
    }

    @Test func aLateJoinAnswerBuriesNobody() {
        let laboratory = Laboratory(nodes: 2)
        #expect(laboratory.transaction(on: 1, writing: [counter]))
        laboratory.repeatEverything()
        laboratory.pass(300_000_000)
        #expect(laboratory.arbiter.core.epoch == 1)
        #expect(laboratory.transaction(on: 2, writing: [counter]))
    }
}
