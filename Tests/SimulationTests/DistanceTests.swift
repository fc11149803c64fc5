import Protocol
import Testing
import Wire

@testable import Simulation

/// Slow links, and links that are cut between two nodes only: no reason for an epoch [P14, P25].
struct DistanceTests {
    /// Peaceful runs but for the distance: there nothing is ever missing, so each epoch would be a failure.
    @Test(arguments: 1...40 as ClosedRange<UInt64>) func aLongWayIsNoLoss(seed: UInt64) {
        let verdict = Simulation.run(seed: seed, trouble: .distance, oneWay: 10 + seed * 4)
        #expect(verdict.failures.isEmpty, "seed \(seed): \(verdict.failures)")
        #expect(verdict.commits >= 300)
        #expect(verdict.epochs <= 1)
    }

    @Test func theTokenGoesRoundACut() {
        let laboratory = Laboratory(nodes: 3)
        laboratory.cuts = [(1, 3)]
        for round in 0..<5 {
            #expect(increment(laboratory, on: 1), "round \(round), n1")
            #expect(increment(laboratory, on: 3), "round \(round), n3")
        }
        laboratory.pass(200_000_000)
        #expect(laboratory.arbiter.core.epoch == 1)
        #expect(laboratory.arbiter.core.applied.counter == 10)
    }

    /// A grant's queue names stations, not their incarnations: the next grantor may never have heard of a node's newest
    /// one. It learns of it later, and the grant is not lost. (Seed 210741029, before rule P14 said so.)
    @Test func aGrantFollowsARebornNode() {
        let laboratory = Laboratory(nodes: 3)
        laboratory.pass(200_000_000)
        laboratory.cuts = [(1, 3)]
        laboratory.kill(3)
        laboratory.pass(50_000_000)
        laboratory.boot(3)
        laboratory.pass(50_000_000)
        let epoch = laboratory.arbiter.core.epoch
        #expect(laboratory.nodes[2].core.phase == .member)
        for page: UInt32 in [10, 11] { #expect(laboratory.transaction(on: 2, writing: [page])) }
        #expect(laboratory.transaction(on: 1, writing: [12]))
        laboratory.pass(50_000_000)
        laboratory.driven = [1, 2, 3]
        for (number, page) in [(2, 9), (1, 10), (3, 11)] { #expect(start(laboratory, on: number, writing: page)) }
        // n2 has just got the token, so it keeps it for a moment while n1 and then n3 ask for it.
        let known = laboratory.nodes[0].core.endpoint.incarnation(of: Station(3))
        #expect(known > 0 && known < laboratory.nodes[2].core.endpoint.incarnation)
        #expect(commit(laboratory, on: 2) == .waiting)
        #expect(commit(laboratory, on: 2) != .waiting)
        for number in [1, 3] { #expect(commit(laboratory, on: number) == .waiting) }
        for number in [1, 3] {
            var result = NodeCore.CommitResult.waiting
            for _ in 0..<100 where result == .waiting {
                laboratory.pass(5_000_000)
                result = commit(laboratory, on: number)
            }
            #expect(result != .waiting && result != .doomed, "n\(number)")
        }
        #expect(laboratory.arbiter.core.epoch == epoch)
    }

    /// Runs a transaction up to its commit.
    private func start(_ laboratory: Laboratory, on number: Int, writing page: Int) -> Bool {
        let node = laboratory.nodes[number - 1]
        let page = PageNumber(UInt32(page))
        guard node.core.begin(now: node.clock(laboratory.now), &node.memory) else { return false }
        node.core.fetch(page, ahead: 0, now: node.clock(laboratory.now), &node.memory)
        laboratory.pass(60_000_000)
        guard node.core.isPresent(page), node.core.recordWrite(page) else { return false }
        var content = node.memory.read(page)
        Workload.stamp(&content, UInt64(number) << 40)
        node.memory.write(page, content)
        return true
    }

    private func commit(_ laboratory: Laboratory, on number: Int) -> NodeCore.CommitResult {
        let node = laboratory.nodes[number - 1]
        let result = node.core.commit(now: node.clock(laboratory.now), &node.memory)
        if case .committed = result { node.memory.finish() }
        laboratory.settle()
        return result
    }

    /// A transaction that is run again when it was doomed, as a scheduler would.
    private func increment(_ laboratory: Laboratory, on number: Int) -> Bool {
        for _ in 0..<10 {
            if laboratory.transaction(on: number, writing: [9]) { return true }
            laboratory.nodes[number - 1].memory.finish()
            laboratory.nodes[number - 1].core.abort(isConflict: true)
        }
        return false
    }
}
