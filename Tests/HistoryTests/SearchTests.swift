import Testing
import Wire

@testable import History

struct SearchTests {
    @Test(arguments: 0..<300) func rightHistoriesAreRight(seed: Int) {
        let random = RandomHistory(seed: UInt64(seed), transactions: 40)
        let verdict = Checker.check(random.history)
        #expect(verdict.isRight, "\(verdict.smallest?.sentence ?? "")")
    }

    @Test(arguments: 0..<500) func shortRightHistoriesHaveAnOrder(seed: Int) throws {
        let random = RandomHistory(seed: UInt64(seed), transactions: 7)
        #expect(Checker.check(random.history, isSearching: false).isRight)
        if let search = SerialSearch(random.history) { #expect(search.exists) }
    }

    @Test(arguments: Mutation.allCases) func mutationsAreFound(mutation: Mutation) {
        var spoilt = 0
        for seed in 0..<400 {
            var generator = Generator(UInt64(seed))
            var history = RandomHistory(seed: UInt64(seed), transactions: 30, keys: 3).history
            guard mutation.spoil(&history, &generator) else { continue }
            spoilt += 1
            let verdict = Checker.check(history)
            #expect(!verdict.isRight, "seed \(seed)")
            #expect(verdict.smallest.map { $0.transactions.count <= 3 } == true, "seed \(seed)")
        }
        #expect(spoilt >= 20)
    }

    /// Where no order exists, the checker must have seen it: it takes one certain order.
    @Test(arguments: Mutation.allCases) func theCheckerMissesNothingThatTheSearchFinds(mutation: Mutation) {
        var impossible = 0
        for seed in 0..<400 {
            var generator = Generator(UInt64(seed))
            var history = RandomHistory(seed: UInt64(seed), transactions: 7, keys: 2, epochs: false).history
            guard mutation.spoil(&history, &generator), let search = SerialSearch(history), !search.exists
            else { continue }
            impossible += 1
            #expect(!Checker.check(history, isSearching: false).isRight, "seed \(seed)")
        }
        if mutation == .lostUpdate { #expect(impossible > 5) }
    }

    @Test func writeSkewHasNoOrder() throws {
        let skew = history(
            transaction("n1.1", 10, 30, at: GlobalTime(1, 1), reads: [(1, .zero, 0), (2, .zero, 0)], writes: [(1, 5)]),
            transaction("n2.1", 10, 30, at: GlobalTime(1, 2), reads: [(1, .zero, 0), (2, .zero, 0)], writes: [(2, 6)]))
        #expect(try #require(SerialSearch(skew)).exists == false)
        #expect(Checker.check(skew, isSearching: false).violations == [.serial: 1])
    }
}
