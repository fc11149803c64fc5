import Testing

@testable import Devices

@Suite struct NetworkCardTests {
    let machine = FakeMachine()
    let plan = NetworkCardPlan(messageVector: 0x41, interruptLine: 11)

    @Test func anEmptyBusIsAnError() {
        machine.functions.append(FakeFunction(slot: 1, .interruptRouter))
        #expect(throws: DeviceError.noNetworkCard) { _ = try findNetworkCard(FakePlatform(machine: machine), plan) }
    }

    @Test func aWiredCardNeedsARouter() {
        let fake = FakeRTL8139(machine)
        machine.functions.append(
            FakeFunction(slot: 3, .realtek8139, revision: 0x20, registers: [.ports(256)], device: fake))
        #expect(throws: DeviceError.noInterruptRouter) {
            _ = try findNetworkCard(FakePlatform(machine: machine), plan)
        }
    }

    @Test func aRealtekCardFromBeforeTheNewTransmitterIsAnError() {
        let fake = FakeRTL8139(machine)
        machine.functions.append(FakeFunction(slot: 1, .interruptRouter))
        machine.functions.append(
            FakeFunction(slot: 3, .realtek8139, revision: 0x10, registers: [.ports(256)], device: fake))
        #expect(throws: DeviceError.unsupportedDevice) {
            _ = try findNetworkCard(FakePlatform(machine: machine), plan)
        }
    }

    @Test func theRealtekCardIsFoundAddressedAndRouted() throws {
        let fake = FakeRTL8139(machine)
        machine.functions.append(FakeFunction(slot: 1, .interruptRouter))
        machine.functions.append(
            FakeFunction(
                slot: 4, .realtek8139, revision: 0x20, registers: [.ports(256), .memory(256)], device: fake))
        var card = try findNetworkCard(FakePlatform(machine: machine), plan)
        #expect(card.interrupt == .line(11))
        #expect(card.address == MACAddress(0x02, 0x50, 0x4c, 0x58, 0x00, 0x07))
        #expect(machine.functions[0].configuration[0x63] == 11)
        #expect(fake.receive(makeFrame(1, 4352)))
        card.acknowledgeInterrupt()
        #expect(receiveAll(&card) == [makeFrame(1, 4352)])
        #expect(send(&card, makeFrame(2, 4352)))
        #expect(card.maximumTransmitBytes == FrameLimits.trainFrameBytes)
        #expect(send(&card, makeFrame(3, card.maximumTransmitBytes)))
        #expect(fake.sent == [makeFrame(2, 4352), makeFrame(3, FrameLimits.trainFrameBytes)])
        #expect(card.counters == counted { ($0.framesReceived, $0.framesSent) = (1, 2) })
    }
}
