import Testing
import Wire

@testable import Protocol

/// How an arbiter asks for what it saves, and how it is answered [P26].
struct SavingTests {
    /// What one request asks for.
    struct Run: Equatable {
        var first: UInt32
        var count: UInt16
    }

    @Test func neighboursOfACommitAreAskedForInOneFrame() {
        let arbiter = AskingArbiter()
        arbiter.commit([3, 4, 5, 9, 10, 12])
        #expect(arbiter.takeRequests() == [Run(first: 3, count: 3), Run(first: 9, count: 2), Run(first: 12, count: 1)])
        #expect(arbiter.wanted == GlobalTime(epoch: 1, counter: 1))
    }

    @Test func aRunIsNoLongerThanARequestAndAllTogetherThanTheWindow() {
        let arbiter = AskingArbiter()
        arbiter.commit(Array(0..<200))
        let most = UInt32(Limits.trainPages)
        let window = UInt32(Saving.window(piecesPerPage: PageReply.pieces(maximumFrame: Limits.standardFrameBytes)))
        let begun = (0..<window / most).map { Run(first: $0 * most, count: UInt16(most)) }
        #expect(arbiter.takeRequests() == begun)
        // A run is asked for when there is room for all of it.
        let room = most * UInt32(begun.count + 1) - window
        for page in 0..<room - 1 { arbiter.answer(page) }
        #expect(arbiter.takeRequests() == [])
        arbiter.answer(room - 1)
        #expect(arbiter.takeRequests() == [Run(first: most * UInt32(begun.count), count: UInt16(most))])
    }

    /// A train is as many answers; what is not in it is asked for page by page.
    @Test func aTrainIsAsManyAnswers() {
        let arbiter = AskingArbiter()
        arbiter.commit([3, 4, 5, 6, 7])
        _ = arbiter.takeRequests()
        arbiter.train(4, count: 3)
        #expect(arbiter.saved == [4, 5, 6])
        // The same again, and one of another version, bring nothing.
        arbiter.train(3, count: 3, counter: 9)
        arbiter.train(4, count: 3)
        #expect(arbiter.saved == [4, 5, 6])
        arbiter.pass(arbiter.tuning.retry)
        #expect(arbiter.takeRequests() == [Run(first: 3, count: 1), Run(first: 7, count: 1)])
        // Of a page that has come in part already, the train's bytes count; of others that nobody wants, none.
        arbiter.train(6, count: 3)
        #expect(arbiter.saved == [4, 5, 6, 7] && arbiter.held == .zero)
        arbiter.answer(3)
        #expect(arbiter.held == GlobalTime(epoch: 1, counter: 1))
    }

    /// An answer to another question is none.
    @Test func aTrainOfAnotherQuestionIsNotTaken() {
        let arbiter = AskingArbiter()
        arbiter.commit([3, 4])
        arbiter.train(3, count: 2, nonce: 1 << 20)
        #expect(arbiter.saved == [] && arbiter.held == .zero)
        arbiter.train(3, count: 2)
        #expect(arbiter.saved == [3, 4] && arbiter.held == GlobalTime(epoch: 1, counter: 1))
    }

    /// A round that took long is followed by a long pause, unless somebody waits for a checkpoint; then by none, or a
    /// short one if somebody has waited just before.
    @Test func whoWaitsForACheckpointWaitsForNoPause() {
        let arbiter = AskingArbiter()
        saveSlowly([3], arbiter)
        arbiter.commit([4])
        arbiter.pass(Arbiter.saveInterval)
        #expect(arbiter.takeRequests() == [])
        arbiter.hasten()
        arbiter.pass(0)
        #expect(arbiter.takeRequests() == [Run(first: 4, count: 1)])
        for _ in 0..<5 { arbiter.pass(10 * Tuning.millisecond) }
        arbiter.answer(4)
        _ = arbiter.takeRequests()
        arbiter.commit([5])
        arbiter.hasten()
        arbiter.pass(Arbiter.saveInterval)
        #expect(arbiter.takeRequests() == [])
        arbiter.pass(Arbiter.hastyPause - Arbiter.saveInterval)
        #expect(arbiter.takeRequests() == [Run(first: 5, count: 1)])
    }

    /// The round under way is of an earlier state than is waited for: the next one follows at once.
    @Test func hasteOutlivesTheRoundUnderWay() {
        let arbiter = AskingArbiter()
        arbiter.commit([3])
        _ = arbiter.takeRequests()
        arbiter.commit([4])
        arbiter.hasten()
        for _ in 0..<5 { arbiter.pass(10 * Tuning.millisecond) }
        _ = arbiter.takeRequests()
        arbiter.answer(3)
        arbiter.pass(0)
        #expect(arbiter.takeRequests() == [Run(first: 4, count: 1)])
    }

    /// A round after which the pause is as long as there is one.
    private func saveSlowly(_ pages: [UInt32], _ arbiter: AskingArbiter) {
        arbiter.commit(pages)
        _ = arbiter.takeRequests()
        for _ in 0..<5 { arbiter.pass(10 * Tuning.millisecond) }
        for page in pages { arbiter.answer(page) }
        _ = arbiter.takeRequests()
    }

    @Test func whatDoesNotComeIsAskedForPageByPage() {
        let arbiter = AskingArbiter()
        arbiter.commit([3, 4, 5, 6])
        _ = arbiter.takeRequests()
        arbiter.answer(3)
        arbiter.answer(6)
        arbiter.pass(arbiter.tuning.retry)
        #expect(arbiter.takeRequests() == [Run(first: 4, count: 1), Run(first: 5, count: 1)])
        // An answer to the first question is as good as one to the second.
        arbiter.answer(4, try: 0)
        arbiter.answer(5, try: 1)
        #expect(arbiter.held == GlobalTime(epoch: 1, counter: 1))
        #expect(arbiter.saved == [3, 6, 4, 5])
    }

    @Test func oneAnswerCountsOnce() {
        let arbiter = AskingArbiter()
        arbiter.commit([3, 4])
        _ = arbiter.takeRequests()
        arbiter.answer(3)
        arbiter.answer(3)
        #expect(arbiter.held == .zero)
        arbiter.answer(4)
        #expect(arbiter.saved == [3, 4])
    }

    @Test func aPageThatIsNamedTwiceIsSavedOnce() {
        let arbiter = AskingArbiter()
        arbiter.commit([3, 3, 4])
        #expect(arbiter.takeRequests() == [Run(first: 3, count: 2)])
        arbiter.answer(3)
        arbiter.answer(4)
        #expect(arbiter.held == GlobalTime(epoch: 1, counter: 1))
    }

    @Test func aRunOfTheNextRoundIsOfThatRound() {
        let arbiter = AskingArbiter()
        arbiter.commit([3, 4])
        arbiter.answer(3)
        arbiter.answer(4)
        arbiter.commit([4, 5])
        arbiter.pass(Arbiter.saveInterval + 3 * Tuning.millisecond)
        #expect(arbiter.takeRequests().last == Run(first: 4, count: 2))
        arbiter.answer(3)
        arbiter.answer(4)
        #expect(arbiter.held.counter == 1)
        arbiter.answer(5)
        #expect(arbiter.held.counter == 2)
    }

    @Test func everyPageOfARunIsSpokenOf() {
        var world = QuietWorld()
        var arbiter = Sender(.arbiter)
        var core = NodeCore.joined(by: &arbiter, tokenHolder: Station(1), &world)
        // The last two of the four lie behind the end of the memory.
        let request = PageRequest(
            nonce: 32, page: PageNumber(14), count: 4, requester: .arbiter, requesterIncarnation: 1, applied: .zero,
            wanted: GlobalTime(epoch: 1, counter: 7))
        core.receive(arbiter.frame(request, to: Station(1), epoch: 1).span.bytes, now: 3, &world)
        let absent = world.sent.filter { $0[17] == FrameHeader.Kind.pageAbsent.rawValue }
            .compactMap { PageAbsent.parse($0.span.bytes) }
        #expect(absent.map(\.page.index) == [14, 15])
        #expect(absent.allSatisfy { $0.nonce == 32 })
    }
}

/// An arbiter that did nothing for a while, be it because of its disk: frames that waited meanwhile are read before it
/// looks at the clock.
struct DeafArbiterTests {
    @Test func whatItDidNotHearIsNotMissed() {
        let arbiter = AskingArbiter()
        arbiter.commit([1])
        arbiter.sleep(3_000 * Tuning.millisecond)
        arbiter.missToken()
        #expect(arbiter.polls == 0)
        // Later it hears as well as anybody.
        for _ in 0..<12 { arbiter.pass(100 * Tuning.millisecond) }
        arbiter.missToken()
        #expect(arbiter.polls == 1)
    }
}

/// What nodes send unasked, because somebody waits for it to be durable [P27].
struct PushTests {
    /// An arbiter that has just saved: the next round waits until it is due, or wanted.
    private func restingArbiter() -> AskingArbiter {
        let arbiter = AskingArbiter()
        arbiter.commit([1])
        arbiter.answer(1)
        _ = arbiter.takeRequests()
        return arbiter
    }

    @Test func whatWasPushedIsNotAskedFor() {
        let arbiter = restingArbiter()
        arbiter.commit([3, 7])
        arbiter.push(3, counter: 2)
        arbiter.push(7, counter: 2)
        #expect(arbiter.held.counter == 1)
        arbiter.wantSaved()
        #expect(arbiter.takeRequests() == [])
        #expect(arbiter.held.counter == 2)
        #expect(arbiter.saved == [1, 3, 7])
    }

    @Test func whatWasPushedInPartIsAskedFor() {
        let arbiter = restingArbiter()
        arbiter.commit([3, 7])
        arbiter.push(3, counter: 2)
        arbiter.push(7, counter: 2, pieces: 0..<1)
        arbiter.wantSaved()
        #expect(arbiter.takeRequests() == [SavingTests.Run(first: 7, count: 1)])
        // A piece that comes late is one of the answer; those of the first try are lost.
        arbiter.push(7, counter: 2, pieces: 1..<3)
        #expect(arbiter.held.counter == 1)
        arbiter.push(7, counter: 2, pieces: 0..<1)
        #expect(arbiter.held.counter == 2)
    }

    @Test func onlyTheNewestVersionIsKept() {
        let arbiter = restingArbiter()
        arbiter.push(3, counter: 2)
        arbiter.commit([3])
        arbiter.push(4, counter: 2)
        arbiter.push(3, counter: 1)
        arbiter.wantSaved()
        #expect(arbiter.takeRequests() == [SavingTests.Run(first: 3, count: 1)])
        arbiter.answer(3)
        #expect(arbiter.saved == [1, 3])
    }

    @Test func whatWasOverwrittenSinceIsAskedForAnew() {
        let arbiter = restingArbiter()
        arbiter.commit([3, 4])
        arbiter.push(3, counter: 2)
        arbiter.push(4, counter: 2)
        arbiter.commit([3, 5])
        arbiter.wantSaved()
        #expect(arbiter.takeRequests() == [SavingTests.Run(first: 3, count: 1), SavingTests.Run(first: 5, count: 1)])
        arbiter.answer(3)
        arbiter.answer(5)
        #expect(arbiter.held.counter == 3)
        #expect(arbiter.saved == [1, 4, 3, 5])
    }

    @Test func aNewerPushTakesThePlaceOfAnOlder() {
        let arbiter = restingArbiter()
        arbiter.commit([3])
        arbiter.push(3, counter: 2)
        arbiter.commit([3])
        arbiter.push(3, counter: 3)
        arbiter.wantSaved()
        #expect(arbiter.takeRequests() == [])
        #expect(arbiter.held.counter == 3)
    }

    @Test func whatTheImageHasIsNotSavedAgain() {
        let arbiter = restingArbiter()
        arbiter.push(1, counter: 1)
        arbiter.commit([3])
        arbiter.push(3, counter: 2)
        arbiter.wantSaved()
        #expect(arbiter.saved == [1, 3])
    }

    /// A train that nobody asked for brings its pages and asks for their save, wherever they lie; once.
    @Test func aPushedTrainAsksForItsSave() {
        let arbiter = restingArbiter()
        arbiter.commit([3, 9])
        arbiter.train([3, 9], GlobalTime(epoch: 1, counter: 2), nonce: PageReply.unasked)
        #expect(arbiter.saved == [1, 3, 9] && arbiter.takeRequests() == [])
        #expect(arbiter.held == GlobalTime(epoch: 1, counter: 2))
        arbiter.train([3, 9], GlobalTime(epoch: 1, counter: 2), nonce: PageReply.unasked)
        arbiter.pass(Arbiter.longestPause)
        #expect(arbiter.saved == [1, 3, 9] && arbiter.takeRequests() == [])
    }

    /// What is in no train, or of another version, is asked for.
    @Test func aPushedTrainOfAnOldVersionIsNotTaken() {
        let arbiter = restingArbiter()
        arbiter.commit([3, 9])
        arbiter.commit([3])
        arbiter.train([3, 9], GlobalTime(epoch: 1, counter: 2), nonce: PageReply.unasked)
        #expect(arbiter.saved == [1, 9])
        #expect(arbiter.takeRequests() == [SavingTests.Run(first: 3, count: 1)])
    }

    @Test func noMoreThanAWindowOfPagesIsKept() {
        let arbiter = restingArbiter()
        let most = UInt32(PushedPages.limit)
        arbiter.commit(Array(2..<most + 3))
        for page in 2..<most + 3 { arbiter.push(page, counter: 2) }
        arbiter.wantSaved()
        #expect(arbiter.takeRequests() == [SavingTests.Run(first: most + 2, count: 1)])
    }
}
