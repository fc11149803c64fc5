import Heap

/// What lies where in the shared memory: the same on every node, and for the host that reads pages.
///
/// | page | content | written by |
/// |---|---|---|
/// | 0 | root | the primary, once |
/// | 1 | node table | each node, when it joins |
/// | 2 | job record | starting, stopping and the job's few changes of phase |
/// | 3...66 | a page for each node: its part in the job | that node, with every step |
/// | 67 | which parts are done | each node, once a job |
/// | 68 | the job's common state and result | before and after the parts run |
/// | 69 | named values | programs; outlives jobs |
/// | 70 | page allocator | each node, once a portion |
/// | 72... | job heap: first the input, then what the job allocates | |
///
/// What changes at different times, or by different nodes, has pages of its own: a page is the unit of
/// conflict. A memory of zeros is a valid state of all of them but the root.
public enum SystemLayout {
    /// Node numbers run from 1 to this: masks of nodes have 64 bits.
    public static let maximumNodeCount: UInt32 = 64

    public static let rootPage: UInt32 = 0
    public static let nodeTablePage: UInt32 = 1
    public static let jobPage: UInt32 = 2
    static let firstPartPage: UInt32 = 3
    public static let completionPage: UInt32 = 67
    public static let commonPage: UInt32 = 68
    public static let namesPage: UInt32 = 69
    public static let allocatorPage: UInt32 = 70
    /// Where the input of a job lies, and behind it what the job allocates.
    public static let heapFirstPage: UInt32 = 72
    /// The least window that a cluster works in: 56 pages of heap.
    public static let minimumPageCount: UInt32 = 128

    /// The page of a node's part in the job. Node numbers start at 1.
    public static func partPage(of node: UInt32) -> UInt32 {
        precondition((1...maximumNodeCount).contains(node), "node number out of range")
        return firstPartPage + node - 1
    }

    /// The bit of a node in masks of nodes: bit 0 is node 1.
    public static func mask(of node: UInt32) -> UInt64 {
        precondition((1...maximumNodeCount).contains(node), "node number out of range")
        return 1 << UInt64(node - 1)
    }

    /// Sets up a fresh memory of zeros; the primary's first transaction.
    public static func initialise(_ memory: SharedMemory) {
        precondition(memory.pageCount >= minimumPageCount, "shared memory too small")
        memory[Root.magic] = Root.expectedMagic
        memory[Root.format] = Root.expectedFormat
        memory[Root.pageCount] = memory.pageCount
        memory[Root.heapFirstPage] = heapFirstPage
        pageAllocator(memory).reset(first: heapFirstPage)
    }

    /// The central memory manager of the job heap.
    static func pageAllocator(_ memory: SharedMemory) -> PageAllocator {
        PageAllocator(memory, record: SharedAddress(page: allocatorPage))
    }
}

/// Page 0: tells what the memory is. Magic at 0 (64 bits), format at 8 (32), pages of the window at 12
/// (32), first page of the job heap at 16 (32).
public struct Root: Equatable, Sendable {
    /// "PLURIX" and two zeros.
    static let expectedMagic: UInt64 = 0x0000_5849_5255_4c50
    /// Changes whenever the layout of a system page changes.
    public static let expectedFormat: UInt32 = 1

    static var magic: Shared<UInt64> { Shared(page: SystemLayout.rootPage, 0) }
    public static var format: Shared<UInt32> { Shared(page: SystemLayout.rootPage, 8) }
    static var pageCount: Shared<UInt32> { Shared(page: SystemLayout.rootPage, 12) }
    static var heapFirstPage: Shared<UInt32> { Shared(page: SystemLayout.rootPage, 16) }

    public let pageCount: UInt32
    public let heapFirstPage: UInt32

    /// Reads page 0. Nil if it is not the root of a memory of this format.
    public init?(_ source: some PageSource) {
        guard source[Self.magic] == Self.expectedMagic, source[Self.format] == Self.expectedFormat else {
            return nil
        }
        pageCount = source[Self.pageCount]
        heapFirstPage = source[Self.heapFirstPage]
    }
}
