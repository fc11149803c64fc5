/// The MSI-X table of a function: each entry is a memory write that the device makes instead of raising a wire
/// (PCI 3.0, section 6.8.2).
public struct MessageSignalledTable<Registers: RegisterWindow> {
    /// Bytes of one entry: address (64 bits), data (32 bits), control (32 bits, bit 0 masks the entry).
    static var entryBytes: Int { 16 }

    let registers: Registers
    /// How many entries the table has.
    public let count: Int

    /// Makes entry `index` interrupt with `vector` the processor that `processor` names (its local APIC number).
    public func program(_ index: Int, vector: UInt8, processor: UInt8) {
        precondition(index >= 0 && index < count, "the table has no such entry")
        let entry = index * Self.entryBytes
        registers.store32(entry + 12, 1)
        registers.store32(entry, 0xfee0_0000 | UInt32(processor) << 12)
        registers.store32(entry + 4, 0)
        registers.store32(entry + 8, UInt32(vector))
        registers.store32(entry + 12, 0)
    }
}

extension DevicePlatform {
    /// Maps the function's MSI-X table and turns MSI-X on and the wired interrupt off. Returns nil when the function
    /// has no table or its memory cannot be mapped; then nothing was changed. Entries start masked.
    public func enableMessageSignalledTable(_ function: PCIFunction) -> MessageSignalledTable<Registers>? {
        let space = ConfigurationSpace(ports)
        guard let capability = space.capability(function, Capability.messageSignalledTable) else { return nil }
        let control = space.read16(function, capability.offset &+ 2)
        let location = space.read32(function, capability.offset &+ 4)
        let count = Int(control & 0x7ff) + 1
        guard let base = space.memoryStart(function, UInt8(location & 7)) else { return nil }
        let start = base &+ UInt64(location & ~7)
        let byteCount = count * MessageSignalledTable<Registers>.entryBytes
        guard let registers = registers(at: start, byteCount: byteCount) else { return nil }
        space.write16(function, capability.offset &+ 2, control & ~0x4000 | 0x8000)
        space.changeCommand(function, set: CommandBits.wiredInterruptOff)
        return MessageSignalledTable(registers: registers, count: count)
    }
}
