import Devices
import Instructions

/// The processor's port space.
public struct MachinePorts: PortSpace {
    public init() {}
    public func read8(_ port: UInt16) -> UInt8 { portRead8(port) }
    public func read16(_ port: UInt16) -> UInt16 { portRead16(port) }
    public func read32(_ port: UInt16) -> UInt32 { portRead32(port) }
    public func write8(_ port: UInt16, _ value: UInt8) { portWrite8(port, value) }
    public func write16(_ port: UInt16, _ value: UInt16) { portWrite16(port, value) }
    public func write32(_ port: UInt16, _ value: UInt32) { portWrite32(port, value) }
}

/// A range of addresses that is accessed volatile and never outside its bounds: device registers, or memory that a
/// device shares.
public struct MachineWindow: RegisterWindow, DMARegion {
    /// The address for the processor.
    let address: UInt64
    public let physicalAddress: UInt64
    public let byteCount: Int

    /// The processor's address of `width` bytes at `offset`; traps when they are not all inside.
    private func location(_ offset: Int, _ width: Int) -> UInt64 {
        precondition(offset >= 0 && offset <= byteCount - width, "access outside the window")
        return address &+ UInt64(offset)
    }

    public func load8(_ offset: Int) -> UInt8 { memoryRead8(location(offset, 1)) }
    public func load16(_ offset: Int) -> UInt16 { memoryRead16(location(offset, 2)) }
    public func load32(_ offset: Int) -> UInt32 { memoryRead32(location(offset, 4)) }
    public func load64(_ offset: Int) -> UInt64 { memoryRead64(location(offset, 8)) }
    public func store8(_ offset: Int, _ value: UInt8) { memoryWrite8(location(offset, 1), value) }
    public func store16(_ offset: Int, _ value: UInt16) { memoryWrite16(location(offset, 2), value) }
    public func store32(_ offset: Int, _ value: UInt32) { memoryWrite32(location(offset, 4), value) }
    public func store64(_ offset: Int, _ value: UInt64) { memoryWrite64(location(offset, 8), value) }

    public func withBytes(_ offset: Int, _ count: Int, _ body: (RawSpan) -> Void) {
        compilerBarrier()
        let bytes = UnsafeRawBufferPointer(start: pointer(offset, count), count: count)
        body(bytes.bytes)
        compilerBarrier()
    }

    public func withMutableBytes(_ offset: Int, _ count: Int, _ body: (inout MutableRawSpan) -> Void) {
        compilerBarrier()
        let bytes = UnsafeMutableRawBufferPointer(start: pointer(offset, count), count: count)
        var span = bytes.mutableBytes
        body(&span)
        compilerBarrier()
    }

    public func orderStoresBeforeLoads() { memoryBarrier() }

    private func pointer(_ offset: Int, _ count: Int) -> UnsafeMutableRawPointer {
        precondition(count >= 0, "a count of bytes is not negative")
        return UnsafeMutableRawPointer(bitPattern: UInt(location(offset, count))).unsafelyUnwrapped
    }
}

/// What drivers get from the machine.
public struct MachinePlatform: DevicePlatform {
    public init() {}

    public var ports: MachinePorts { MachinePorts() }

    public func registers(at physicalAddress: UInt64, byteCount: Int) -> MachineWindow? {
        let window = MemoryMap.devicePhysical
        guard byteCount > 0, window.contains(physicalAddress),
            UInt64(byteCount) <= window.upperBound - physicalAddress
        else { return nil }
        return MachineWindow(
            address: MemoryMap.deviceMap + physicalAddress, physicalAddress: physicalAddress, byteCount: byteCount)
    }

    public func allocateDMA(byteCount: Int, alignment: Int, isZeroed: Bool) -> MachineWindow? {
        guard byteCount > 0, alignment > 0 else { return nil }
        let (bytes, unit) = (UInt64(byteCount), UInt64(alignment))
        let reserved = isZeroed ? Machine.reserveZeroed(byteCount: bytes, alignment: unit)
            : Machine.reserve(byteCount: bytes, alignment: unit)
        guard let physical = reserved else { return nil }
        return MachineWindow(
            address: MemoryMap.directMap + physical, physicalAddress: physical, byteCount: byteCount)
    }
}
