import Durability
import Protocol
import Testing
import Wire

@Suite struct ArbiterFactsTests {
    /// A write may report an error although all of it is on the disk: the fact is then noted again.
    @Test func anOpeningIsNotedOnce() {
        var facts = ArbiterFacts()
        facts.apply(.polled(epoch: 2))
        let opening = EpochRecord(epoch: 2, opened: GlobalTime(epoch: 1, counter: 7))
        for _ in 0..<2 { facts.apply(.opened(opening)) }
        #expect(facts.chain.map(\.epoch) == [2, 1])
        facts.apply(.opened(EpochRecord(epoch: 3, opened: GlobalTime(epoch: 2, counter: 9))))
        #expect(facts.chain.map(\.epoch) == [3, 2, 1])
    }
}
