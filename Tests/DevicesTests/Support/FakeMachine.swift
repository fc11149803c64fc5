import Devices

/// One access that a driver made to the outside, for register traces.
enum Access: Equatable {
    case portRead(UInt16)
    case portWrite(UInt16, UInt32)
    case load(UInt64)
    case store(UInt64, UInt64)
}

/// The other side of a card: what its registers do.
protocol FakeDevice: AnyObject {
    func portRead(_ offset: UInt16, _ bytes: Int) -> UInt32
    func portWrite(_ offset: UInt16, _ bytes: Int, _ value: UInt32)
    func load(_ register: Int, _ offset: Int, _ bytes: Int) -> UInt64
    func store(_ register: Int, _ offset: Int, _ bytes: Int, _ value: UInt64)
}

/// A machine of ports, one piece of RAM and a PCI bus, all fake and all observable.
final class FakeMachine {
    /// Where RAM starts, so that physical addresses and offsets are never mixed up.
    static let memoryStart: UInt64 = 0x10_0000
    static let memoryBytes = 4 << 20

    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: FakeMachine.memoryBytes, alignment: 4096)
    var memoryTaken = 0
    var memoryLimit = FakeMachine.memoryBytes
    var functions: [FakeFunction] = []
    /// Outside accesses since the trace was last emptied; configuration space is not in it.
    var trace: [Access] = []
    var plainPorts: [UInt16: UInt8] = [0x4d0: 0xff, 0x4d1: 0xff]
    private var configurationAddress: UInt32 = 0

    init() { memory.initializeMemory(as: UInt8.self, repeating: 0xee) }
    deinit { memory.deallocate() }

    /// The accesses since the last call.
    func takeTrace() -> [Access] {
        defer { trace = [] }
        return trace
    }

    func bytes(_ physical: UInt64, _ count: Int) -> [UInt8] {
        let offset = Int(physical - Self.memoryStart)
        return Array(memory[offset..<offset + count])
    }

    func write(_ physical: UInt64, _ bytes: [UInt8]) {
        let offset = Int(physical - Self.memoryStart)
        UnsafeMutableRawBufferPointer(rebasing: memory[offset..<offset + bytes.count]).copyBytes(from: bytes)
    }

    func load<Value: FixedWidthInteger>(_ physical: UInt64, as type: Value.Type) -> Value {
        memory.load(fromByteOffset: Int(physical - Self.memoryStart), as: type)
    }

    func store<Value: FixedWidthInteger>(_ physical: UInt64, _ value: Value) {
        memory.storeBytes(of: value, toByteOffset: Int(physical - Self.memoryStart), as: Value.self)
    }

    // MARK: ports

    func portRead(_ port: UInt16, _ bytes: Int) -> UInt32 {
        if let value = configurationAccess(port, bytes, nil) { return value }
        trace.append(.portRead(port))
        if let value = plainPorts[port] { return UInt32(value) }
        guard let (function, offset) = decode(port) else { return 0xffff_ffff }
        return function.device?.portRead(offset, bytes) ?? 0xffff_ffff
    }

    func portWrite(_ port: UInt16, _ bytes: Int, _ value: UInt32) {
        if configurationAccess(port, bytes, value) != nil { return }
        trace.append(.portWrite(port, value))
        if plainPorts[port] != nil { plainPorts[port] = UInt8(truncatingIfNeeded: value) }
        guard let (function, offset) = decode(port) else { return }
        function.device?.portWrite(offset, bytes, value)
    }

    private func decode(_ port: UInt16) -> (FakeFunction, UInt16)? {
        for function in functions {
            if let offset = function.portOffset(port) { return (function, offset) }
        }
        return nil
    }

    private func configurationAccess(_ port: UInt16, _ bytes: Int, _ value: UInt32?) -> UInt32? {
        if port == 0xcf8 {
            if let value { configurationAddress = value }
            return configurationAddress
        }
        guard port >= 0xcfc && port <= 0xcff else { return nil }
        let slot = UInt8(configurationAddress >> 11 & 31)
        let number = UInt8(configurationAddress >> 8 & 7)
        let isBusZero = configurationAddress & 0x80ff_0000 == 0x8000_0000
        let offset = Int(configurationAddress & 0xfc) + Int(port - 0xcfc)
        guard isBusZero, let function = functions.first(where: { $0.slot == slot && $0.number == number }) else {
            return 0xffff_ffff
        }
        if let value { function.write(offset, bytes, value) }
        return function.read(offset, bytes)
    }

    // MARK: device memory

    func load(_ physical: UInt64, _ bytes: Int) -> UInt64 {
        trace.append(.load(physical))
        for function in functions {
            if let (register, offset) = function.memoryOffset(physical) {
                return function.device?.load(register, offset, bytes) ?? 0
            }
        }
        return .max
    }

    func store(_ physical: UInt64, _ bytes: Int, _ value: UInt64) {
        trace.append(.store(physical, value))
        for function in functions {
            if let (register, offset) = function.memoryOffset(physical) {
                function.device?.store(register, offset, bytes, value)
            }
        }
    }
}
