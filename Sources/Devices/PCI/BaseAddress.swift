/// What one base address register (BAR) asks for (PCI 3.0, section 6.2.5.1).
public enum BaseAddress: Equatable, Sendable {
    /// The register is not implemented.
    case absent
    /// I/O ports. `start` is 0 while unassigned.
    case ports(start: UInt16, count: UInt32)
    /// Memory. `start` is 0 while unassigned; a wide one takes this register and the next.
    case memory(start: UInt64, byteCount: UInt64, isWide: Bool)
}

/// Addresses that nobody uses yet, from which unassigned registers are served.
///
/// Firmware such as qboot leaves all base addresses unassigned. On the machine `pc` everything between the end of
/// RAM and the interrupt controllers at 0xfec00000 belongs to PCI.
public struct AddressWindows: Sendable {
    /// The next free memory address and the end of the window.
    var nextMemory: UInt64
    let memoryEnd: UInt64
    /// The next free port and the end of the window.
    var nextPort: UInt32
    let portEnd: UInt32

    /// Takes the windows from `memory` and `ports`; the defaults suit the machine `pc` with less than 3.5 GiB of RAM.
    public init(memory: Range<UInt64> = 0xe000_0000..<0xfe00_0000, ports: Range<UInt32> = 0xc000..<0xd000) {
        nextMemory = memory.lowerBound
        memoryEnd = memory.upperBound
        nextPort = ports.lowerBound
        portEnd = ports.upperBound
    }

    mutating func takeMemory(_ byteCount: UInt64) throws(DeviceError) -> UInt64 {
        // A BAR is naturally aligned; a page at least, so that no two devices share one mapping.
        let size = byteCount < 4096 ? 4096 : byteCount
        guard size <= memoryEnd else { throw .baseAddressUnavailable }
        let start = (nextMemory + size - 1) & ~(size - 1)
        guard start <= memoryEnd - size else { throw .baseAddressUnavailable }
        nextMemory = start + size
        return start
    }

    mutating func takePorts(_ count: UInt32) throws(DeviceError) -> UInt16 {
        guard count <= 256 else { throw .baseAddressUnavailable }
        let start = (nextPort + count - 1) & ~(count - 1)
        guard start + count <= portEnd else { throw .baseAddressUnavailable }
        nextPort = start + count
        return UInt16(start)
    }
}

extension ConfigurationSpace {
    /// Reads what register `index`, 0 to 5, asks for. The function must not decode addresses meanwhile: sizing writes
    /// all ones to the register and then its old value back.
    public func baseAddress(_ function: PCIFunction, _ index: UInt8) -> BaseAddress {
        let offset = HeaderOffset.firstBaseAddress + index * 4
        let (value, mask) = probe(function, offset)
        guard mask != 0 else { return .absent }
        if value & 1 != 0 || mask & 1 != 0 {
            let bits = mask & 0xfffc
            guard bits != 0 else { return .absent }
            return .ports(start: UInt16(value & 0xfffc), count: bits & (~bits &+ 1))
        }
        let isWide = mask & 6 == 4
        var start = UInt64(value & ~0xf)
        var bits = UInt64(mask & ~0xf)
        if isWide && index < 5 {
            let (highValue, highMask) = probe(function, offset + 4)
            start |= UInt64(highValue) << 32
            bits |= UInt64(highMask) << 32
        }
        guard bits != 0 else { return .absent }
        return .memory(start: start, byteCount: bits & (~bits &+ 1), isWide: isWide)
    }

    private func probe(_ function: PCIFunction, _ offset: UInt8) -> (value: UInt32, mask: UInt32) {
        let value = read32(function, offset)
        write32(function, offset, 0xffff_ffff)
        let mask = read32(function, offset)
        write32(function, offset, value)
        return (value, mask)
    }

    /// Gives every unassigned base address of the function its place and lets it decode ports and memory and read and
    /// write RAM by itself. What firmware assigned stays. Throws `baseAddressUnavailable` when a window is used up.
    public func assignBaseAddresses(_ function: PCIFunction, _ windows: inout AddressWindows) throws(DeviceError) {
        let decoding = CommandBits.portSpace | CommandBits.memorySpace
        changeCommand(function, set: 0, clear: decoding | CommandBits.busMaster)
        var index: UInt8 = 0
        while index < 6 {
            let offset = HeaderOffset.firstBaseAddress + index * 4
            switch baseAddress(function, index) {
            case .absent:
                index += 1
            case .ports(let start, let count):
                if start == 0 { write32(function, offset, UInt32(try windows.takePorts(count))) }
                index += 1
            case .memory(let start, let byteCount, let isWide):
                if start == 0 {
                    let place = try windows.takeMemory(byteCount)
                    write32(function, offset, UInt32(truncatingIfNeeded: place))
                    if isWide && index < 5 { write32(function, offset + 4, UInt32(truncatingIfNeeded: place >> 32)) }
                }
                index += isWide ? 2 : 1
            }
        }
        changeCommand(function, set: decoding | CommandBits.busMaster)
    }

    /// The assigned memory address that register `index` holds, nil when it holds ports or nothing.
    ///
    /// Unlike `baseAddress` this only reads, so that the function may be decoding.
    public func memoryStart(_ function: PCIFunction, _ index: UInt8) -> UInt64? {
        guard index < 6 else { return nil }
        let offset = HeaderOffset.firstBaseAddress + index * 4
        let low = read32(function, offset)
        guard low & 1 == 0, low & ~0xf != 0 || low & 6 == 4 else { return nil }
        var start = UInt64(low & ~0xf)
        if low & 6 == 4 && index < 5 { start |= UInt64(read32(function, offset + 4)) << 32 }
        return start == 0 ? nil : start
    }

    /// The assigned first port that register `index` holds, nil when it holds memory or nothing.
    public func portStart(_ function: PCIFunction, _ index: UInt8) -> UInt16? {
        guard index < 6 else { return nil }
        let low = read32(function, HeaderOffset.firstBaseAddress + index * 4)
        guard low & 1 == 1, low & 0xfffc != 0 else { return nil }
        return UInt16(low & 0xfffc)
    }
}
