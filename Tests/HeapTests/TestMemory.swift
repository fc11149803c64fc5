import Heap

/// A shared memory over an ordinary buffer, filled with old bytes as that of a second job would be.
final class TestMemory {
    let buffer: UnsafeMutableRawBufferPointer
    let memory: SharedMemory
    let pages: PageAllocator

    /// Pages 0 and 1 are for records of the test; the page allocator's record is at 0.
    init(pageCount: UInt32) {
        buffer = .allocate(byteCount: Int(pageCount) * Int(pageByteCount), alignment: Int(pageByteCount))
        buffer.initializeMemory(as: UInt8.self, repeating: 0xa5)
        memory = SharedMemory(base: UInt(bitPattern: buffer.baseAddress), pageCount: pageCount)
        memory.clear(SharedBytes(start: SharedAddress(0), count: 2 * pageByteCount))
        pages = PageAllocator(memory, record: SharedAddress(0))
        pages.reset(first: 2)
    }

    deinit { buffer.deallocate() }

    /// The allocator of a node, whose record is in page 1.
    func allocator(node: UInt64) -> NodeAllocator {
        NodeAllocator(
            memory, pages: pages, record: SharedAddress(page: 1, node * NodeAllocator.recordByteCount))
    }

    func copy(of page: UInt32) -> PageCopy {
        let start = Int(page) * Int(pageByteCount)
        return PageCopy(page: page, bytes: Array(buffer[start..<start + Int(pageByteCount)]))!
    }

    /// The bytes of a stream as the host reads them: page by page.
    func read(_ stream: StreamRecord) -> [UInt8] {
        var bytes: [UInt8] = []
        var page = memory[stream.firstPage]
        while page != 0 {
            let block = StreamBlock(copy(of: page))!
            bytes += block.bytes
            page = block.nextPage
        }
        return bytes
    }
}

/// SplitMix64: the same numbers in each run.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
