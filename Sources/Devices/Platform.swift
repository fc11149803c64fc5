/// The processor's I/O ports.
///
/// Every access is performed exactly once and in program order.
public protocol PortSpace {
    func read8(_ port: UInt16) -> UInt8
    func read16(_ port: UInt16) -> UInt16
    func read32(_ port: UInt16) -> UInt32
    func write8(_ port: UInt16, _ value: UInt8)
    func write16(_ port: UInt16, _ value: UInt16)
    func write32(_ port: UInt16, _ value: UInt32)
}

/// A device's registers in the physical address space (one BAR, or a part of it).
///
/// Offsets are bytes from the window's start and are naturally aligned for the width. Every access is volatile: it
/// is performed exactly once and in program order. Implementations trap on an offset outside the window.
public protocol RegisterWindow {
    /// The window's size in bytes.
    var byteCount: Int { get }
    func load8(_ offset: Int) -> UInt8
    func load16(_ offset: Int) -> UInt16
    func load32(_ offset: Int) -> UInt32
    func load64(_ offset: Int) -> UInt64
    func store8(_ offset: Int, _ value: UInt8)
    func store16(_ offset: Int, _ value: UInt16)
    func store32(_ offset: Int, _ value: UInt32)
    func store64(_ offset: Int, _ value: UInt64)
}

/// Ordinary memory that a device reads and writes by itself, physically contiguous and never moved or freed.
///
/// Offsets are bytes from the region's start; integers are little-endian and naturally aligned. Loads and stores are
/// volatile and keep their order among each other and with the bytes copied inside `withBytes` and
/// `withMutableBytes`: the compiler moves neither across the other. Implementations trap on an access outside the
/// region.
public protocol DMARegion {
    /// The address that the device uses for offset 0.
    var physicalAddress: UInt64 { get }
    /// The region's size in bytes.
    var byteCount: Int { get }
    func load8(_ offset: Int) -> UInt8
    func load16(_ offset: Int) -> UInt16
    func load32(_ offset: Int) -> UInt32
    func load64(_ offset: Int) -> UInt64
    func store8(_ offset: Int, _ value: UInt8)
    func store16(_ offset: Int, _ value: UInt16)
    func store32(_ offset: Int, _ value: UInt32)
    func store64(_ offset: Int, _ value: UInt64)
    /// Lends `count` bytes from `offset` on for reading. The device does not write them meanwhile.
    func withBytes(_ offset: Int, _ count: Int, _ body: (RawSpan) -> Void)
    /// Lends `count` bytes from `offset` on for writing. The device does not read them meanwhile.
    func withMutableBytes(_ offset: Int, _ count: Int, _ body: (inout MutableRawSpan) -> Void)
    /// All stores before this call reach the device before any load after it is performed (x86: `mfence`).
    func orderStoresBeforeLoads()
}

/// What drivers need of the machine: ports, register windows and memory shared with devices.
public protocol DevicePlatform {
    associatedtype Ports: PortSpace
    associatedtype Registers: RegisterWindow
    associatedtype Memory: DMARegion

    var ports: Ports { get }

    /// Maps `byteCount` bytes of device registers at a physical address, uncached; nil when no address space is left.
    /// The address need not be page aligned.
    func registers(at physicalAddress: UInt64, byteCount: Int) -> Registers?

    /// Takes physically contiguous memory below 4 GiB for the machine's lifetime; nil when there is none.
    /// `alignment` is a power of two of at most 4096 bytes. Buffers are best left as they are found (`isZeroed` false):
    /// to touch them all at boot costs more than the rest of bringing a card up.
    func allocateDMA(byteCount: Int, alignment: Int, isZeroed: Bool) -> Memory?
}
