import Testing
import Wire

@testable import History

struct RecordingTests {
    /// What a node tells of transactions: as if it were read from its file.
    private func records(_ transactions: Transaction...) throws -> NodeRecords {
        var records = try NodeRecords([], node: 1)
        records.transactions = transactions
        return records
    }

    @Test func nodesAreMergedAndCutAtTheEnd() throws {
        var recording = Recording(start: GlobalTime(1, 1), began: 5, clockError: 3)
        recording.add(clockError: 2)
        recording.add(
            try records(
                transaction("n1.1", 10, 20, at: GlobalTime(1, 2), reads: [(1, GlobalTime(1, 1), 9)], writes: [(1, 5)]),
                transaction("n1.2", 50, 60, at: GlobalTime(1, 4), reads: [(1, GlobalTime(1, 3), 6)], writes: [(1, 7)])),
            node: 1, life: 1, isLate: false, isLost: false)
        recording.add(
            try records(
                transaction("n2.1", 12, 40, at: GlobalTime(1, 3), reads: [(1, GlobalTime(1, 2), 5)], writes: [(1, 6)]),
                transaction("n2.2", 45, 90, reads: [(1, GlobalTime(1, 4), 7)])),
            node: 2, life: 1, isLate: false, isLost: false)
        let history = recording.history(end: GlobalTime(1, 3), openings: Openings(), endedAt: 100)
        #expect(history.transactions.map(\.name) == ["n1.1", "n2.1"])
        #expect(history.clockError == 3)
        #expect(Checker.check(history).isRight)
        var writer = HistoryWriter()
        writer.append(history)
        #expect(try HistoryReader.read(writer.takeBytes()) == history)
    }

    @Test func whatADeadNodeHasNotToldMayHaveHappened() throws {
        for isLost in [false, true] {
            var recording = Recording(start: .zero, began: 5, clockError: 0)
            recording.add(
                try records(transaction(
                    "n1.1", 10, 20, at: GlobalTime(1, 2), reads: [(1, GlobalTime(1, 1), 9)], writes: [(1, 5)])),
                node: 1, life: 1, isLate: false, isLost: false)
            recording.add(try records(), node: 2, life: 1, isLate: false, isLost: isLost)
            let history = recording.history(end: GlobalTime(1, 2), openings: Openings(), endedAt: 100)
            #expect(Checker.check(history).isRight == isLost)
        }
    }

    @Test func whatAnEpochHasUndoneIsNamed() throws {
        var openings = Openings()
        openings.append(Opening(epoch: 2, stays: GlobalTime(1, 1)))
        var recording = Recording(start: .zero, began: 5, clockError: 0)
        recording.add(saved: GlobalTime(1, 1), at: 25)
        recording.add(
            try records(
                transaction("n1.1", 10, 20, at: GlobalTime(1, 1), writes: [(1, 5)]),
                transaction("n1.2", 30, 40, at: GlobalTime(1, 2), writes: [(1, 6)]),
                transaction("n1.3", 50, 60, at: GlobalTime(2, 2), reads: [(1, GlobalTime(1, 1), 5)], writes: [(1, 7)])),
            node: 1, life: 1, isLate: false, isLost: false)
        let history = recording.history(end: GlobalTime(2, 2), openings: openings, endedAt: 100)
        #expect(history.transactions.map(\.isNamedUndone) == [false, true, false])
        #expect(Checker.check(history).isRight)
    }
}
