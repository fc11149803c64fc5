import Heap
import Kernel

/// Writes many pages in one transaction, to find out what becomes of one that is too large.
public struct Hog: Program {
    public static let name: StaticString = "hog"
    public static let usage: StaticString = "PAGES"
    public static let summary: StaticString = "writes that many pages in one transaction"

    let pageCount: UInt64

    public init(_ arguments: inout Arguments) throws(ArgumentError) {
        pageCount = try arguments.unsigned("PAGES", in: 1...1_000_000)
    }

    public func step(_ context: Context) throws(HeapError) -> Step {
        guard context.rank == 0 else { return .done }
        let start = try context.allocator.allocatePages(UInt32(pageCount))
        for page in 0..<pageCount { context.memory[start.place(page * pageByteCount)] = page }
        return .done
    }

    public func finish(_ context: Context) throws(HeapError) -> Step {
        try context.result.number(pageCount)
        return .done
    }
}
