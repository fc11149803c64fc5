import Foundation
import Heap
import Testing

@testable import Kernel
@testable import Programs

/// How many nodes, and the seed of the interleaving.
struct Run: CustomTestStringConvertible, Sendable {
    let nodes: UInt32
    let seed: UInt64

    var testDescription: String { "\(nodes) nodes, seed \(seed)" }

    static let all = [1, 2, 3, 5].flatMap { nodes in (1...2).map { Run(nodes: nodes, seed: $0) } }
}

/// The result of a job, parsed.
func parse<Value: Decodable>(_ result: String, as _: Value.Type = Value.self) throws -> Value {
    try JSONDecoder().decode(Value.self, from: Data(result.utf8))
}

@Suite struct CounterTests {
    @Test(arguments: Run.all)
    func countsEveryAddition(run: Run) throws {
        let cluster = SimulatedCluster(pageCount: 128, nodes: run.nodes, seed: run.seed)
        #expect(try cluster.run("counter", ["50"]) == .finished)
        #expect(cluster.result == "\(50 * run.nodes)")
        #expect(try cluster.run("counter", ["7", "--continue"]) == .finished)
        #expect(cluster.result == "\(57 * run.nodes)")
        #expect(try cluster.run("counter", ["--continue", "1"]) == .finished)
        #expect(cluster.result == "\(58 * run.nodes)")
        #expect(try cluster.run("counter", ["3"]) == .finished)
        #expect(cluster.result == "\(3 * run.nodes)")
    }

    @Test func anAdditionWritesTwoPages() throws {
        let cluster = SimulatedCluster(pageCount: 128, nodes: 3)
        var most = 0
        cluster.onCommit = { phase, pages in
            if phase == .running { most = max(most, pages.count) }
        }
        #expect(try cluster.run("counter", ["50"]) == .finished)
        // The number and the node's own page; with the last one, that the part is done.
        #expect(most == 3)
    }

    @Test func survivesRestartsOfNodes() throws {
        let cluster = SimulatedCluster(pageCount: 128, nodes: 3, seed: 9)
        cluster.beforeStep = { cluster, step in
            if step % 40 == 39 { cluster.restart(UInt32(step / 40 % 3 + 1)) }
        }
        #expect(try cluster.run("counter", ["200"]) == .finished)
        #expect(cluster.result == "600")
    }
}

@Suite struct BankTests {
    struct Result: Decodable {
        let accounts, transfers, audits, sum, expectedSum, violations: UInt64
    }

    @Test(arguments: Run.all)
    func theSumIsInvariant(run: Run) throws {
        let cluster = SimulatedCluster(pageCount: 256, nodes: run.nodes, seed: run.seed)
        #expect(
            try cluster.run("bank", ["--accounts", "40", "--transfers", "60", "--audit-every", "4"])
                == .finished)
        let result = try parse(cluster.result, as: Result.self)
        #expect(result.accounts == 40 && result.transfers == UInt64(60 * run.nodes))
        #expect(result.sum == 40_000 && result.expectedSum == 40_000 && result.violations == 0)
        // A node's transactions 4, 8, ... are audits; the last may come before the last transfer.
        #expect((UInt64(19 * run.nodes)...UInt64(20 * run.nodes)).contains(result.audits))
    }

    @Test func auditsWriteNothingAndTransfersLittle() throws {
        let cluster = SimulatedCluster(pageCount: 256, nodes: 2)
        var counts: [Int: Int] = [:]
        cluster.onCommit = { phase, pages in
            if phase == .running { counts[pages.count, default: 0] += 1 }
        }
        #expect(try cluster.run("bank") == .finished)
        #expect(counts[0]! >= 40, "audits")
        #expect(counts.keys.max()! <= 4, "two accounts, the node's own page, once that it is done")
    }

    @Test func aWrongSumIsAFailure() throws {
        let cluster = SimulatedCluster(pageCount: 256, nodes: 2)
        var isPlanted = false
        cluster.beforeStep = { cluster, step in
            guard !isPlanted, cluster.job.phase == .running else { return }
            isPlanted = true
            let books = cluster.memory[CommonPage.programState.place(0, Bank.Books.self)]
            cluster.memory[books.accounts[3]] += 1
        }
        #expect(try cluster.run("bank") == .failed("an audit saw a wrong sum"))
        let result = try parse(cluster.result, as: Result.self)
        #expect(result.violations > 0 && result.sum == result.expectedSum + 1)
    }

    @Test func aKilledNodeTakesNothingAlong() throws {
        let cluster = SimulatedCluster(pageCount: 256, nodes: 3)
        cluster.beforeStep = { cluster, step in if step == 200 { try cluster.kill(1) } }
        #expect(try cluster.run("bank") == .finished)
        let result = try parse(cluster.result, as: Result.self)
        #expect(result.sum == result.expectedSum && (400..<600).contains(result.transfers))
    }
}

@Suite struct RegisterTests {
    struct Result: Decodable {
        let registers, reads, writes: UInt64
        let values: [UInt64]
    }

    /// Follows the versions of each register, from 0, through all lines that were printed.
    @Test(arguments: Run.all)
    func historyIsComplete(run: Run) throws {
        let cluster = SimulatedCluster(pageCount: 512, nodes: run.nodes, seed: run.seed)
        #expect(try cluster.run("register", ["--registers", "3", "--transactions", "80"]) == .finished)
        let result = try parse(cluster.result, as: Result.self)
        #expect(result.registers == 3)
        #expect(result.reads == UInt64(160 * run.nodes) && result.writes == UInt64(80 * run.nodes))
        var successor: [[UInt64]: UInt64] = [:]
        var values = Set<UInt64>()
        for node in 1...run.nodes {
            let lines = cluster.printed(by: node).split(separator: "\n")
            #expect(lines.count == 80)
            for line in lines {
                let write = line.split(separator: " ")[1].split { $0 == ":" || $0 == ">" }.map { UInt64($0)! }
                #expect(
                    successor.updateValue(write[2], forKey: [write[0], write[1]]) == nil,
                    "two writes after one")
                #expect(values.insert(write[2]).inserted && write[2] >> 32 == node)
            }
        }
        for register in 0..<3 as Range<UInt64> {
            var value: UInt64 = 0
            while let next = successor.removeValue(forKey: [register, value]) { value = next }
            #expect(result.values[Int(register)] == value)
        }
        #expect(successor.isEmpty)
    }
}

@Suite struct MatmulTests {
    struct Result: Decodable, Equatable {
        let size, checksum: UInt64
    }

    private func checksum(_ size: UInt64) -> UInt64 {
        var checksum: UInt64 = 0
        for row in 0..<size {
            for column in 0..<size {
                var sum: UInt64 = 0
                for index in 0..<size {
                    sum &+= Matmul.a(row, index, size: size) &* Matmul.b(index, column, size: size)
                }
                checksum &+= sum &* (row * size + column + 1)
            }
        }
        return checksum
    }

    @Test(arguments: Run.all)
    func equalsTheHostsProduct(run: Run) throws {
        for size in [1, 3, 40] as [UInt64] {
            let cluster = SimulatedCluster(pageCount: 256, nodes: run.nodes, seed: run.seed)
            #expect(try cluster.run("matmul", ["\(size)"]) == .finished)
            #expect(try parse(cluster.result) == Result(size: size, checksum: checksum(size)))
        }
    }

    @Test func missingRowsAreAFailure() throws {
        let cluster = SimulatedCluster(pageCount: 256, nodes: 2)
        cluster.beforeStep = { cluster, step in if step == 0 { try cluster.kill(2) } }
        #expect(try cluster.run("matmul", ["20"]) == .failed("a node died, and its rows are missing"))
    }
}

@Suite struct TransferTests {
    struct Result: Decodable, Equatable {
        let transfers, injectedFailures, violations: UInt64
    }

    @Test(arguments: Run.all)
    func nothingIsHalfDone(run: Run) throws {
        let cluster = SimulatedCluster(pageCount: 128, nodes: run.nodes, seed: run.seed)
        #expect(try cluster.run("transfer", ["--transfers", "21", "--fail-every", "4"]) == .finished)
        let nodes = UInt64(run.nodes)
        #expect(
            try parse(cluster.result)
                == Result(transfers: 21 * nodes, injectedFailures: 5 * nodes, violations: 0))
    }

    @Test func halfATransferIsFound() throws {
        let cluster = SimulatedCluster(pageCount: 128, nodes: 2)
        var isPlanted = false
        cluster.beforeStep = { cluster, step in
            guard !isPlanted, cluster.job.phase == .running else { return }
            isPlanted = true
            let files = cluster.memory[CommonPage.programState.place(0, Transfer.Files.self)]
            cluster.memory[files.first[100]] ^= 1
        }
        #expect(try cluster.run("transfer") == .failed("a transfer was half done"))
        #expect(try parse(cluster.result, as: Result.self).violations > 0)
    }
}

@Suite struct SmallProgramTests {
    @Test func scanReadsEverything() throws {
        struct Result: Decodable {
            struct Node: Decodable { let pagesRead, sum, nanoseconds: UInt64 }
            let pages: UInt64
            let perNode: [Node]
        }
        let cluster = SimulatedCluster(pageCount: 512, nodes: 3)
        #expect(try cluster.run("scan", ["400"]) == .finished)
        let result = try parse(cluster.result, as: Result.self)
        #expect(result.pages == 400 && result.perNode.count == 3)
        for node in result.perNode {
            #expect(node.pagesRead == 400 && node.sum == 80_200 && node.nanoseconds > 0)
        }
    }

    @Test func fillWritesEveryByteAndReadsItAgain() throws {
        struct Result: Decodable {
            struct Beats: Decodable { let beats, nanoseconds, longestPauseNanoseconds: UInt64 }
            struct Node: Decodable {
                let pagesWritten, pagesVerified, pagesOfNextVerified, sum, nanoseconds: UInt64
                let before, after: Beats
            }
            let perNode: [Node]
        }
        let cluster = SimulatedCluster(pageCount: 512, nodes: 3)
        var pages: Set<UInt32> = []
        cluster.onCommit = { phase, changed in
            if phase == .running { pages.formUnion(changed) }
        }
        #expect(try cluster.run("fill", ["100", "--verify"]) == .finished)
        let first = try parse(cluster.result, as: Result.self)
        for node in first.perNode {
            #expect(node.pagesWritten == 100 && node.pagesVerified == 100 && node.pagesOfNextVerified == 100)
        }
        #expect(Set(first.perNode.map(\.sum)).count == 3)
        #expect(first.perNode.count == 3 && pages.count >= 300)
        #expect(try cluster.run("fill", ["100"]) == .finished)
        let second = try parse(cluster.result, as: Result.self)
        #expect(zip(first.perNode, second.perNode).allSatisfy { $0.sum != $1.sum && $1.pagesVerified == 0 })
        let alone = SimulatedCluster(pageCount: 128, nodes: 1)
        #expect(try alone.run("fill", ["1", "--beat", "1"]) == .finished)
        for beats in try parse(alone.result, as: Result.self).perNode.flatMap({ [$0.before, $0.after] }) {
            #expect(beats.beats > 1 && beats.longestPauseNanoseconds > 0 && beats.nanoseconds > 900_000)
        }
    }

    @Test func fillFindsAnotherValue() throws {
        let cluster = SimulatedCluster(pageCount: 512, nodes: 1)
        var isPlanted = false
        cluster.beforeStep = { cluster, _ in
            let own = PartPlaces(SystemLayout.partPage(of: 1)).programState.place(0, Fill.Progress.self)
            let progress = cluster.memory[own]
            guard !isPlanted, cluster.job.phase == .running, progress.writtenCount == 100 else { return }
            isPlanted = true
            cluster.memory[progress.own.words[40 * 512 + 511]] ^= 1
        }
        #expect(try cluster.run("fill", ["100", "--verify"]) == .failed("a page came back with other contents"))
    }

    /// All nodes wrote the same numbers, and another node's page passed for the own one.
    @Test(arguments: [0, 1] as [UInt64]) func fillFindsAPageInAnothersPlace(distance: UInt64) throws {
        // Who writes last finds all others' pages written.
        let outcome = try outcomeOfFill(plantingWhen: { writer, other in
            other.writtenCount == 100 && writer.writtenCount == 100 && writer.readCount < 90
        }) { memory, writer, other in
            // The same page of another node, or another one of the same node.
            let (to, from) = (writer.words, distance == 0 ? other.words : writer.words)
            for word in 90 * 512..<91 * 512 as Range<UInt64> {
                memory[to[word]] = memory[from[word + distance * 512]]
            }
        }
        let words = ["a page came back with other contents", "a page of the next node has other contents"]
        #expect(words.map { .failed($0) }.contains(outcome), "\(outcome)")
    }

    /// What a node has read again is read once more by the one before it: not all can have read first what another
    /// then reads for itself.
    @Test func fillReadsWhatAnotherWrote() throws {
        let areSoFar = { (one: Fill.Progress, reader: Fill.Progress) in
            one.readCount == 100 && reader.nextReadCount < 90
        }
        let outcome = try outcomeOfFill(plantingWhen: areSoFar) { memory, one, _ in
            memory[one.words[90 * 512 + 511]] ^= 1
        }
        #expect(outcome == .failed("a page of the next node has other contents"))
    }

    /// Whenever it dies: who is to read its pages waited for the rest of them, for ever.
    @Test(arguments: 1...3 as ClosedRange<UInt32>) func fillGoesOnWithoutADeadNode(dead: UInt32) throws {
        struct Result: Decodable {
            struct Node: Decodable { let pagesWritten, pagesVerified, pagesOfNextVerified: UInt64 }
            let perNode: [Node]
        }
        var counts: Set<UInt64> = []
        for last in 0..<64 {
            let cluster = SimulatedCluster(pageCount: 320, nodes: 3)
            cluster.beforeStep = { cluster, step in if step == last { try cluster.kill(dead) } }
            #expect(try cluster.run("fill", ["65", "--verify"]) == .finished, "step \(last)")
            var nodes = try parse(cluster.result, as: Result.self).perNode
            // One that died before it began has no entry.
            if nodes.count == 3 { nodes.remove(at: Int(dead) - 1) }
            #expect(nodes.count == 2 && nodes.allSatisfy { $0.pagesWritten == 65 && $0.pagesVerified == 65 })
            // Of nodes 1, 2, 3 without the dead one: the one before it, around the ring.
            let before = dead == 2 ? 0 : 1
            #expect(nodes[1 - before].pagesOfNextVerified == 65)
            counts.insert(nodes[before].pagesOfNextVerified)
        }
        #expect(counts == [0, 64, 65])
    }

    /// Runs it on three nodes, and changes the memory once: when a node and the one before it are so far.
    private func outcomeOfFill(
        plantingWhen areSoFar: @escaping (Fill.Progress, Fill.Progress) -> Bool,
        _ plant: @escaping (SharedMemory, Fill.Pages, Fill.Pages) -> Void
    ) throws -> SimulatedCluster.Outcome {
        let cluster = SimulatedCluster(pageCount: 512, nodes: 3)
        var isPlanted = false
        cluster.beforeStep = { cluster, _ in
            guard !isPlanted, cluster.job.phase == .running else { return }
            let nodes = (1...3 as ClosedRange<UInt32>).map { node in
                cluster.memory[PartPlaces(SystemLayout.partPage(of: node)).programState.place(0, Fill.Progress.self)]
            }
            for place in 0..<3 where !isPlanted && areSoFar(nodes[(place + 1) % 3], nodes[place]) {
                isPlanted = true
                plant(cluster.memory, nodes[(place + 1) % 3].own, nodes[place].own)
            }
        }
        let outcome = try cluster.run("fill", ["100", "--verify"])
        #expect(isPlanted)
        return outcome
    }

    @Test func hogAndSpin() throws {
        let cluster = SimulatedCluster(pageCount: 512, nodes: 2)
        var most = 0
        cluster.onCommit = { _, pages in most = max(most, pages.count) }
        #expect(try cluster.run("hog", ["300"]) == .finished)
        #expect(cluster.result == "300" && most >= 300)
        #expect(try cluster.run("spin", ["1000"]) == .finished)
        #expect(cluster.result == "1000")
    }

    @Test func aFullMemoryEndsTheJob() throws {
        let cluster = SimulatedCluster(pageCount: 128, nodes: 2)
        let full = SimulatedCluster.Outcome.failed("the shared memory is full")
        #expect(try cluster.run("hog", ["57"]) == full)
        #expect(try cluster.run("bank", ["--accounts", "1600"]) == full)
        #expect(try cluster.run("counter", ["1"]) == .finished, "the next job starts clean")
    }

    @Test func faultsHappen() async {
        for kind in ["trap", "overflow", "access", "wild", "loop"] {
            #expect(throws: Never.self) { try ProgramEntry(Fault.self).check([Array(kind.utf8)]) }
        }
        await #expect(processExitsWith: .failure) { faultByTrap(0) }
        await #expect(processExitsWith: .failure) { _ = faultByOverflow(0) }
        await #expect(processExitsWith: .failure) {
            _ = faultByAccess(SimulatedCluster(nodes: 1).memory)
        }
    }
}

@Suite struct ProgramTableTests {
    @Test func namesAreUnique() {
        let names = ProgramTable.all.map { "\($0.name)" }
        #expect(Set(names).count == names.count)
        #expect(
            Set(names).isSuperset(of: ["wordcount", "counter", "bank", "register", "matmul", "transfer"]))
    }

    @Test func argumentsAreCheckedBeforeAnythingStarts() throws {
        let counter = ProgramEntry(Counter.self)
        try counter.check([Array("5".utf8)])
        #expect(throws: ArgumentError.missing("N")) { try counter.check([]) }
        #expect(throws: ArgumentError.notANumber("N")) { try counter.check([Array("x".utf8)]) }
        #expect(throws: ArgumentError.outOfRange("N", least: 1, most: 1_000_000_000)) {
            try counter.check([Array("0".utf8)])
        }
        #expect(throws: ArgumentError.unexpected(index: 1)) {
            try counter.check([Array("5".utf8), Array("6".utf8)])
        }
        #expect(ProgramEntry(WordCount.self).takesFile && !counter.takesFile)
    }
}
