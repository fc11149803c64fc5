/// PCI configuration space through the two ports of configuration mechanism 1 (PCI 3.0, section 3.2.2.3.2).
public struct ConfigurationSpace<Ports: PortSpace> {
    /// Takes bus, device, function and register of the next access.
    static var addressPort: UInt16 { 0xcf8 }
    /// The four bytes that the address names.
    static var dataPort: UInt16 { 0xcfc }

    let ports: Ports

    public init(_ ports: Ports) {
        self.ports = ports
    }

    /// Reads the 32-bit register at `offset`, a multiple of 4 below 256. Absent functions read as all ones.
    public func read32(_ function: PCIFunction, _ offset: UInt8) -> UInt32 {
        ports.write32(Self.addressPort, function.configurationAddress(offset))
        return ports.read32(Self.dataPort)
    }

    /// Reads the 16 bits at an even `offset`.
    public func read16(_ function: PCIFunction, _ offset: UInt8) -> UInt16 {
        UInt16(truncatingIfNeeded: read32(function, offset) >> (UInt32(offset & 2) * 8))
    }

    /// Reads the byte at `offset`.
    public func read8(_ function: PCIFunction, _ offset: UInt8) -> UInt8 {
        UInt8(truncatingIfNeeded: read32(function, offset) >> (UInt32(offset & 3) * 8))
    }

    /// Writes the 32-bit register at `offset`, a multiple of 4 below 256.
    public func write32(_ function: PCIFunction, _ offset: UInt8, _ value: UInt32) {
        ports.write32(Self.addressPort, function.configurationAddress(offset))
        ports.write32(Self.dataPort, value)
    }

    /// Writes 16 bits and nothing beside them: status bits next to the command register are cleared by writing ones.
    public func write16(_ function: PCIFunction, _ offset: UInt8, _ value: UInt16) {
        ports.write32(Self.addressPort, function.configurationAddress(offset))
        ports.write16(Self.dataPort + UInt16(offset & 2), value)
    }

    /// Writes one byte and nothing beside it.
    public func write8(_ function: PCIFunction, _ offset: UInt8, _ value: UInt8) {
        ports.write32(Self.addressPort, function.configurationAddress(offset))
        ports.write8(Self.dataPort + UInt16(offset & 3), value)
    }
}

/// One function of one device on bus 0, the only bus of the machines that nodes run on.
public struct PCIFunction: Equatable, Sendable {
    /// The slot, 0 to 31.
    public let device: UInt8
    /// The function in the slot, 0 to 7.
    public let function: UInt8

    public init(device: UInt8, function: UInt8) {
        precondition(device < 32 && function < 8, "a bus has 32 devices of 8 functions")
        self.device = device
        self.function = function
    }

    func configurationAddress(_ offset: UInt8) -> UInt32 {
        0x8000_0000 | UInt32(device) << 11 | UInt32(function) << 8 | UInt32(offset & 0xfc)
    }
}

/// Offsets in the configuration header (PCI 3.0, section 6.1).
enum HeaderOffset {
    static let identity: UInt8 = 0x00
    static let command: UInt8 = 0x04
    static let status: UInt8 = 0x06
    static let revision: UInt8 = 0x08
    static let headerType: UInt8 = 0x0e
    static let firstBaseAddress: UInt8 = 0x10
    static let capabilities: UInt8 = 0x34
    static let interruptLine: UInt8 = 0x3c
    static let interruptPin: UInt8 = 0x3d
}

/// Bits of the command register.
public enum CommandBits {
    public static let portSpace: UInt16 = 1 << 0
    public static let memorySpace: UInt16 = 1 << 1
    public static let busMaster: UInt16 = 1 << 2
    public static let wiredInterruptOff: UInt16 = 1 << 10
}

extension ConfigurationSpace {
    /// Sets and clears bits of the function's command register.
    public func changeCommand(_ function: PCIFunction, set: UInt16, clear: UInt16 = 0) {
        let old = read16(function, HeaderOffset.command)
        write16(function, HeaderOffset.command, old & ~clear | set)
    }
}
