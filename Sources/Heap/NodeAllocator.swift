/// One node's allocator: hands out memory from a portion of pages that is its own.
///
/// Objects of different nodes never share a page, so that making them never conflicts; the central
/// manager is asked once a portion (DESIGN, section 6). Small objects grow from the portion's start,
/// single pages are taken from its end, and no small object crosses a page border.
///
/// The record lies in the shared memory, on a page of the node's: an aborted transaction gives back
/// what it took.
public struct NodeAllocator {
    /// Pages that a node takes from the central manager at a time: 64 KiB, so that a word count over
    /// 10,000 distinct words asks about five times, and 64 idle nodes hold no more than 4 MiB.
    public static let portionPageCount: UInt32 = 16
    /// Bytes of the record: first free byte (64 bits), end of the portion (64 bits).
    public static let recordByteCount: UInt64 = 16

    private let memory: SharedMemory
    private let pages: PageAllocator
    private let next: Shared<UInt64>
    private let end: Shared<UInt64>

    /// The allocator whose record lies at `record`; a record of zeros has no portion yet.
    public init(_ memory: SharedMemory, pages: PageAllocator, record: SharedAddress) {
        self.memory = memory
        self.pages = pages
        next = record.place(0)
        end = record.place(8)
    }

    /// Memory for one object, on an 8-byte border, of whatever bytes were there. Objects above a page
    /// come from the central manager, rounded up to pages.
    public func allocate(_ byteCount: UInt64) throws(HeapError) -> SharedAddress {
        guard byteCount <= pageByteCount else {
            let pageCount = (byteCount - 1) / pageByteCount + 1
            guard pageCount <= UInt64(UInt32.max) else { throw .outOfMemory }
            return try allocatePages(UInt32(pageCount))
        }
        let rounded = (max(byteCount, 1) + 7) & ~7
        if let address = takeSmall(rounded) { return address }
        try refill()
        guard let address = takeSmall(rounded) else { throw .outOfMemory }
        return address
    }

    /// One page from the portion, of whatever bytes were there.
    public func allocatePage() throws(HeapError) -> UInt32 {
        if let page = takePage() { return page }
        try refill()
        guard let page = takePage() else { throw .outOfMemory }
        return page
    }

    /// Pages in a row from the central manager, of whatever bytes were there.
    public func allocatePages(_ count: UInt32) throws(HeapError) -> SharedAddress {
        SharedAddress(page: try pages.allocate(count))
    }

    private func takeSmall(_ byteCount: UInt64) -> SharedAddress? {
        var start = memory[next]
        let roomInPage = pageByteCount - start % pageByteCount
        if byteCount > roomInPage { start += roomInPage }
        guard start + byteCount <= memory[end] else { return nil }
        memory[next] = start + byteCount
        return SharedAddress(start)
    }

    private func takePage() -> UInt32? {
        let limit = memory[end]
        guard limit >= memory[next] + pageByteCount else { return nil }
        memory[end] = limit - pageByteCount
        return SharedAddress(limit - pageByteCount).page
    }

    /// Takes a new portion, or what is left if that is less; the rest of the old one is given up.
    private func refill() throws(HeapError) {
        let count = min(Self.portionPageCount, pages.freePageCount)
        guard count > 0 else { throw .outOfMemory }
        let first = SharedAddress(page: try pages.allocate(count))
        memory[next] = first.offset
        memory[end] = first.offset + UInt64(count) * pageByteCount
    }
}
