/// The page tables of the shared memory's window: four levels, built as pages come, never torn down.
///
/// The window begins at a slot of the root table and is smaller than 512 GiB, so one root entry carries it: clearing
/// that entry makes all of it unreachable at once.
public struct PageWindow<Hardware: PagingHardware> {
    private let hardware: Hardware
    /// Virtual address of page 0.
    public let base: UInt64
    public let pageCount: Int
    private let rootSlot: UInt64
    private let pointerTable: UInt64
    private var directories: [UInt64]
    private var leaves: [UInt64]

    private static var entriesPerTable: Int { 512 }
    private static var pagesPerDirectory: Int { 512 * 512 }

    /// - Parameters:
    ///   - rootTable: physical address of the PML4; `base` selects the slot.
    ///   - frames: where tables come from; one frame at once, others as they are needed.
    public init?(_ hardware: Hardware, base: UInt64, pageCount: Int, rootTable: UInt64, frames: inout FramePool) {
        guard let table = frames.take() else { return nil }
        hardware.clear(table)
        self.hardware = hardware
        self.base = base
        self.pageCount = pageCount
        rootSlot = rootTable + (base >> 39 & 511) * 8
        pointerTable = table
        directories = [UInt64](repeating: 0, count: (pageCount + Self.pagesPerDirectory - 1) / Self.pagesPerDirectory)
        leaves = [UInt64](repeating: 0, count: (pageCount + Self.entriesPerTable - 1) / Self.entriesPerTable)
        connect()
    }

    @inline(__always) public func address(of page: Int) -> UInt64 { base + UInt64(page) * FramePool.frameBytes }

    /// Makes the window reachable.
    public func connect() { hardware.store(rootSlot, PageTableEntry.table(pointerTable).bits) }

    /// Makes the whole window unreachable, at once.
    public func disconnect() {
        hardware.store(rootSlot, 0)
        hardware.reload()
    }

    @inline(__always)
    public func entry(_ page: Int) -> PageTableEntry {
        let leaf = leaves[page >> 9]
        return leaf == 0 ? .absent : PageTableEntry(bits: hardware.load(leaf + UInt64(page & 511) * 8))
    }

    /// Changes an entry and forgets the old translation. The page must have a table: `prepare` made one.
    @inline(__always)
    public func set(_ page: Int, _ entry: PageTableEntry) {
        hardware.store(leaves[page >> 9] + UInt64(page & 511) * 8, entry.bits)
        hardware.invalidate(address(of: page))
    }

    /// Makes a page that is not here present. No processor remembers that a translation was missing (Intel SDM, volume
    /// 3, section 4.10.2.3), so there is nothing to forget.
    @inline(__always)
    public func enter(_ page: Int, _ entry: PageTableEntry) {
        hardware.store(leaves[page >> 9] + UInt64(page & 511) * 8, entry.bits)
    }

    /// Makes sure that a page has a table; false when no frame is left for one.
    public mutating func prepare(_ page: Int, _ frames: inout FramePool) -> Bool {
        guard leaves[page >> 9] == 0 else { return true }
        let directory = page / Self.pagesPerDirectory
        if directories[directory] == 0 {
            guard let table = makeTable(at: pointerTable + UInt64(directory) * 8, &frames) else { return false }
            directories[directory] = table
        }
        let slot = directories[directory] + UInt64(page >> 9 & 511) * 8
        guard let leaf = makeTable(at: slot, &frames) else { return false }
        leaves[page >> 9] = leaf
        return true
    }

    private func makeTable(at slot: UInt64, _ frames: inout FramePool) -> UInt64? {
        guard let table = frames.take() else { return nil }
        hardware.clear(table)
        hardware.store(slot, PageTableEntry.table(table).bits)
        return table
    }

    /// Clears the accessed bits of everything that was touched since the last time and calls `body` with each page.
    ///
    /// The processor sets the accessed bit on every level of its walk, so only directories and tables that were walked
    /// are looked at: the cost follows what was touched (one table of 512 entries for each 2 MiB), not the window.
    public func harvestAccessed(_ body: (Int) -> Void) {
        for directory in directories.indices where directories[directory] != 0 {
            guard takeAccessed(pointerTable + UInt64(directory) * 8) else { continue }
            let first = directory * Self.entriesPerTable
            let end = min(first + Self.entriesPerTable, leaves.count)
            for leaf in first..<end where leaves[leaf] != 0 {
                let slot = directories[directory] + UInt64(leaf - first) * 8
                if takeAccessed(slot) { harvestLeaf(leaf, body) }
            }
        }
    }

    /// Calls `body` with each page that was touched since the last harvest, and its entry; clears nothing.
    public func forEachAccessed(_ body: (Int, PageTableEntry) -> Void) {
        for directory in directories.indices where directories[directory] != 0 {
            guard isAccessed(pointerTable + UInt64(directory) * 8) else { continue }
            let first = directory * Self.entriesPerTable
            for leaf in first..<min(first + Self.entriesPerTable, leaves.count) where leaves[leaf] != 0 {
                guard isAccessed(directories[directory] + UInt64(leaf - first) * 8) else { continue }
                for index in 0..<Self.entriesPerTable {
                    let entry = PageTableEntry(bits: hardware.load(leaves[leaf] + UInt64(index) * 8))
                    if entry.isPresent && entry.isAccessed { body(leaf * Self.entriesPerTable + index, entry) }
                }
            }
        }
    }

    private func isAccessed(_ slot: UInt64) -> Bool { PageTableEntry(bits: hardware.load(slot)).isAccessed }

    private func harvestLeaf(_ leaf: Int, _ body: (Int) -> Void) {
        let table = leaves[leaf]
        for first in stride(from: 0, to: Self.entriesPerTable, by: 8) where isAnyAccessed(table + UInt64(first) * 8) {
            for index in first..<first + 8 where takeAccessed(table + UInt64(index) * 8) {
                let page = leaf * Self.entriesPerTable + index
                hardware.invalidate(address(of: page))
                body(page)
            }
        }
    }

    /// Whether one of the eight entries from `slot` on was touched: most of a table was not, and is passed over.
    @inline(__always)
    private func isAnyAccessed(_ slot: UInt64) -> Bool {
        let low = hardware.load(slot) | hardware.load(slot &+ 8) | hardware.load(slot &+ 16) | hardware.load(slot &+ 24)
        let high = hardware.load(slot &+ 32) | hardware.load(slot &+ 40) | hardware.load(slot &+ 48)
            | hardware.load(slot &+ 56)
        return PageTableEntry(bits: low | high).isAccessed
    }

    @inline(__always)
    private func takeAccessed(_ slot: UInt64) -> Bool {
        let entry = PageTableEntry(bits: hardware.load(slot))
        guard entry.isAccessed else { return false }
        hardware.store(slot, entry.withoutAccessed.bits)
        return true
    }
}
