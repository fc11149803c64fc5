import History
import Simulation
import Testing

struct HistoryTests {
    /// The checker of the simulation knows every content and opening; that of histories only what the nodes tell.
    @Test(arguments: 1...20) func bothCheckersAgree(seed: UInt64) throws {
        let (verdict, file) = Simulation.history(seed: seed)
        let history = try HistoryReader.read(file)
        let found = Checker.check(history)
        #expect(verdict.isSound && found.isRight, "\(found.lines(history))")
        #expect(found.counts.writers >= 300)
    }
}
