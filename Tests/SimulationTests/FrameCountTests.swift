import Protocol
import Testing
import Wire

@testable import Simulation

/// What an operation costs on the network when nothing is lost (DESIGN 4).
struct FrameCountTests {
    private let counter: UInt32 = 9

    @Test func readingWhatIsHereCostsNothing() {
        let laboratory = Laboratory(nodes: 2)
        #expect(laboratory.transaction(on: 1, writing: [counter]))
        let frames = laboratory.frames { laboratory.transaction(on: 1, reading: [counter]) }
        #expect(frames.isEmpty)
    }

    @Test func aCommitWithTheTokenInHandIsOneBroadcast() {
        let laboratory = Laboratory(nodes: 3)
        #expect(laboratory.transaction(on: 1, writing: [counter, 10, 11]))
        let frames = laboratory.frames { laboratory.transaction(on: 1, writing: [counter, 10, 11]) }
        #expect(frames == [.commit])
    }

    @Test func aCommitWithTheTokenElsewhereCostsThree() {
        let laboratory = Laboratory(nodes: 3)
        #expect(laboratory.transaction(on: 1, writing: [counter]))
        #expect(laboratory.transaction(on: 2, reading: [counter]))
        let frames = laboratory.frames { laboratory.transaction(on: 2, writing: [counter]) }
        #expect(frames == [.tokenRequest, .tokenGrant, .commit])
    }

    // The grant brings the records of the last commits, so being a few behind costs no catch-up.
    @Test func aRequesterThatMissedCommitsStillPaysThree() {
        let laboratory = Laboratory(nodes: 3)
        #expect(laboratory.transaction(on: 1, writing: [counter]))
        #expect(laboratory.transaction(on: 3, reading: [20]))
        laboratory.deaf = [3]
        for _ in 0..<5 { #expect(laboratory.transaction(on: 1, writing: [counter])) }
        laboratory.deaf = []
        let frames = laboratory.frames { laboratory.transaction(on: 3, writing: [20]) }
        #expect(frames == [.tokenRequest, .tokenGrant, .commit])
        let applied = laboratory.nodes[2].core.applied
        #expect(applied.counter == 7)
    }

    @Test(arguments: [(Limits.maximumFrameBytes, 1), (Limits.standardFrameBytes, 3)])
    func aRemotePageIsOneRequestAndItsReply(maximumFrameBytes: Int, replies: Int) {
        let laboratory = Laboratory(nodes: 3, maximumFrameBytes: maximumFrameBytes)
        #expect(laboratory.transaction(on: 1, writing: [counter]))
        let frames = laboratory.frames { laboratory.transaction(on: 2, reading: [counter]) }
        #expect(frames == [.pageRequest] + [FrameHeader.Kind](repeating: .pageReply, count: replies))
    }

    @Test func aPageThatNobodyWroteTravelsWithoutBytes() {
        let laboratory = Laboratory(nodes: 2, maximumFrameBytes: Limits.standardFrameBytes)
        let frames = laboratory.frames { laboratory.transaction(on: 2, reading: [counter]) }
        #expect(frames == [.pageRequest, .pageReply])
    }

    @Test func aWriteSetTooLargeForAFrameIsSplit() {
        let laboratory = Laboratory(nodes: 2)
        let pages = (100..<800).map { UInt32($0) }
        #expect(laboratory.transaction(on: 1, writing: pages))
        let frames = laboratory.frames { laboratory.transaction(on: 1, writing: pages) }
        #expect(frames == [.commit, .commit, .commit])
        let applied = laboratory.nodes[1].core.applied
        #expect(applied.counter == 2)
    }

    @Test func anIdleClusterIsQuiet() {
        let laboratory = Laboratory(nodes: 3)
        #expect(laboratory.transaction(on: 1, writing: [counter]))
        laboratory.pass(200_000_000)
        let frames = laboratory.frames { laboratory.pass(1_000_000_000) }
        #expect(frames.isEmpty)
        #expect(laboratory.arbiter.core.saved.counter == 1)
        for node in laboratory.nodes {
            let saved = node.core.saved
            #expect(saved.counter == 1)
        }
    }

    // [P2] Two frames, and then a time that is not older than the question.
    @Test func aStrictReadAsksTheArbiter() {
        let laboratory = Laboratory(nodes: 2)
        #expect(laboratory.transaction(on: 1, writing: [counter]))
        let node = laboratory.nodes[1]
        let frames = laboratory.frames { node.core.askStrict(now: node.clock(laboratory.now), &node.memory) }
        #expect(frames == [.strictRead, .strictAnswer])
        let isStrict = node.core.isStrict
        #expect(isStrict)
    }
}
