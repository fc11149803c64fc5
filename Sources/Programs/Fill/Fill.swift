import Heap
import Kernel

/// Every node writes every byte of pages of its own: work for whoever saves the memory. For a while before that and
/// after it, it commits something small again and again: a witness of how that disturbs.
///
/// With `--verify` it reads its pages again, and then those of the next node, which it has not seen before.
/// Those of a node that has died are not verified any further: what counts of them is what was read until then.
public struct Fill: Program {
    public static let name: StaticString = "fill"
    public static let usage: StaticString = "PAGES [--beat MILLISECONDS] [--verify]"
    public static let summary: StaticString = "every node writes pages of its own, for benchmarks"
    public static var format: UInt32 { 2 }

    /// Pages that one transaction touches.
    private static let pagesPerStep: UInt64 = 64
    private static let wordsPerPage = pageByteCount / 8

    /// Rounds of a loop between two beats, about a millisecond: while nothing is saved the node keeps what each of them
    /// replaced, and has room for some thousands.
    private static let roundsPerBeat = 250_000

    /// Small commits. Times are of the node's clock, nanoseconds.
    struct Beats: BitwiseCopyable {
        var start: UInt64
        var last: UInt64
        var count: UInt64
        /// Between two of them, at most.
        var longestPause: UInt64

        mutating func add(_ now: UInt64) {
            if start == 0 { start = now } else { longestPause = max(longestPause, now - last) }
            last = now
            count += 1
        }
    }

    /// What one node writes.
    struct Pages: BitwiseCopyable {
        var words: SharedArray<UInt64>
        var node: UInt32

        /// Another number for each word of the memory, each node and each of 2^13 runs, so that no page can pass for
        /// another one. It must cost next to nothing: a product with an odd number keeps different numbers different.
        func value(_ word: UInt64, _ run: UInt64) -> UInt64 {
            (words[word].address.offset | UInt64(node) << 44 | run << 51) &* 0x9e37_79b9_7f4a_7c15
        }
    }

    /// How far one node is.
    struct Progress: BitwiseCopyable {
        var own: Pages
        var writtenCount: UInt64
        var readCount: UInt64
        /// What the next node wrote, once all of it is there.
        var next: Pages
        var nextReadCount: UInt64
        /// Of the first word of each page.
        var sum: UInt64
        /// When the writing began and ended.
        var start: UInt64
        var written: UInt64
        var before: Beats
        var after: Beats
        /// What the loop between two beats came to.
        var digest: UInt64
    }

    let pageCount: UInt64
    let beatMilliseconds: UInt64
    let isVerified: Bool

    public init(_ arguments: inout Arguments) throws(ArgumentError) {
        beatMilliseconds = try arguments.option("--beat", default: 0, in: 0...600_000)
        isVerified = arguments.flag("--verify")
        pageCount = try arguments.unsigned("PAGES", in: 1...1_000_000)
    }

    /// Each run writes other numbers than the one before.
    public func prepare(_ context: Context) throws(HeapError) -> Step {
        context.memory[try context.named("fill")] += 1
        return .done
    }

    public func step(_ context: Context) throws(HeapError) -> Step {
        let memory = context.memory, now = max(context.readings.nanoseconds, 1)
        var progress = memory[context.own(Progress.self)]
        if progress.own.words.count == 0 {
            let start = try context.allocator.allocatePages(UInt32(pageCount))
            progress.own = Pages(
                words: SharedArray(start: start, count: pageCount * Self.wordsPerPage), node: context.node)
        } else if progress.writtenCount == 0, isBeating(progress.before, now) {
            progress.before.add(now)
            beat(&progress.digest)
        } else if progress.writtenCount < pageCount {
            if progress.writtenCount == 0 { progress.start = now }
            write(&progress, memory, memory[try context.named("fill")])
            progress.written = now
        } else if isVerified, progress.readCount < pageCount {
            guard isRead(progress.own, &progress.readCount, memory, memory[try context.named("fill")]) else {
                return .failed("a page came back with other contents")
            }
        } else if let rank = nextRank(context), progress.next.words.count == 0 {
            // Looked at once: the next node's progress changes with all that it reads, its pages do not.
            guard let next = context.own(of: rank, Progress.self), next.writtenCount == pageCount else { return .wait }
            progress.next = next.own
        } else if nextRank(context) != nil, progress.nextReadCount < pageCount {
            guard isRead(progress.next, &progress.nextReadCount, memory, memory[try context.named("fill")]) else {
                return .failed("a page of the next node has other contents")
            }
        } else {
            guard isBeating(progress.after, now) else { return .done }
            progress.after.add(now)
            beat(&progress.digest)
        }
        memory[context.own()] = progress
        return .again
    }

    /// The node whose pages this one reads too; nil where there is none, or it has died: what it has not written then,
    /// it never will.
    private func nextRank(_ context: Context) -> UInt32? {
        let rank = (context.rank + 1) % context.count
        return isVerified && context.count > 1 && context.isLiving(rank) ? rank : nil
    }

    private func write(_ progress: inout Progress, _ memory: SharedMemory, _ run: UInt64) {
        let end = min(progress.writtenCount + Self.pagesPerStep, pageCount)
        while progress.writtenCount < end {
            let first = progress.writtenCount * Self.wordsPerPage
            for word in first..<first + Self.wordsPerPage {
                memory[progress.own.words[word]] = progress.own.value(word, run)
            }
            progress.sum &+= progress.own.value(first, run)
            progress.writtenCount += 1
        }
    }

    private func isRead(
        _ pages: Pages, _ readCount: inout UInt64, _ memory: SharedMemory, _ run: UInt64
    ) -> Bool {
        let end = min(readCount + Self.pagesPerStep, pageCount)
        while readCount < end {
            let first = readCount * Self.wordsPerPage
            for word in first..<first + Self.wordsPerPage
            where memory[pages.words[word]] != pages.value(word, run) { return false }
            readCount += 1
        }
        return true
    }

    private func isBeating(_ beats: Beats, _ now: UInt64) -> Bool {
        now - (beats.start == 0 ? now : beats.start) < beatMilliseconds * 1_000_000
    }

    private func beat(_ digest: inout UInt64) {
        for _ in 0..<Self.roundsPerBeat { digest = mix(digest) }
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
            try result.field("pagesWritten", progress.writtenCount)
            try result.field("pagesVerified", progress.readCount)
            try result.field("pagesOfNextVerified", progress.nextReadCount)
            try result.field("sum", progress.sum)
            try result.field("nanoseconds", progress.written - progress.start)
            try result.name("before")
            try write(progress.before, to: result)
            try result.name("after")
            try write(progress.after, to: result)
            try result.endObject()
        }
        try result.endArray()
        try result.endObject()
        return .done
    }

    private func write(_ beats: Beats, to result: JSONWriter) throws(HeapError) {
        try result.beginObject()
        try result.field("beats", beats.count)
        try result.field("nanoseconds", beats.last - beats.start)
        try result.field("longestPauseNanoseconds", beats.longestPause)
        try result.endObject()
    }
}
