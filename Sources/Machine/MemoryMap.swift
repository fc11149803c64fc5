/// Where things lie in a node's address space. PML4 slots cover 512 GiB each.
///
/// | from | slot | what | rights |
/// |---|---|---|---|
/// | 0x0000_0010_0000 | 0 | the nucleus, identity mapped | text RX, rodata R, data RW, guards unmapped |
/// | 0x0000_4000_0000 | 0 | DSM code window, 1 GiB, hooked in by Node | decided by Node |
/// | 0x1000_0000_0000 | 32 | DSM data window, hooked in by Node | decided by Node |
/// | 0x2000_0000_0000 | 64 | all usable RAM (the direct map) | RW; the nucleus's text and rodata R |
/// | 0x3000_0000_0000 | 96 | device memory: physical 3 GiB to 4 GiB, uncached | RW |
///
/// Page zero and everything else is unmapped. Only the nucleus's text is executable until Node publishes code.
public enum MemoryMap {
    /// Bytes of a small page, the unit of rights and of the DSM.
    public static let pageBytes: UInt64 = 4096
    /// Bytes of a large page.
    public static let largePageBytes: UInt64 = 2 << 20

    /// Shared program code: within 2 GiB of the nucleus, so that it links against it.
    public static let codeWindow: Range<UInt64> = 0x4000_0000..<0x8000_0000
    /// Shared data: slots 32 to 63. The size in use is the cluster's choice.
    public static let dataWindow: Range<UInt64> = 0x1000_0000_0000..<0x2000_0000_0000
    /// The direct map: physical address + this.
    public static let directMap: UInt64 = 0x2000_0000_0000
    /// Device memory: physical address + this.
    public static let deviceMap: UInt64 = 0x3000_0000_0000
    /// Physical addresses that `deviceMap` covers: BARs, HPET and local APIC of a PC.
    public static let devicePhysical: Range<UInt64> = 0xC000_0000..<0x1_0000_0000
}
