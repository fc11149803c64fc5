import Instructions

/// Memory for Swift's own objects: two heaps that never meet.
///
/// The **nucleus heap** holds what the nucleus allocates, for ever or until freed: a list of free blocks for each
/// power of two. The **arena** holds what a program allocates: it only grows, and goes back to empty as a whole
/// (`Machine.resetArena`). An abort may leave the arena at any instruction, which is harmless because nothing in it
/// outlives the transaction. The nucleus heap is changed only with interrupts off.
enum Allocator {
    /// Bytes of each heap.
    private static let nucleusHeapBytes: UInt64 = 2 << 20
    private static let arenaBytes: UInt64 = 1 << 20
    /// Bytes in front of a nucleus block, holding the number of its list.
    private static let headerBytes: UInt64 = 16
    /// The smallest block; list n holds blocks of this times 2^n.
    private static let smallestBlock: UInt64 = 32
    private static let listCount: UInt64 = 16
    /// The largest block of the heap, 1 MiB; before the rest of the memory is taken (`Machine.takeFreeMemory`), larger
    /// ones and all above `directBlock` come straight from it, for ever: tables that are sized by the cluster.
    private static let largestBlock: UInt64 = smallestBlock << (listCount - 1)
    private static let directBlock: UInt64 = 64 << 10
    /// The list number of a block that is never given back.
    private static let noList = UInt64.max

    nonisolated(unsafe) private static var nucleusNext: UInt64 = 0
    nonisolated(unsafe) private static var nucleusEnd: UInt64 = 0
    /// Address of a table of `listCount` list heads.
    nonisolated(unsafe) private static var lists: UInt64 = 0
    nonisolated(unsafe) private static var arenaStart: UInt64 = 0
    nonisolated(unsafe) private static var arenaNext: UInt64 = 0
    nonisolated(unsafe) private static var arenaEnd: UInt64 = 0

    static func start() {
        lists = reserve(listCount &* 8)
        for list in 0..<listCount { memoryWrite64(lists &+ list &* 8, 0) }
        nucleusNext = reserve(nucleusHeapBytes)
        nucleusEnd = nucleusNext &+ nucleusHeapBytes
        arenaStart = reserve(arenaBytes)
        arenaNext = arenaStart
        arenaEnd = arenaStart &+ arenaBytes
    }

    private static func reserve(_ byteCount: UInt64) -> UInt64 {
        guard let physical = Machine.reserve(byteCount: byteCount, alignment: MemoryMap.pageBytes) else {
            Machine.fail("no memory for the nucleus heap")
        }
        return MemoryMap.directMap &+ physical
    }

    /// Returns 0 when the heap in question is used up.
    static func allocate(_ byteCount: UInt64, alignment: UInt64) -> UInt64 {
        let alignment = max(alignment, 16)
        if byteCount > directBlock, !Machine.isInProgram, let block = allocateDirectly(byteCount) { return block }
        guard byteCount <= largestBlock else { return 0 }
        return Machine.isInProgram
            ? allocateInArena(byteCount, alignment) : allocateInNucleus(byteCount, alignment)
    }

    static func free(_ address: UInt64) {
        // The arena forgets its blocks all at once; an address of neither heap is nobody's to free.
        guard address < arenaStart || address >= arenaEnd else { return }
        let list = memoryRead64(address &- headerBytes)
        guard list != noList else { return }
        guard list < listCount else { Machine.fail("free of what was never allocated") }
        memoryWrite64(address, memoryRead64(lists &+ list &* 8))
        memoryWrite64(lists &+ list &* 8, address)
    }

    static func resetArena() { arenaNext = arenaStart }

    private static func allocateDirectly(_ byteCount: UInt64) -> UInt64? {
        guard let physical = Machine.reserve(byteCount: byteCount &+ headerBytes, alignment: MemoryMap.pageBytes)
        else { return nil }
        memoryWrite64(MemoryMap.directMap &+ physical, noList)
        return MemoryMap.directMap &+ physical &+ headerBytes
    }

    private static func allocateInArena(_ byteCount: UInt64, _ alignment: UInt64) -> UInt64 {
        let address = (arenaNext &+ alignment &- 1) & ~(alignment &- 1)
        guard address <= arenaEnd, byteCount <= arenaEnd &- address else { return 0 }
        arenaNext = address &+ byteCount
        return address
    }

    private static func allocateInNucleus(_ byteCount: UInt64, _ alignment: UInt64) -> UInt64 {
        // The first power of two that holds it: 32 or less is list 0.
        let list = UInt64(59 - ((max(byteCount, smallestBlock) &- 1) | (smallestBlock - 1)).leadingZeroBitCount)
        let head = lists &+ list &* 8
        let recycled = memoryRead64(head)
        if recycled != 0 && recycled & (alignment &- 1) == 0 {
            memoryWrite64(head, memoryRead64(recycled))
            return recycled
        }
        let address = (nucleusNext &+ headerBytes &+ alignment &- 1) & ~(alignment &- 1)
        let blockBytes = smallestBlock << list
        guard address <= nucleusEnd, blockBytes <= nucleusEnd &- address else { return 0 }
        nucleusNext = address &+ blockBytes
        memoryWrite64(address &- headerBytes, list)
        return address
    }
}

extension Machine {
    /// Empties the arena: everything that the program allocated is gone. Called between transactions.
    public static func resetArena() {
        precondition(!isProgramEntered, "the arena belongs to the running program")
        Allocator.resetArena()
    }
}

// MARK: What compiled Swift calls

/// Returns 0, or 12 (ENOMEM) when memory is used up; Swift then traps.
@c(posix_memalign)
func posixMemalign(
    _ result: UnsafeMutablePointer<UnsafeMutableRawPointer?>, _ alignment: UInt, _ byteCount: UInt
) -> Int32 {
    let address = Allocator.allocate(UInt64(byteCount), alignment: UInt64(alignment))
    guard address != 0 else { return 12 }
    result.pointee = UnsafeMutableRawPointer(bitPattern: UInt(address))
    return 0
}

/// The label `free` itself is in Boot/memory.asm, because Swift reserves that name.
@c(machineFree)
func machineFree(_ pointer: UnsafeMutableRawPointer?) {
    guard let pointer else { return }
    Allocator.free(UInt64(UInt(bitPattern: pointer)))
}

/// Swift's hash seed: the same on all nodes, so that shared hash tables agree. Nothing secret may come from here.
@c(arc4random_buf)
func fillWithFixedBytes(_ pointer: UnsafeMutableRawPointer, _ byteCount: UInt) {
    pointer.initializeMemory(as: UInt8.self, repeating: 0x50, count: Int(byteCount))
}
