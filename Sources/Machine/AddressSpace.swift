import Instructions

/// The nucleus's page tables: W^X, guard pages, the direct map and the device map (MemoryMap.swift).
///
/// They are built once at boot, in memory right behind the image, and replace the boot tables that allow everything.
/// No entry carries the user bit: everything runs in ring 0 and SMEP and SMAP stay without effect on purpose.
enum AddressSpace {
    /// Bits of a page-table entry (Intel SDM volume 3, section 4.5).
    private enum Bit {
        static let present: UInt64 = 1 << 0
        static let writable: UInt64 = 1 << 1
        static let writeThrough: UInt64 = 1 << 3
        static let cacheDisabled: UInt64 = 1 << 4
        static let large: UInt64 = 1 << 7
        static let noExecute: UInt64 = 1 << 63
    }
    private static let addressMask: UInt64 = 0x000F_FFFF_FFFF_F000

    /// Rights of the nucleus's memory.
    private static let readExecute = Bit.present
    private static let readOnly = Bit.present | Bit.noExecute
    private static let readWrite = Bit.present | Bit.writable | Bit.noExecute
    private static let device = readWrite | Bit.cacheDisabled | Bit.writeThrough

    static func build() {
        let root = newTable()
        mapNucleus(root)
        mapMemory(root)
        mapLarge(root, from: MemoryMap.devicePhysical, at: MemoryMap.deviceMap, rights: device)
        protectSupervisor()
        writeRootTable(root)
    }

    private static func mapNucleus(_ root: UInt64) {
        map(root, imageStartAddress()..<rodataStartAddress(), rights: readExecute)
        map(root, rodataStartAddress()..<dataStartAddress(), rights: readOnly)
        map(root, dataStartAddress()..<mainStackGuardAddress(), rights: readWrite)
        map(root, mainStackBottomAddress()..<mainStackTopAddress(), rights: readWrite)
        map(root, faultStackBottomAddress()..<faultStackTopAddress(), rights: readWrite)
        map(root, interruptStackBottomAddress()..<interruptStackTopAddress(), rights: readWrite)
        map(root, trapStackBottomAddress()..<trapStackTopAddress(), rights: readWrite)
        map(root, doubleStackBottomAddress()..<doubleStackTopAddress(), rights: readWrite)
        map(root, landingStackBottomAddress()..<landingStackTopAddress(), rights: readWrite)
        map(root, programStackBottomAddress()..<programStackTopAddress(), rights: readWrite)
    }

    /// The direct map. Where the nucleus lies it has small pages: text and constants have no writable second face.
    private static func mapMemory(_ root: UInt64) {
        let large = MemoryMap.largePageBytes
        let end = BootInformation.current.memoryBytes
        let smallEnd = min((imageEndAddress() &+ large &- 1) & ~(large &- 1), end)
        let offset = MemoryMap.directMap
        map(root, 0..<imageStartAddress(), at: offset, rights: readWrite)
        map(root, imageStartAddress()..<dataStartAddress(), at: offset, rights: readOnly)
        map(root, dataStartAddress()..<smallEnd, at: offset, rights: readWrite)
        mapLarge(root, from: smallEnd..<end, at: offset, rights: readWrite)
    }

    /// Maps physical memory at an offset, a multiple of a large page, with small pages.
    private static func map(_ root: UInt64, _ range: Range<UInt64>, at offset: UInt64 = 0, rights: UInt64) {
        var physical = range.lowerBound
        while physical < range.upperBound {
            let address = offset &+ physical
            let table = descend(descend(descend(root, address, level: 3), address, level: 2), address, level: 1)
            let tableEnd = (physical &+ MemoryMap.largePageBytes) & ~(MemoryMap.largePageBytes &- 1)
            let end = min(range.upperBound, tableEnd)
            while physical < end {
                setEntry(table, index(physical, level: 0), physical | rights)
                physical &+= MemoryMap.pageBytes
            }
        }
    }

    /// Maps physical memory at an offset with large pages; the last one may reach beyond the range.
    private static func mapLarge(_ root: UInt64, from range: Range<UInt64>, at offset: UInt64, rights: UInt64) {
        var physical = range.lowerBound
        while physical < range.upperBound {
            let address = offset &+ physical
            let directory = descend(descend(root, address, level: 3), address, level: 2)
            setEntry(directory, index(address, level: 1), physical | rights | Bit.large)
            physical &+= MemoryMap.largePageBytes
        }
    }

    /// The table below `table` that covers `address`; made when it is missing. Upper levels allow everything, the
    /// last level decides.
    private static func descend(_ table: UInt64, _ address: UInt64, level: UInt64) -> UInt64 {
        let slot = index(address, level: level)
        let entry = memoryRead64(MemoryMap.directMap &+ table &+ slot &* 8)
        if entry & Bit.present != 0 { return entry & addressMask }
        let below = newTable()
        setEntry(table, slot, below | Bit.present | Bit.writable)
        return below
    }

    private static func index(_ address: UInt64, level: UInt64) -> UInt64 {
        address >> (12 &+ 9 &* level) & 511
    }

    private static func setEntry(_ table: UInt64, _ slot: UInt64, _ entry: UInt64) {
        memoryWrite64(MemoryMap.directMap &+ table &+ slot &* 8, entry)
    }

    private static func newTable() -> UInt64 {
        guard let table = Machine.reserveZeroed(byteCount: MemoryMap.pageBytes, alignment: MemoryMap.pageBytes) else {
            Machine.fail("no memory for page tables")
        }
        return table
    }

    /// Turns on what the processor has: no execution and no access of user pages, no descriptor reads from below.
    private static func protectSupervisor() {
        let maximumLeaf = identifyProcessor(0, 0).eax
        guard maximumLeaf >= 7 else { return }
        let features = identifyProcessor(7, 0)
        var control = readControl4()
        if features.ebx & (1 << 7) != 0 { control |= 1 << 20 }   // SMEP
        if features.ebx & (1 << 20) != 0 { control |= 1 << 21 }  // SMAP
        if features.ecx & (1 << 2) != 0 { control |= 1 << 11 }   // UMIP
        writeControl4(control)
    }
}
