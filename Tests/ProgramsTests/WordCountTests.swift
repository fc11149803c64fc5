import Heap
import Seeds
import Testing

@testable import Kernel
@testable import Programs

@Suite struct WordCountTests {
    struct Result: Decodable, Equatable {
        let totalWords, distinctWords: UInt64
        let counts: [String: UInt64]
    }

    /// What the host counts, in the plainest way.
    private func expected(_ text: [UInt8]) -> Result {
        var counts: [String: UInt64] = [:]
        var word: [UInt8] = []
        for byte in text + [0] {
            switch byte {
            case 65...90: word.append(byte + 32)
            case 97...122: word.append(byte)
            default:
                if !word.isEmpty { counts[String(decoding: word, as: UTF8.self), default: 0] += 1 }
                word = []
            }
        }
        return Result(
            totalWords: counts.values.reduce(0, +), distinctWords: UInt64(counts.count), counts: counts)
    }

    private func check(_ text: [UInt8], _ run: Run, pageCount: UInt32 = 512) throws {
        let cluster = SimulatedCluster(pageCount: pageCount, nodes: run.nodes, seed: run.seed)
        #expect(try cluster.run("wordcount", input: text) == .finished)
        #expect(try parse(cluster.result) == expected(text))
    }

    /// Words of a skewed distribution, as in a real text, between all kinds of other bytes.
    private func text(_ byteCount: Int, seed: UInt64) -> [UInt8] {
        var generator = SeededGenerator(seed: seed)
        var text: [UInt8] = []
        while text.count < byteCount {
            let rank = 2000 / Int.random(in: 1...2000, using: &generator)
            text += String(rank * 7919 % 99991, radix: 26).utf8.map { $0 < 58 ? $0 + 60 : $0 }
            text += [[32], [10], [44, 32], [195, 169], [39], [64], [91], [96], [123], [0]].randomElement(
                using: &generator)!
        }
        return Array(text.prefix(byteCount))
    }

    @Test(arguments: Run.all)
    func countsWhatTheHostCounts(run: Run) throws {
        try check(text(100_000, seed: run.seed), run)
    }

    @Test(arguments: [0, 1, 4095, 4096, 4097, 8192])
    func textsThatEndAtBorders(byteCount: Int) throws {
        try check(text(byteCount, seed: 3), Run(nodes: 3, seed: 4))
    }

    @Test func anEmptyFileHasNoWords() throws {
        let cluster = SimulatedCluster(pageCount: 128, nodes: 3)
        #expect(try cluster.run("wordcount") == .finished)
        #expect(try parse(cluster.result) == Result(totalWords: 0, distinctWords: 0, counts: [:]))
    }

    /// A word begins, ends, or continues at a border between chunks, in every way.
    @Test func wordsAtChunkBorders() throws {
        for (before, after) in [("a", "b"), ("a", " b"), ("a ", "b"), (" ", " "), ("", ""), (" A", "B ")] {
            var text = [UInt8](repeating: 32, count: 3 * 4096)
            for border in [4096, 8192] {
                text.replaceSubrange(border - before.utf8.count..<border, with: Array(before.utf8))
                text.replaceSubrange(border..<border + after.utf8.count, with: Array(after.utf8))
            }
            try check(text, Run(nodes: 2, seed: 5), pageCount: 256)
        }
    }

    @Test func wordsLongerThanChunks() throws {
        let long = [UInt8](repeating: 97, count: 20_000)
        try check(long, Run(nodes: 3, seed: 6), pageCount: 256)
        try check(Array("x ".utf8) + long + Array(" ".utf8) + long + Array("b".utf8), Run(nodes: 3, seed: 7))
    }

    @Test func aWordMayBeTooLong() throws {
        let cluster = SimulatedCluster(pageCount: 512, nodes: 1)
        let text = [UInt8](repeating: 97, count: 512 * 1024 + 1)
        #expect(try cluster.run("wordcount", input: text) == .failed("a word is longer than 512 KiB"))
    }

    @Test func everyLetterAndNothingElse() throws {
        try check((0...255).flatMap { [UInt8($0), 65, UInt8($0)] }, Run(nodes: 2, seed: 8), pageCount: 128)
    }

    /// Chunks are taken and counted by one transaction: what a dead node did not count, others do.
    @Test(arguments: [30, 60, 90, 150])
    func nothingIsLostWithANode(step: Int) throws {
        let text = text(200_000, seed: 11)
        let cluster = SimulatedCluster(nodes: 3, seed: UInt64(step))
        cluster.beforeStep = { cluster, number in
            if number == step { try cluster.kill(UInt32(step / 30 % 3 + 1)) }
        }
        #expect(try cluster.run("wordcount", input: text) == .finished)
        #expect(try parse(cluster.result) == expected(text))
    }

    @Test func transactionsStayBelow500Pages() throws {
        let cluster = SimulatedCluster(pageCount: 2048, nodes: 3)
        var most = 0
        cluster.onCommit = { _, pages in most = max(most, pages.count) }
        let text = text(300_000, seed: 12)
        #expect(try cluster.run("wordcount", input: text) == .finished)
        #expect(most < 250)
        #expect(try parse(cluster.result) == expected(text))
    }
}
