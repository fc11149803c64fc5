import Glibc

@testable import Devices

/// What drivers are given in place of a machine: memory that a hostile device writes into, and registers that answer
/// as they should until the input lets them lie.
final class HostileMachine {
    var input: Input
    /// In the order in which the driver has asked for them.
    var regions: [HostileMemory] = []
    /// What a register answers when it does not lie: for its port or address and the bytes read.
    var answer: (UInt64, Int) -> UInt64 = { _, _ in 0 }
    var store: (UInt64, Int, UInt64) -> Void = { _, _, _ in }
    var functions: [HostileFunction] = []
    private var configurationAddress: UInt32 = 0
    private(set) var accesses = 0

    /// Registers read and written until a driver must have given up: a reset may take 100,000 reads.
    private static let mostAccesses = 1_000_000

    init(_ input: Input) { self.input = input }

    func load(_ place: UInt64, _ bytes: Int) -> UInt64 {
        accesses += 1
        require(accesses < Self.mostAccesses, "a driver gives up on a device that never answers")
        let isLie = input.byte() >= 0xF8
        return isLie ? input.number() : answer(place, bytes)
    }

    func set(_ place: UInt64, _ bytes: Int, _ value: UInt64) {
        accesses += 1
        store(place, bytes, value)
    }

    // MARK: Configuration space

    func readPort(_ port: UInt16, _ bytes: Int) -> UInt32 {
        guard let (function, offset) = configuration(port) else {
            return UInt32(truncatingIfNeeded: load(UInt64(port), bytes))
        }
        return function?.read(offset, bytes) ?? .max
    }

    func writePort(_ port: UInt16, _ bytes: Int, _ value: UInt32) {
        if port == 0xCF8 { return configurationAddress = value }
        guard let (function, offset) = configuration(port) else { return set(UInt64(port), bytes, UInt64(value)) }
        function?.write(offset, bytes, value)
    }

    /// The function and the byte that a port of configuration space stands for; nil for other ports.
    private func configuration(_ port: UInt16) -> (HostileFunction?, Int)? {
        guard (0xCF8...0xCFF) ~= port else { return nil }
        let slot = Int(configurationAddress >> 11 & 31)
        let isFirst = configurationAddress >> 8 & 7 == 0
        let offset = Int(configurationAddress & 0xFC) + Int(port & 3)
        return (isFirst && slot < functions.count ? functions[slot] : nil, offset)
    }
}

/// A PCI function whose configuration the input has disturbed.
final class HostileFunction {
    var bytes: [UInt8]
    /// Which bits of each base address can be set.
    var masks: [UInt32]

    init(_ bytes: [UInt8], masks: [UInt32]) {
        self.bytes = bytes
        self.masks = masks
    }

    func read(_ offset: Int, _ count: Int) -> UInt32 {
        (0..<count).reduce(0) { $0 | UInt32(bytes[(offset + $1) & 0xFF]) << UInt32(8 * $1) }
    }

    func write(_ offset: Int, _ count: Int, _ value: UInt32) {
        let isBase = (0x10..<0x28).contains(offset)
        let mask = isBase ? masks[(offset - 0x10) / 4] : .max
        let fixed = isBase ? UInt32(bytes[offset & ~3] & 15) : 0
        for index in 0..<count {
            bytes[(offset + index) & 0xFF] = UInt8(truncatingIfNeeded: (value & mask | fixed) >> UInt32(8 * index))
        }
    }
}

struct HostilePlatform: DevicePlatform {
    let machine: HostileMachine

    var ports: HostilePorts { HostilePorts(machine: machine) }

    func registers(at physicalAddress: UInt64, byteCount: Int) -> HostileRegisters? {
        require(byteCount > 0, "a window has bytes")
        guard physicalAddress < 1 << 46 else { return nil }
        return HostileRegisters(machine: machine, start: physicalAddress, byteCount: byteCount)
    }

    func allocateDMA(byteCount: Int, alignment: Int, isZeroed: Bool) -> HostileMemory? {
        require(byteCount > 0 && byteCount <= 1 << 20 && alignment <= 4096, "a driver asks for what a machine has")
        let region = HostileMemory(byteCount, number: machine.regions.count, isZeroed: isZeroed)
        machine.regions.append(region)
        return region
    }
}

struct HostilePorts: PortSpace {
    let machine: HostileMachine

    func read8(_ port: UInt16) -> UInt8 { UInt8(truncatingIfNeeded: machine.readPort(port, 1)) }
    func read16(_ port: UInt16) -> UInt16 { UInt16(truncatingIfNeeded: machine.readPort(port, 2)) }
    func read32(_ port: UInt16) -> UInt32 { machine.readPort(port, 4) }
    func write8(_ port: UInt16, _ value: UInt8) { machine.writePort(port, 1, UInt32(value)) }
    func write16(_ port: UInt16, _ value: UInt16) { machine.writePort(port, 2, UInt32(value)) }
    func write32(_ port: UInt16, _ value: UInt32) { machine.writePort(port, 4, value) }
}

struct HostileRegisters: RegisterWindow {
    let machine: HostileMachine
    let start: UInt64
    let byteCount: Int

    private func place(_ offset: Int, _ bytes: Int) -> UInt64 {
        require(offset >= 0 && offset + bytes <= byteCount, "a driver accesses registers inside of their window")
        return start + UInt64(offset)
    }

    func load8(_ offset: Int) -> UInt8 { UInt8(truncatingIfNeeded: machine.load(place(offset, 1), 1)) }
    func load16(_ offset: Int) -> UInt16 { UInt16(truncatingIfNeeded: machine.load(place(offset, 2), 2)) }
    func load32(_ offset: Int) -> UInt32 { UInt32(truncatingIfNeeded: machine.load(place(offset, 4), 4)) }
    func load64(_ offset: Int) -> UInt64 { machine.load(place(offset, 8), 8) }
    func store8(_ offset: Int, _ value: UInt8) { machine.set(place(offset, 1), 1, UInt64(value)) }
    func store16(_ offset: Int, _ value: UInt16) { machine.set(place(offset, 2), 2, UInt64(value)) }
    func store32(_ offset: Int, _ value: UInt32) { machine.set(place(offset, 4), 4, UInt64(value)) }
    func store64(_ offset: Int, _ value: UInt64) { machine.set(place(offset, 8), 8, value) }
}

/// Memory that driver and device share. Whoever reaches outside of it is wrong.
final class HostileMemory: DMARegion {
    let physicalAddress: UInt64
    let byteCount: Int
    let bytes: UnsafeMutableRawBufferPointer

    init(_ byteCount: Int, number: Int, isZeroed: Bool) {
        self.byteCount = byteCount
        physicalAddress = 0x100_0000 + UInt64(number) << 20
        // Most of it is never touched: the system's own zeros cost nothing until then.
        bytes = UnsafeMutableRawBufferPointer(start: calloc(byteCount, 1), count: byteCount)
        guard !isZeroed else { return }
        for offset in stride(from: 0, to: byteCount, by: 4) where offset % VirtioNetworkBuffer.slotBytes < 16 {
            bytes[offset] = 0xEE
        }
    }

    deinit { free(bytes.baseAddress) }

    private func place(_ offset: Int, _ count: Int) -> Int {
        let isInside = offset >= 0 && count >= 0 && offset + count <= byteCount
        require(
            isInside && (count > 8 || count == 0 || offset % count == 0), "a driver accesses its own memory, aligned")
        return offset
    }

    func load8(_ offset: Int) -> UInt8 { bytes.load(fromByteOffset: place(offset, 1), as: UInt8.self) }
    func load16(_ offset: Int) -> UInt16 { bytes.load(fromByteOffset: place(offset, 2), as: UInt16.self) }
    func load32(_ offset: Int) -> UInt32 { bytes.load(fromByteOffset: place(offset, 4), as: UInt32.self) }
    func load64(_ offset: Int) -> UInt64 { bytes.load(fromByteOffset: place(offset, 8), as: UInt64.self) }
    func store8(_ offset: Int, _ value: UInt8) {
        bytes.storeBytes(of: value, toByteOffset: place(offset, 1), as: UInt8.self)
    }
    func store16(_ offset: Int, _ value: UInt16) {
        bytes.storeBytes(of: value, toByteOffset: place(offset, 2), as: UInt16.self)
    }
    func store32(_ offset: Int, _ value: UInt32) {
        bytes.storeBytes(of: value, toByteOffset: place(offset, 4), as: UInt32.self)
    }
    func store64(_ offset: Int, _ value: UInt64) {
        bytes.storeBytes(of: value, toByteOffset: place(offset, 8), as: UInt64.self)
    }

    private func part(_ offset: Int, _ count: Int) -> UnsafeMutableRawBufferPointer {
        require(offset >= 0 && count >= 0 && offset + count <= byteCount, "a driver lends its own memory")
        return UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }

    func withBytes(_ offset: Int, _ count: Int, _ body: (RawSpan) -> Void) {
        body(UnsafeRawBufferPointer(part(offset, count)).bytes)
    }

    func withMutableBytes(_ offset: Int, _ count: Int, _ body: (inout MutableRawSpan) -> Void) {
        var span = part(offset, count).mutableBytes
        body(&span)
    }

    func orderStoresBeforeLoads() {}

    /// The device writes, anywhere in the region; what lies behind its end is lost.
    func put(_ values: [UInt8], at offset: Int) {
        for (index, value) in values.enumerated() where offset + index < byteCount { bytes[offset + index] = value }
    }
}
