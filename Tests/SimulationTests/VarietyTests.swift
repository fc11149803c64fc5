import Testing
import Wire

@testable import Simulation

/// Programs with a hash table and a linked list, and what else only some seeds have.
struct VarietyTests {
    /// A memory in which steps run one after the other.
    private struct Memory {
        var workload: Workload
        var pages: [[UInt64]]
        var done = [UInt64](repeating: 0, count: 9)

        init(_ layout: Layout) {
            workload = Workload(layout: layout, seed: 5)
            pages = [[UInt64]](repeating: [UInt64](repeating: 0, count: PageFrames.words), count: layout.sharedPages)
            perform(.makeHeap, at: 1)
        }

        func content(_ page: PageNumber) -> [UInt64] { pages[Int(page.index)] }

        /// The pages that a step reads, each only after what leads to it.
        func reads(of step: Step, at node: UInt8) -> [PageNumber] {
            var reads = workload.reads(of: step, at: Station(node))
            while let last = reads.last, let next = workload.follow(step, from: last, content(last)) {
                reads.append(next)
            }
            return reads
        }

        mutating func perform(_ step: Step, at node: UInt8) {
            let known = Set(reads(of: step, at: node))
            let writes = workload.writes(of: step, at: Station(node)) { page in
                if step != .makeHeap { #expect(known.contains(page), "\(step) uses a page that it did not read") }
                return content(page)
            }
            #expect(writes != nil, "\(step) found something broken")
            for (page, content) in writes ?? [] { pages[Int(page.index)] = content }
        }

        func isWhole(_ audit: Step) -> Bool {
            workload.writes(of: audit, at: Station(1), content) != nil
        }
    }

    private static let layout = Layout(accounts: 4, registers: 2, bulk: 0, buckets: 3, links: 9)

    private func worked(_ steps: Int) -> (memory: Memory, kinds: [String: Int]) {
        var memory = Memory(Self.layout)
        var kinds: [String: Int] = [:]
        for number in 0..<steps {
            let node = UInt8(1 + number % 8)
            let step = memory.workload.step(of: Station(node), after: memory.done[Int(node)])
            memory.perform(step, at: node)
            memory.done[Int(node)] += 1
            kinds[String("\(step)".prefix { $0 != "(" }), default: 0] += 1
            for audit in memory.workload.audits where number % 10 == 0 {
                #expect(memory.isWhole(audit), "\(audit) after \(number) steps")
            }
        }
        return (memory, kinds)
    }

    @Test func tablesAndListsStayWhole() {
        let (memory, kinds) = worked(3000)
        #expect(memory.workload.audits == [.audit, .auditCounter, .auditTable, .auditList])
        for kind in ["insert", "move", "toggle", "increment", "transfer", "write"] {
            #expect(kinds[kind, default: 0] > 100, "\(kind)")
        }
    }

    /// Each page, put back to what it was some steps earlier, is missed by an audit.
    @Test func aLostChangeIsSeen() {
        var (memory, _) = worked(200)
        var seen = 0
        for number in 200..<600 {
            let node = UInt8(1 + number % 8)
            let step = memory.workload.step(of: Station(node), after: memory.done[Int(node)])
            let before = memory.pages
            memory.perform(step, at: node)
            memory.done[Int(node)] += 1
            guard let audit = auditOf(step) else { continue }
            let changed = memory.pages.indices.filter {
                memory.pages[$0] != before[$0] && $0 > Layout.maximumNodes
            }
            for index in changed {
                var lost = memory
                lost.pages[index] = before[index]
                let isMissed = lost.isWhole(audit)
                #expect(!isMissed, "\(step), page \(index)")
                seen += 1
            }
        }
        #expect(seen > 200)
    }

    private func auditOf(_ step: Step) -> Step? {
        switch step {
        case .insert, .move: .auditTable
        case .toggle: .auditList
        default: nil
        }
    }

    /// Every kind of it is drawn, and by most seeds none.
    @Test func varietyIsDrawn() {
        let drawn = (1...1000).map { Variety(seed: UInt64($0), .all) }
        #expect((80...200).contains(drawn.filter { $0.nodes != nil }.count))
        for nodes in 6...8 { #expect(drawn.contains { $0.nodes == nodes }) }
        #expect(drawn.filter { $0.buckets > 0 }.count > 150 && drawn.filter { $0.links > 0 }.count > 150)
        #expect(drawn.filter { $0.scanPause > 0 }.count > 80)
        let pauses = drawn.compactMap(\.longPause)
        #expect(pauses.contains { $0.station == 0 } && pauses.contains { $0.nanoseconds > 100 * Scenario.second })
        #expect((1...1000).allSatisfy { Variety(seed: $0, .uniform).nodes == nil })
    }

    /// Some of them, whole: the longest pauses, and the most nodes with all programs.
    @Test func variedClustersAreSound() throws {
        let seeds = (1...3000).map { UInt64($0) }
        let paused = seeds.filter { (Variety(seed: $0, .all).longPause?.nanoseconds ?? 0) > 60 * Scenario.second }
        let crowded = seeds.filter {
            let variety = Variety(seed: $0, .all)
            return variety.nodes == 8 && variety.buckets > 0 && variety.links > 0 && variety.accounts != nil
        }
        #expect(paused.count >= 4 && crowded.count >= 4)
        for seed in paused.prefix(4) + crowded.prefix(4) {
            let verdict = Simulation.run(seed: seed)
            #expect(verdict.isSound, "\(verdict.description)")
            #expect(verdict.duration > 60 * Scenario.second || crowded.contains(seed))
        }
    }
}
