import Heap
import Kernel

/// Counts the words of a file: maximal runs of ASCII letters, in lower case.
///
/// All nodes take chunks of the file from a shared queue, one transaction a chunk, and count into one
/// shared hash table. A word belongs to the chunk in which it begins.
public struct WordCount: Program {
    public static let name: StaticString = "wordcount"
    public static let usage: StaticString = "FILE"
    public static let summary: StaticString = "counts the words of a file in one shared hash table"
    public static let takesFile = true

    /// A page of input, so that chunks do not share one.
    private static let chunkByteCount = pageByteCount
    /// Words that one transaction writes into the result: each may lie on a page of its own.
    private static let wordsPerStep = 256
    /// A transaction reads and writes a word as a whole: 128 pages each at this length.
    private static let maximumWordByteCount: UInt64 = 512 << 10

    struct Tables: BitwiseCopyable {
        var counts: SharedHashTable
        var chunks: SharedQueue
        /// How far the result is written.
        var written: SharedHashTable.Cursor
        var resultIsBegun: Bool
        var totalWords: UInt64
        var distinctWords: UInt64
    }

    public init(_ arguments: inout Arguments) throws(ArgumentError) {}

    public func prepare(_ context: Context) throws(HeapError) -> Step {
        let memory = context.memory, allocator = context.allocator, input = context.input
        let chunkCount = (input.count + Self.chunkByteCount - 1) / Self.chunkByteCount
        memory[context.common()] = Tables(
            counts: try SharedHashTable(
                bucketCount: bucketCount(for: input.count), memory: memory, allocator: allocator),
            chunks: try SharedQueue(
                itemCount: chunkCount, takers: context.count, memory: memory, allocator: allocator),
            written: SharedHashTable.Cursor(), resultIsBegun: false, totalWords: 0, distinctWords: 0)
        return .done
    }

    public func step(_ context: Context) throws(HeapError) -> Step {
        let memory = context.memory
        let tables = memory[context.common(Tables.self)]
        guard let chunk = tables.chunks.take(context.rank, in: memory) else { return .done }
        var words = WordsOfChunk(
            context.input, from: chunk * Self.chunkByteCount, byteCount: Self.chunkByteCount, in: memory)
        while let word = words.next() {
            guard word.count <= Self.maximumWordByteCount else {
                return .failed("a word is longer than 512 KiB")
            }
            try tables.counts.add(1, to: word, in: memory, allocator: context.allocator)
        }
        return .again
    }

    public func finish(_ context: Context) throws(HeapError) -> Step {
        let memory = context.memory, result = context.result
        var tables = memory[context.common(Tables.self)]
        if !tables.resultIsBegun {
            try result.beginObject()
            try result.name("counts")
            try result.beginObject()
            tables.resultIsBegun = true
        }
        let isComplete = try writeWords(&tables, result, memory)
        if isComplete {
            try result.endObject()
            try result.field("totalWords", tables.totalWords)
            try result.field("distinctWords", tables.distinctWords)
            try result.endObject()
        }
        memory[context.common()] = tables
        return isComplete ? .done : .again
    }

    /// Writes some words into the result; true if those were the last ones.
    private func writeWords(
        _ tables: inout Tables, _ result: JSONWriter, _ memory: SharedMemory
    ) throws(HeapError) -> Bool {
        var bytes: UInt64 = 0
        for _ in 0..<Self.wordsPerStep where bytes < Self.maximumWordByteCount {
            var position = tables.written
            guard let entry = tables.counts.advance(&position, in: memory) else { return true }
            // A long word has a transaction of its own.
            if bytes > 0 && bytes + entry.key.count > Self.maximumWordByteCount { return false }
            try result.field(entry.key, entry.value)
            tables.written = position
            tables.totalWords += entry.value
            tables.distinctWords += 1
            bytes += entry.key.count
        }
        return false
    }

    /// One bucket for 64 bytes of text, between one page of buckets and 64: an English text has about
    /// one distinct word for 50 bytes while it is short, and fewer later.
    private func bucketCount(for byteCount: UInt64) -> UInt64 {
        var count: UInt64 = 1024
        while count < 65536 && count * 64 < byteCount { count *= 2 }
        return count
    }
}
