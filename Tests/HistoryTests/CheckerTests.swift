import Testing
import Wire

@testable import History

struct CheckerTests {
    /// Two nodes increment one key.
    private let right = history(
        transaction("n1.1", 10, 20, at: GlobalTime(1, 1), reads: [(7, .zero, 0)], writes: [(7, 100)]),
        transaction("n2.1", 15, 30, at: GlobalTime(1, 2), reads: [(7, GlobalTime(1, 1), 100)], writes: [(7, 200)]),
        transaction("n1.2", 25, 40, at: GlobalTime(1, 2), reads: [(7, GlobalTime(1, 2), 200)]),
        transaction("n3.1", 5, 50, reads: [(7, GlobalTime(1, 1), 100)]))

    private func expect(_ history: History, breaks rule: Rule, by names: String...) {
        let verdict = Checker.check(history)
        #expect(verdict.violations[rule] != nil, "\(verdict.violations)")
        let found = verdict.smallest?.transactions.map { history.transactions[$0].name } ?? []
        #expect(found == names, "\(verdict.smallest?.sentence ?? "")")
    }

    @Test func aRightHistory() {
        let verdict = Checker.check(right)
        #expect(verdict.isRight, "\(verdict.smallest?.sentence ?? "")")
        #expect(verdict.isSearched)
        #expect(verdict.counts.writers == 2 && verdict.counts.readers == 1 && verdict.counts.aborted == 1)
    }

    @Test func aLostUpdate() {
        var spoilt = right
        spoilt.transactions[1].reads[0] = Read(key: 7, value: 0, version: .zero)
        expect(spoilt, breaks: .serial, by: "n1.1", "n2.1")
    }

    @Test func aReaderThatMixesTwoStates() {
        let one = transaction("n1.1", 10, 20, at: GlobalTime(1, 1), writes: [(1, 11), (2, 12)])
        let two = transaction("n1.2", 21, 30, at: GlobalTime(1, 2), writes: [(1, 21), (2, 22)])
        let aborted = transaction(
            "n2.1", 5, 40, reads: [(1, GlobalTime(1, 2), 21), (2, GlobalTime(1, 1), 12)])
        expect(history(one, two, aborted), breaks: .snapshot, by: "n1.2", "n2.1")
        var reader = aborted
        reader.outcome = .committed(GlobalTime(1, 2))
        expect(history(one, two, reader), breaks: .serial, by: "n1.2", "n2.1")
    }

    @Test func twoVersionsOfOneKey() {
        let one = transaction("n1.1", 10, 20, at: GlobalTime(1, 1), writes: [(1, 11)])
        let aborted = transaction("n2.1", 5, 40, reads: [(1, .zero, 0), (1, GlobalTime(1, 1), 11)])
        expect(history(one, aborted), breaks: .snapshot, by: "n2.1")
    }

    @Test func twoCommitsAtOneTime() {
        let one = transaction("n1.1", 10, 20, at: GlobalTime(1, 1), writes: [(1, 11)])
        let two = transaction("n2.1", 10, 20, at: GlobalTime(1, 1), writes: [(2, 11)])
        expect(history(one, two), breaks: .uniqueTimes, by: "n1.1", "n2.1")
    }

    @Test func aContentThatNobodyWrote() {
        let one = transaction("n1.1", 10, 20, at: GlobalTime(1, 1), writes: [(1, 11)])
        let two = transaction("n2.1", 10, 30, reads: [(2, GlobalTime(1, 1), 11)])
        expect(history(one, two), breaks: .written, by: "n1.1", "n2.1")
    }

    @Test func twoValuesOfOneVersion() {
        var spoilt = right
        spoilt.transactions[3].reads[0].value = 101
        expect(spoilt, breaks: .oneValue, by: "n1.1", "n3.1")
    }

    @Test func aWriterInThePast() {
        let one = transaction("n1.1", 10, 20, at: GlobalTime(1, 2), writes: [(1, 11)])
        let two = transaction("n2.1", 30, 40, at: GlobalTime(1, 1), writes: [(2, 11)])
        expect(history(one, two), breaks: .realTime, by: "n1.1", "n2.1")
        var uncertain = history(one, two)
        uncertain.clockError = 10
        #expect(Checker.check(uncertain).isRight)
    }

    @Test func aNodeThatGoesBack() {
        let one = transaction("n1.1", 10, 20, at: GlobalTime(1, 1), writes: [(1, 11)])
        let two = transaction("n1.2", 30, 40, at: .zero, reads: [(1, .zero, 0)])
        expect(history(one, two), breaks: .nodeOrder, by: "n1.1", "n1.2")
    }

    @Test func somethingReadBeforeItWasWritten() {
        let one = transaction("n1.1", 30, 40, at: GlobalTime(1, 1), writes: [(1, 11)])
        let two = transaction("n2.1", 10, 20, reads: [(1, GlobalTime(1, 1), 11)])
        expect(history(one, two), breaks: .causality, by: "n1.1", "n2.1")
    }

    @Test func aCommitThatIsNotRecorded() {
        var spoilt = right
        spoilt.transactions.remove(at: 0)
        spoilt.transactions.removeLast()
        expect(spoilt, breaks: .complete, by: "n2.1")
        var lost = transaction("n3.2", 0, 0)
        lost.outcome = .unknown
        spoilt.transactions.append(lost)
        #expect(Checker.check(spoilt).isRight)
    }

    @Test func commitsBeforeTheStartMayBeMissing() {
        var late = right
        late.transactions.remove(at: 0)
        late.saved[0].time = GlobalTime(1, 1)
        late.saved[1].time = GlobalTime(1, 2)
        #expect(Checker.check(late).isRight)
    }

    @Test func unlistedWritesMayBeAnything() {
        var one = transaction("n1.1", 10, 20, at: GlobalTime(1, 1), writes: [(1, 11)])
        one.hasUnlistedWrites = true
        let two = transaction("n2.1", 10, 30, reads: [(2, GlobalTime(1, 1), 11)])
        #expect(Checker.check(history(one, two)).isRight)
    }
}

struct EpochTests {
    private let opening = Opening(epoch: 2, stays: GlobalTime(1, 1))
    private let first = transaction("n1.1", 10, 20, at: GlobalTime(1, 1), writes: [(1, 11)])
    private let lost = {
        var lost = transaction(
            "n2.1", 21, 30, at: GlobalTime(1, 2), reads: [(1, GlobalTime(1, 1), 11)], writes: [(1, 12)])
        lost.isNamedUndone = true
        return lost
    }()
    private let witness = transaction("n2.2", 31, 40, reads: [(1, GlobalTime(1, 2), 12)])
    private let again = transaction(
        "n1.2", 50, 60, at: GlobalTime(2, 2), reads: [(1, GlobalTime(1, 1), 11)], writes: [(1, 13)])

    @Test func undoneCommitsAreABranchOfTheirOwn() {
        let verdict = Checker.check(history(first, lost, witness, again, openings: [opening]))
        #expect(verdict.isRight, "\(verdict.smallest?.sentence ?? "")")
        #expect(verdict.counts.undone == 1)
    }

    @Test func readingWhatIsUndone() {
        var late = again
        late.reads[0] = Read(key: 1, value: 12, version: GlobalTime(1, 2))
        let verdict = Checker.check(history(first, lost, late, openings: [opening]))
        #expect(verdict.violations == [.serial: 1])
        #expect(verdict.smallest?.sentence.contains("epoch 2 has undone") == true)
    }

    @Test func undoneIsNamedExactly() {
        var unnamed = lost
        unnamed.isNamedUndone = false
        #expect(Checker.check(history(first, unnamed, openings: [opening])).violations == [.undone: 1])
        var named = first
        named.isNamedUndone = true
        #expect(Checker.check(history(named)).violations == [.undone: 1])
    }

    @Test func whatIsSavedStays() {
        let verdict = Checker.check(history(first, lost, openings: [opening], saved: GlobalTime(1, 2)))
        #expect(verdict.violations == [.saved: 1])
        #expect(verdict.smallest?.transactions == [1])
        var back = history(first, saved: GlobalTime(1, 1))
        back.saved.append(Saved(.zero, at: 0))
        #expect(Checker.check(back).violations == [.saved: 1])
    }

    @Test func theCounterGoesOnInANewEpoch() {
        let jump = transaction("n1.2", 50, 60, at: GlobalTime(2, 1), writes: [(1, 13)])
        #expect(Checker.check(history(first, jump)).violations[.uniqueTimes] == 1)
    }
}
