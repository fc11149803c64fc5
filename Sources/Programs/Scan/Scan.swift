import Heap
import Kernel

/// One node writes pages, then all read them from first to last and take the time.
public struct Scan: Program {
    public static let name: StaticString = "scan"
    public static let usage: StaticString = "PAGES"
    public static let summary: StaticString = "reads pages one after the other, for benchmarks"

    /// Pages that one transaction touches.
    private static let pagesPerStep: UInt64 = 256

    struct Pages: BitwiseCopyable {
        var words: SharedArray<UInt64>
        var writtenCount: UInt64
    }

    /// How far one node is.
    struct Progress: BitwiseCopyable {
        var readCount: UInt64
        var sum: UInt64
        /// The node's clock at the first page, and the time since then.
        var start: UInt64
        var nanoseconds: UInt64
    }

    let pageCount: UInt64

    public init(_ arguments: inout Arguments) throws(ArgumentError) {
        pageCount = try arguments.unsigned("PAGES", in: 1...1_000_000)
    }

    public func prepare(_ context: Context) throws(HeapError) -> Step {
        let memory = context.memory, common = context.common(Pages.self)
        if memory[common].words.count == 0 {
            let start = try context.allocator.allocatePages(UInt32(pageCount))
            memory[common].words = SharedArray(start: start, count: pageCount, stride: pageByteCount)
        }
        var pages = memory[common]
        for _ in 0..<Self.pagesPerStep where pages.writtenCount < pageCount {
            memory[pages.words[pages.writtenCount]] = pages.writtenCount + 1
            pages.writtenCount += 1
        }
        memory[common] = pages
        return pages.writtenCount < pageCount ? .again : .done
    }

    public func step(_ context: Context) throws(HeapError) -> Step {
        let memory = context.memory, words = memory[context.common(Pages.self)].words
        var progress = memory[context.own(Progress.self)]
        if progress.start == 0 {
            // A step of its own: the time of reading is that of the steps after it.
            progress.start = max(context.readings.nanoseconds, 1)
            memory[context.own()] = progress
            return .again
        }
        progress.nanoseconds = context.readings.nanoseconds - progress.start
        if progress.readCount < pageCount {
            for _ in 0..<Self.pagesPerStep where progress.readCount < pageCount {
                progress.sum += memory[words[progress.readCount]]
                progress.readCount += 1
            }
            memory[context.own()] = progress
            return .again
        }
        memory[context.own()] = progress
        return .done
    }

    public func finish(_ context: Context) throws(HeapError) -> Step {
        let result = context.result
        try result.beginObject()
        try result.field("pages", pageCount)
        try result.name("perNode")
        try result.beginArray()
        for rank in 0..<context.count {
            guard let progress = context.own(of: rank, Progress.self) else { continue }
            try result.beginObject()
            try result.field("pagesRead", progress.readCount)
            try result.field("sum", progress.sum)
            try result.field("nanoseconds", progress.nanoseconds)
            try result.endObject()
        }
        try result.endArray()
        try result.endObject()
        return .done
    }
}
