import Testing

@testable import Devices

@Suite struct ConfigurationSpaceTests {
    let machine = FakeMachine()
    var space: ConfigurationSpace<FakePorts> { ConfigurationSpace(FakePorts(machine: machine)) }

    private func add(_ slot: UInt8, _ number: UInt8 = 0, _ registers: [FakeFunction.Register] = []) -> FakeFunction {
        let function = FakeFunction(slot: slot, number: number, .realtek8139, registers: registers)
        machine.functions.append(function)
        return function
    }

    @Test func enumerationSeesFunctionsOnlyOfMultifunctionDevices() {
        _ = add(1)
        _ = add(1, 3)
        add(4).configuration[0x0e] = 0x80
        _ = add(4, 7)
        _ = add(31)
        var seen: [PCIFunction] = []
        space.forEachFunction { function, _ in
            seen.append(function)
            return true
        }
        let expected: [(UInt8, UInt8)] = [(1, 0), (4, 0), (4, 7), (31, 0)]
        #expect(seen == expected.map { PCIFunction(device: $0.0, function: $0.1) })
    }

    @Test func narrowWritesLeaveTheirNeighboursAlone() {
        let fake = add(2)
        fake.set(4, 0xffff_0000)
        let function = PCIFunction(device: 2, function: 0)
        space.changeCommand(function, set: 7)
        #expect(fake.get(4) == 0xffff_0007)
        space.write8(function, 0x3d, 2)
        #expect(space.read8(function, 0x3d) == 2)
        #expect(space.read16(function, 6) == 0xffff)
    }

    @Test func unassignedBaseAddressesGetAlignedPlaces() throws {
        let fake = add(3, 0, [.ports(32), .memory(4096), .absent, .absent, .wideMemory(1 << 20), .upperHalf])
        var windows = AddressWindows(memory: 0xe000_1000..<0xe100_0000, ports: 0xc004..<0xd000)
        let function = PCIFunction(device: 3, function: 0)
        try space.assignBaseAddresses(function, &windows)
        #expect(space.portStart(function, 0) == 0xc020)
        #expect(space.memoryStart(function, 1) == 0xe000_1000)
        #expect(space.memoryStart(function, 4) == 0xe010_0000)
        #expect(space.memoryStart(function, 0) == nil && space.portStart(function, 1) == nil)
        #expect(space.memoryStart(function, 2) == nil && space.memoryStart(function, 7) == nil)
        #expect(fake.command == 7)
    }

    @Test func assignedBaseAddressesStay() throws {
        let fake = add(3, 0, [.ports(256), .memory(256)])
        fake.set(0x10, 0xb001)
        fake.set(0x14, 0xfd00_0000)
        var windows = AddressWindows()
        let function = PCIFunction(device: 3, function: 0)
        try space.assignBaseAddresses(function, &windows)
        #expect(fake.get(0x10) == 0xb001 && fake.get(0x14) == 0xfd00_0000)
        #expect(space.baseAddress(function, 1) == .memory(start: 0xfd00_0000, byteCount: 256, isWide: false))
    }

    @Test func usedUpWindowsAreAnError() {
        _ = add(3, 0, [.memory(1 << 24)])
        _ = add(5, 0, [.ports(256)])
        var small = AddressWindows(memory: 0xe000_0000..<0xe010_0000, ports: 0xc000..<0xc080)
        #expect(throws: DeviceError.baseAddressUnavailable) {
            try space.assignBaseAddresses(PCIFunction(device: 3, function: 0), &small)
        }
        #expect(throws: DeviceError.baseAddressUnavailable) {
            try space.assignBaseAddresses(PCIFunction(device: 5, function: 0), &small)
        }
    }

    @Test func capabilityListInACircleEnds() {
        let fake = add(6)
        fake.addCapability(at: 0x50, [0x05, 0])
        fake.addCapability(at: 0x40, [0x09, 0])
        fake.configuration[0x51] = 0x40
        let function = PCIFunction(device: 6, function: 0)
        var count = 0
        space.forEachCapability(function) { _ in
            count += 1
            return true
        }
        #expect(count == 48)
        #expect(space.capability(function, 0x05) == Capability(identifier: 5, offset: 0x50))
        #expect(space.capability(function, 0x11) == nil)
    }

    @Test func interruptWireFollowsSlotAndPin() throws {
        machine.functions.append(FakeFunction(slot: 1, .interruptRouter))
        let fake = add(3)
        let router = try #require(InterruptRouter(space))
        router.route(PCIFunction(device: 3, function: 0), to: 11, isLevel: false)
        // Slot 3, pin A: wire (1 - 1 + 3 - 1) mod 4 = 2.
        #expect(machine.functions[0].configuration[0x60...0x63].elementsEqual([0, 0, 11, 0]))
        #expect(fake.configuration[0x3c] == 11)
        #expect(machine.plainPorts[0x4d1] == 0xf7)
        router.route(PCIFunction(device: 3, function: 0), to: 11, isLevel: true)
        #expect(machine.plainPorts[0x4d1] == 0xff)
    }
}
