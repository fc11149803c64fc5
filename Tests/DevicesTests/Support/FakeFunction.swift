import Devices

/// A PCI function with 256 bytes of configuration and base addresses that answer sizing.
final class FakeFunction {
    enum Register {
        case absent
        case ports(UInt32)
        case memory(UInt32)
        /// Takes this register and the next.
        case wideMemory(UInt64)
        case upperHalf
    }

    let slot: UInt8
    let number: UInt8
    var configuration = [UInt8](repeating: 0, count: 256)
    let registers: [Register]
    let device: (any FakeDevice)?

    init(
        slot: UInt8, number: UInt8 = 0, _ identity: PCIIdentity, revision: UInt8 = 0, registers: [Register] = [],
        device: (any FakeDevice)? = nil
    ) {
        self.slot = slot
        self.number = number
        self.device = device
        self.registers = registers + [Register](repeating: .absent, count: 6 - registers.count)
        set(0, UInt32(identity.device) << 16 | UInt32(identity.vendor))
        configuration[8] = revision
        configuration[0x3d] = 1
        for (index, register) in self.registers.enumerated() {
            switch register {
            case .absent, .upperHalf, .memory: break
            case .ports: configuration[0x10 + index * 4] = 1
            case .wideMemory: configuration[0x10 + index * 4] = 0xc
            }
        }
    }

    func get(_ offset: Int) -> UInt32 { read(offset, 4) }

    func set(_ offset: Int, _ value: UInt32) {
        for byte in 0..<4 { configuration[offset + byte] = UInt8(truncatingIfNeeded: value >> UInt32(byte * 8)) }
    }

    /// Puts a capability at `offset` and in front of the list.
    func addCapability(at offset: Int, _ bytes: [UInt8]) {
        configuration[offset] = bytes[0]
        configuration[offset + 1] = configuration[0x34]
        for (index, byte) in bytes.enumerated() where index > 1 { configuration[offset + index] = byte }
        configuration[0x34] = UInt8(offset)
        configuration[6] |= 0x10
    }

    func read(_ offset: Int, _ bytes: Int) -> UInt32 {
        var value: UInt32 = 0
        for byte in 0..<bytes { value |= UInt32(configuration[offset + byte]) << UInt32(byte * 8) }
        return value
    }

    func write(_ offset: Int, _ bytes: Int, _ value: UInt32) {
        guard offset < 0x10 || offset >= 0x28 else { return writeRegister((offset - 0x10) / 4, value) }
        for byte in 0..<bytes { configuration[offset + byte] = UInt8(truncatingIfNeeded: value >> UInt32(byte * 8)) }
    }

    private func writeRegister(_ index: Int, _ value: UInt32) {
        switch registers[index] {
        case .absent: break
        case .ports(let count): set(0x10 + index * 4, value & ~(count - 1) & 0xffff | 1)
        case .memory(let byteCount): set(0x10 + index * 4, value & ~(byteCount - 1))
        case .wideMemory(let byteCount):
            set(0x10 + index * 4, value & ~UInt32(truncatingIfNeeded: byteCount - 1) | 0xc)
        case .upperHalf: set(0x10 + index * 4, value)
        }
    }

    var command: UInt16 { UInt16(truncatingIfNeeded: read(4, 2)) }

    func portOffset(_ port: UInt16) -> UInt16? {
        guard command & 1 != 0 else { return nil }
        for (index, register) in registers.enumerated() {
            guard case .ports(let count) = register else { continue }
            let start = get(0x10 + index * 4) & 0xfffc
            if start != 0, UInt32(port) >= start, UInt32(port) < start + count { return port - UInt16(start) }
        }
        return nil
    }

    func memoryOffset(_ physical: UInt64) -> (Int, Int)? {
        guard command & 2 != 0 else { return nil }
        for (index, register) in registers.enumerated() {
            var start = UInt64(get(0x10 + index * 4) & ~0xf)
            var byteCount: UInt64 = 0
            switch register {
            case .absent, .ports, .upperHalf: continue
            case .memory(let count): byteCount = UInt64(count)
            case .wideMemory(let count):
                byteCount = count
                start |= UInt64(get(0x14 + index * 4)) << 32
            }
            if start != 0, physical >= start, physical < start + byteCount { return (index, Int(physical - start)) }
        }
        return nil
    }
}
