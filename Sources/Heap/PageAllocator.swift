/// The central memory manager: hands out runs of whole pages, from the bottom of the heap upwards.
///
/// All nodes share its one record, so two transactions that both take pages conflict. Nodes therefore
/// take a portion at a time (`NodeAllocator`) and come here seldom. What a job took is given back as a
/// whole, by `reset`, which costs one write: pages keep their old bytes, and whoever takes them clears them.
public struct PageAllocator {
    /// Bytes of the record: next free page (32 bits), end of the heap (32 bits).
    public static let recordByteCount: UInt64 = 8

    private let memory: SharedMemory
    private let nextPage: Shared<UInt32>
    private let endPage: Shared<UInt32>

    /// The manager whose record lies at `record`.
    public init(_ memory: SharedMemory, record: SharedAddress) {
        self.memory = memory
        nextPage = record.place(0)
        endPage = record.place(4)
    }

    /// Pages that can still be handed out.
    public var freePageCount: UInt32 { memory[endPage] - memory[nextPage] }

    /// Makes every page from `first` to the end of the window free.
    public func reset(first: UInt32) {
        memory[nextPage] = first
        memory[endPage] = memory.pageCount
    }

    /// Takes `count` pages in a row and returns the number of the first. Their bytes are whatever they were.
    public func allocate(_ count: UInt32) throws(HeapError) -> UInt32 {
        guard count <= freePageCount else { throw .outOfMemory }
        let first = memory[nextPage]
        memory[nextPage] = first + count
        return first
    }
}
