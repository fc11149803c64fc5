import Devices

/// What the drivers are given in place of the real machine.
struct FakePlatform: DevicePlatform {
    let machine: FakeMachine

    var ports: FakePorts { FakePorts(machine: machine) }

    func registers(at physicalAddress: UInt64, byteCount: Int) -> FakeRegisters? {
        FakeRegisters(machine: machine, start: physicalAddress, byteCount: byteCount)
    }

    func allocateDMA(byteCount: Int, alignment: Int, isZeroed: Bool) -> FakeMemory? {
        let start = (machine.memoryTaken + alignment - 1) & ~(alignment - 1)
        guard start + byteCount <= machine.memoryLimit else { return nil }
        machine.memoryTaken = start + byteCount
        let physical = FakeMachine.memoryStart + UInt64(start)
        if isZeroed { machine.write(physical, [UInt8](repeating: 0, count: byteCount)) }
        return FakeMemory(machine: machine, physicalAddress: physical, byteCount: byteCount)
    }
}

struct FakePorts: PortSpace {
    let machine: FakeMachine

    func read8(_ port: UInt16) -> UInt8 { UInt8(truncatingIfNeeded: machine.portRead(port, 1)) }
    func read16(_ port: UInt16) -> UInt16 { UInt16(truncatingIfNeeded: machine.portRead(port, 2)) }
    func read32(_ port: UInt16) -> UInt32 { machine.portRead(port, 4) }
    func write8(_ port: UInt16, _ value: UInt8) { machine.portWrite(port, 1, UInt32(value)) }
    func write16(_ port: UInt16, _ value: UInt16) { machine.portWrite(port, 2, UInt32(value)) }
    func write32(_ port: UInt16, _ value: UInt32) { machine.portWrite(port, 4, value) }
}

struct FakeRegisters: RegisterWindow {
    let machine: FakeMachine
    let start: UInt64
    let byteCount: Int

    private func place(_ offset: Int, _ bytes: Int) -> UInt64 {
        precondition(offset >= 0 && offset + bytes <= byteCount && offset % bytes == 0, "outside the window")
        return start + UInt64(offset)
    }

    func load8(_ offset: Int) -> UInt8 { UInt8(truncatingIfNeeded: machine.load(place(offset, 1), 1)) }
    func load16(_ offset: Int) -> UInt16 { UInt16(truncatingIfNeeded: machine.load(place(offset, 2), 2)) }
    func load32(_ offset: Int) -> UInt32 { UInt32(truncatingIfNeeded: machine.load(place(offset, 4), 4)) }
    func load64(_ offset: Int) -> UInt64 { machine.load(place(offset, 8), 8) }
    func store8(_ offset: Int, _ value: UInt8) { machine.store(place(offset, 1), 1, UInt64(value)) }
    func store16(_ offset: Int, _ value: UInt16) { machine.store(place(offset, 2), 2, UInt64(value)) }
    func store32(_ offset: Int, _ value: UInt32) { machine.store(place(offset, 4), 4, UInt64(value)) }
    func store64(_ offset: Int, _ value: UInt64) { machine.store(place(offset, 8), 8, value) }
}

struct FakeMemory: DMARegion {
    let machine: FakeMachine
    let physicalAddress: UInt64
    let byteCount: Int

    private func place(_ offset: Int, _ bytes: Int) -> UInt64 {
        precondition(offset >= 0 && offset + bytes <= byteCount && offset % bytes == 0, "outside the region")
        return physicalAddress + UInt64(offset)
    }

    func load8(_ offset: Int) -> UInt8 { machine.load(place(offset, 1), as: UInt8.self) }
    func load16(_ offset: Int) -> UInt16 { machine.load(place(offset, 2), as: UInt16.self) }
    func load32(_ offset: Int) -> UInt32 { machine.load(place(offset, 4), as: UInt32.self) }
    func load64(_ offset: Int) -> UInt64 { machine.load(place(offset, 8), as: UInt64.self) }
    func store8(_ offset: Int, _ value: UInt8) { machine.store(place(offset, 1), value) }
    func store16(_ offset: Int, _ value: UInt16) { machine.store(place(offset, 2), value) }
    func store32(_ offset: Int, _ value: UInt32) { machine.store(place(offset, 4), value) }
    func store64(_ offset: Int, _ value: UInt64) { machine.store(place(offset, 8), value) }

    private func window(_ offset: Int, _ count: Int) -> UnsafeMutableRawBufferPointer {
        precondition(offset >= 0 && count >= 0 && offset + count <= byteCount, "outside the region")
        let start = Int(physicalAddress - FakeMachine.memoryStart) + offset
        return UnsafeMutableRawBufferPointer(rebasing: machine.memory[start..<start + count])
    }

    func withBytes(_ offset: Int, _ count: Int, _ body: (RawSpan) -> Void) {
        body(UnsafeRawBufferPointer(window(offset, count)).bytes)
    }

    func withMutableBytes(_ offset: Int, _ count: Int, _ body: (inout MutableRawSpan) -> Void) {
        var span = window(offset, count).mutableBytes
        body(&span)
    }

    func orderStoresBeforeLoads() {}
}
