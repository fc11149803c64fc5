import Instructions

/// What the loader handed over, in a form that stays valid: the command line is copied into the image and the boot
/// module behind it, because the loader puts them wherever it likes.
public struct BootInformation {
    /// End of usable RAM in bytes: the end of the stretch that holds the nucleus, at most 3 GiB.
    public internal(set) var memoryBytes: UInt64 = 0
    /// The first free byte of RAM, page aligned: after the image, the boot module, the page tables and the heaps, and
    /// after whatever drivers have taken since.
    public internal(set) var firstFreePhysical: UInt64 = 0
    /// Physical address of the boot module; 0 if there is none.
    public internal(set) var moduleAddress: UInt64 = 0
    /// Bytes of the boot module; 0 if there is none.
    public internal(set) var moduleBytes: UInt64 = 0
    /// Bytes of the command line.
    var commandLineBytes: UInt64 = 0
    /// The time stamp counter at the first instruction of the image.
    public internal(set) var entryTimestamp: UInt64 = 0

    /// The command line without its terminator, readable for ever.
    public var commandLine: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: UnsafeRawPointer(bitPattern: UInt(commandLineBufferAddress())), count: Int(commandLineBytes))
    }

    /// Constant-initialised, filled in once at boot.
    nonisolated(unsafe) static var current = BootInformation()
    /// Set when Node has taken the rest of the memory; nothing can be reserved any more.
    nonisolated(unsafe) static var isSealed = false
}

extension Machine {
    /// What the loader handed over.
    public static var bootInformation: BootInformation { BootInformation.current }

    /// Takes `byteCount` bytes of RAM for ever and returns their physical address; nil when there is no more, or when
    /// `takeFreeMemory` was called. The contents are whatever was there. `alignment` is a power of two.
    public static func reserve(byteCount: UInt64, alignment: UInt64) -> UInt64? {
        precondition(alignment != 0 && alignment & (alignment - 1) == 0, "an alignment is a power of two")
        guard !BootInformation.isSealed else { return nil }
        let start = (BootInformation.current.firstFreePhysical &+ alignment &- 1) & ~(alignment &- 1)
        let memoryBytes = BootInformation.current.memoryBytes
        guard start <= memoryBytes, byteCount <= memoryBytes &- start else { return nil }
        BootInformation.current.firstFreePhysical = roundUpToPage(start &+ byteCount)
        return start
    }

    /// The same, filled with zeroes.
    static func reserveZeroed(byteCount: UInt64, alignment: UInt64) -> UInt64? {
        guard let start = reserve(byteCount: byteCount, alignment: alignment) else { return nil }
        directMap(start).initializeMemory(as: UInt8.self, repeating: 0, count: Int(byteCount))
        return start
    }

    /// Hands all RAM that is left to the caller, once: from then on Machine reserves nothing.
    public static func takeFreeMemory() -> Range<UInt64> {
        precondition(!BootInformation.isSealed, "free memory is taken once")
        BootInformation.isSealed = true
        let start = BootInformation.current.firstFreePhysical
        return start..<max(start, BootInformation.current.memoryBytes & ~(MemoryMap.pageBytes - 1))
    }

    /// The next multiple of the page size.
    static func roundUpToPage(_ value: UInt64) -> UInt64 {
        (value &+ MemoryMap.pageBytes &- 1) & ~(MemoryMap.pageBytes &- 1)
    }
}

/// Reading the start info (Xen, public/arch-x86/hvm/start_info.h). Only while the boot tables are in force: it lies
/// anywhere below 4 GiB.
extension BootInformation {
    private static let magic: UInt32 = 0x336E_C578
    /// Offsets of the fields.
    private enum Field {
        static let moduleCount: UInt64 = 12
        static let moduleList: UInt64 = 16
        static let commandLine: UInt64 = 24
        static let memoryMap: UInt64 = 40
        static let memoryMapEntries: UInt64 = 48
    }
    /// RAM above this is not used: the device window of a PC follows.
    private static let highestMemory: UInt64 = MemoryMap.devicePhysical.lowerBound
    /// The longest command line that is taken over.
    private static let commandLineLimit: UInt64 = 4096

    static func read(startInfo: UInt64) {
        guard memoryRead32(startInfo) == magic, memoryRead32(startInfo &+ 4) >= 1 else {
            Machine.fail("the loader left no PVH start info with a memory map")
        }
        current.entryTimestamp = timestampAtEntry()
        current.memoryBytes = endOfMemory(startInfo)
        var free = Machine.roundUpToPage(imageEndAddress())
        // The loader may have put anything right behind the image: all is read before the module is moved there.
        copyCommandLine(from: memoryRead64(startInfo &+ Field.commandLine))
        let hasModule = memoryRead32(startInfo &+ Field.moduleCount) > 0
        let list = memoryRead64(startInfo &+ Field.moduleList)
        let module = hasModule ? memoryRead64(list) : 0
        let moduleBytes = hasModule ? memoryRead64(list &+ 8) : 0
        copyModule(from: module, byteCount: moduleBytes, to: &free)
        current.firstFreePhysical = free
    }

    /// The end of the RAM region that holds the nucleus.
    private static func endOfMemory(_ startInfo: UInt64) -> UInt64 {
        let map = memoryRead64(startInfo &+ Field.memoryMap)
        let count = UInt64(memoryRead32(startInfo &+ Field.memoryMapEntries))
        for index in 0..<min(count, 128) {
            let entry = map &+ index &* 24
            let start = memoryRead64(entry)
            let end = start &+ memoryRead64(entry &+ 8)
            let isMemory = memoryRead32(entry &+ 16) == 1
            if isMemory && start <= imageStartAddress() && end >= imageEndAddress() { return min(end, highestMemory) }
        }
        Machine.fail("no RAM region holds the nucleus: give the machine more memory")
    }

    private static func copyCommandLine(from source: UInt64) {
        guard source != 0 else { return }
        var byteCount: UInt64 = 0
        while byteCount < commandLineLimit && memoryRead8(source &+ byteCount) != 0 {
            memoryWrite8(commandLineBufferAddress() &+ byteCount, memoryRead8(source &+ byteCount))
            byteCount &+= 1
        }
        current.commandLineBytes = byteCount
    }

    private static func copyModule(from source: UInt64, byteCount: UInt64, to free: inout UInt64) {
        guard byteCount != 0 else { return }
        guard byteCount <= current.memoryBytes &- free else {
            Machine.fail("the boot module does not fit into memory")
        }
        Machine.directMap(free).copyMemory(from: Machine.directMap(source), byteCount: Int(byteCount))
        wipe(source, byteCount, except: free)
        current.moduleAddress = free
        current.moduleBytes = byteCount
        free = Machine.roundUpToPage(free &+ byteCount)
    }

    /// The module holds the cluster's key: no second copy stays behind in what becomes free memory.
    private static func wipe(_ source: UInt64, _ byteCount: UInt64, except target: UInt64) {
        let (sourceEnd, targetEnd) = (source &+ byteCount, target &+ byteCount)
        let overlaps = source < targetEnd && target < sourceEnd
        let start = overlaps ? max(source, targetEnd) : source
        guard start < sourceEnd else { return }
        Machine.directMap(start).initializeMemory(as: UInt8.self, repeating: 0, count: Int(sourceEnd &- start))
    }
}
