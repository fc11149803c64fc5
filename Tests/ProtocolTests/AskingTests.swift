import Testing
import Wire

@testable import Protocol

/// What is asked for again and again: by which nonce, after which time, and put together from which pieces.
struct AskingTests {
    private let tuning = Tuning()
    private let millisecond = Tuning.millisecond

    @Test func anAnswerToAnyTryIsAnAnswer() {
        var question = Question(nonce: 0xABC7)
        #expect(!question.isAnswered(by: 0xABC0), "it was not asked yet")
        let nonces = [100, 200, 400].map { question.ask($0) }
        #expect(nonces == [0xABC0, 0xABC1, 0xABC2])
        for nonce in nonces { #expect(question.isAnswered(by: nonce)) }
        #expect(!question.isAnswered(by: 0xABD0))
        // How long the first and the last try took is known; what was in between is not.
        #expect(question.delay(of: nonces[0], 450) == 350)
        #expect(question.delay(of: nonces[1], 450) == nil)
        #expect(question.delay(of: nonces[2], 450) == 50)
        for _ in 0..<200 { _ = question.ask(500) }
        #expect(question.tries == 100 && question.isAnswered(by: question.ask(600)))
    }

    @Test func waitsGrowWithTheWayAndWithTheTries() {
        var patience = Patience()
        #expect((0..<6).map { patience.wait($0, tuning) / millisecond } == [8, 16, 32, 64, 64, 64])
        for _ in 0..<100 { patience.note(200_000) }
        #expect(patience.wait(0, tuning) == tuning.retry, "a short way changes nothing")
        for _ in 0..<100 { patience.note(80 * millisecond) }
        #expect(patience.wait(0, tuning) > 150 * millisecond)
        for _ in 0..<100 { patience.note(.max) }
        #expect(patience.wait(9, tuning) <= 2 * Patience.longestSample)
    }

    @Test func aGapIsLeftAloneAndThenAskedForOnce() {
        var patience = Patience()
        var gap = CatchUp()
        gap.hear(of: 9, from: Station(2))
        gap.want(at: 500)
        #expect(gap.due(after: 4, 499, patience, tuning) == nil)
        #expect(gap.due(after: 4, 500, patience, tuning) == 5)
        let deadline = gap.deadline
        // What is heard while a request is under way is no reason to ask again.
        gap.hear(of: 12, from: Station(3))
        gap.want(at: 600)
        #expect(gap.deadline == deadline && gap.heardFrom == Station(3))
        // All that was asked for has come: the rest at once, and the way is known.
        gap.progress(to: 9, 80 * millisecond, &patience, tuning)
        #expect(patience.wait(0, tuning) > 100 * millisecond)
        #expect(gap.due(after: 9, 80 * millisecond, patience, tuning) == 3)
        gap.progress(to: 12, 160 * millisecond, &patience, tuning)
        #expect(gap.deadline == .max && gap.counter == 0)
    }

    /// Seed 856863964: who told of a commit first was gone, and the others who had it were never asked.
    @Test func whoIsStillThereIsAsked() {
        var gap = CatchUp()
        gap.hear(of: 9, from: .arbiter)
        gap.hear(of: 9, from: Station(2))
        #expect(gap.heardFrom == Station(2))
        gap.hear(of: 9, from: .arbiter)
        gap.hear(of: 8, from: Station(3))
        #expect(gap.heardFrom == Station(2), "who knows more, as long as it was not asked in vain")
        gap.want(at: 0)
        #expect(gap.due(after: 4, 0, Patience(), tuning) == 5)
        gap.hear(of: 8, from: Station(3))
        #expect(gap.heardFrom == Station(3) && gap.counter == 9)
    }

    @Test func aPartTeachesNothingOfTheWay() {
        var patience = Patience()
        var gap = CatchUp()
        gap.hear(of: 9, from: Station(2))
        gap.want(at: 0)
        #expect(gap.due(after: 4, 0, patience, tuning) == 5)
        gap.progress(to: 6, 80 * millisecond, &patience, tuning)
        #expect(patience.wait(0, tuning) == tuning.retry)
        #expect(gap.deadline == 80 * millisecond + tuning.reorder)
    }

    @Test func piecesOfOneVersionAndOneCutMakeAPage() {
        let page = PageNumber(3)
        func pieces(_ version: UInt64, frame: Int) -> [PageReply] {
            var list: [PageReply] = []
            PagePieces.split(page, GlobalTime(epoch: 1, counter: version), nonce: 1, maximumFrame: frame) {
                list.append($0)
            }
            return list
        }
        let (old, new) = (pieces(1, frame: 1514), pieces(2, frame: 1514))
        #expect(new.count == 3)
        var assembly = PagePieces()
        #expect(assembly.take(old[0]) == .first)
        #expect(assembly.take(new[1]) == .first, "a newer version begins anew")
        #expect(assembly.take(old[2]) == .unwanted)
        #expect(assembly.take(new[1]) == .unwanted)
        #expect(assembly.take(new[0]) == .another && !assembly.isComplete)
        // Another station cuts it otherwise.
        let whole = pieces(2, frame: 4352)
        #expect(whole.count == 1 && assembly.take(whole[0]) == .first && assembly.isComplete)
        #expect(assembly.take(new[2]) == .unwanted)
        #expect(assembly.version == GlobalTime(epoch: 1, counter: 2))
    }
}
