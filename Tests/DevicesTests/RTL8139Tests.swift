import Seeds
import Testing

@testable import Devices

@Suite struct RTL8139Tests {
    let machine = FakeMachine()
    let fake: FakeRTL8139

    init() {
        fake = FakeRTL8139(machine)
        machine.functions.append(FakeFunction(slot: 1, .interruptRouter))
        machine.functions.append(FakeFunction(slot: 3, .realtek8139, registers: [.ports(256)], device: fake))
    }

    private func makeCard() throws(DeviceError) -> RTL8139<FakePlatform> {
        var windows = AddressWindows()
        let platform = FakePlatform(machine: machine)
        try ConfigurationSpace(platform.ports).assignBaseAddresses(PCIFunction(device: 3, function: 0), &windows)
        let card = try RTL8139(platform, firstPort: 0xc000, maximumFrameBytes: FrameLimits.jumboFrameBytes)
        _ = machine.takeTrace()
        return card
    }

    @Test func startsReceiverTransmitterAndInterrupts() throws {
        let card = try makeCard()
        #expect(card.address == MACAddress(0x02, 0x50, 0x4c, 0x58, 0x00, 0x07))
        #expect(fake.command == 0x0c)
        #expect(fake.receiveConfiguration == 0xff0a)
        #expect(fake.transmitConfiguration != 0)
        #expect(fake.interruptMask == 0x53)
        #expect(fake.readOffset == 0 && fake.writeOffset == 0)
        #expect(fake.plusCommand == 1)
        #expect(fake.transmitRing >= FakeMachine.memoryStart && fake.transmitRing % 256 == 0)
        #expect((0..<16).allSatisfy { machine.load(fake.transmitRing + $0 * 16, as: UInt32.self) == 0 })
    }

    @Test func aCardThatStaysInResetIsAnError() {
        fake.staysInReset = true
        #expect(throws: DeviceError.resetFailed) { _ = try makeCard() }
    }

    @Test func missingMemoryIsAnError() {
        machine.memoryLimit = 381 << 10
        #expect(throws: DeviceError.outOfMemory) { _ = try makeCard() }
        machine.memoryTaken = 0
        machine.memoryLimit = 382 << 10
        #expect(throws: Never.self) { _ = try makeCard() }
    }

    @Test func oneFrameCostsThreeAccessesAndItsReplyOne() throws {
        var card = try makeCard()
        #expect(fake.receive(makeFrame(1, 60)))
        #expect(fake.wire)
        card.acknowledgeInterrupt()
        #expect(!fake.wire)
        #expect(receiveAll(&card) == [makeFrame(1, 60)])
        #expect(send(&card, makeFrame(2, 100)))
        #expect(machine.takeTrace() == [
            .portWrite(0xc03e, 0x53), .portRead(0xc03a), .portWrite(0xc038, 52), .portWrite(0xc0d9, 0x40),
        ])
    }

    @Test func aBurstCostsThreeAccessesToo() throws {
        var card = try makeCard()
        for number in 0..<100 { #expect(fake.receive(makeFrame(number, 60))) }
        card.acknowledgeInterrupt()
        #expect(receiveAll(&card).count == 100)
        #expect(machine.takeTrace().count == 3)
        #expect(fake.readOffset == fake.writeOffset)
    }

    @Test func everyFrameSurvivesManyTurnsOfTheRing() throws {
        var card = try makeCard()
        var arrived = 0
        var wrapped = 0
        for number in 0..<75_000 {
            let frame = makeFrame(number, number % 50 == 0 ? frameLength(number) : 60 + number % 64)
            let before = fake.writeOffset
            #expect(fake.receive(frame))
            if fake.writeOffset < before { wrapped += 1 }
            card.acknowledgeInterrupt()
            while card.receive({ span in if array(span) == frame { arrived += 1 } }) {}
        }
        #expect(arrived == 75_000)
        #expect(wrapped > 90)
        #expect(card.counters == counted { $0.framesReceived = 75_000 })
    }

    @Test func jumboFramesInBurstsWrapInEveryPlace() throws {
        var card = try makeCard()
        var next = 0
        for round in 0..<400 {
            let burst = (0..<1 + round % 13).map { makeFrame(next + $0, frameLength(next + $0)) }
            next += burst.count
            for frame in burst { #expect(fake.receive(frame)) }
            card.acknowledgeInterrupt()
            #expect(receiveAll(&card) == burst)
        }
        #expect(card.counters.inconsistencies == 0)
    }

    @Test func aFullRingRecoversAndKeepsWhatItHad() throws {
        var card = try makeCard()
        var held = 0
        while fake.receive(makeFrame(held, 4352)) { held += 1 }
        #expect(held == 15)
        #expect(fake.wire)
        card.acknowledgeInterrupt()
        #expect(!fake.wire)
        #expect(receiveAll(&card) == (0..<15).map { makeFrame($0, 4352) })
        #expect(fake.receive(makeFrame(99, 1514)))
        card.acknowledgeInterrupt()
        #expect(receiveAll(&card) == [makeFrame(99, 1514)])
        #expect(card.counters.receiverRestarts == 0)
    }

    @Test func longBurstsGiveRoomBackOnTheWay() throws {
        var card = try makeCard()
        for number in 0..<14 { #expect(fake.receive(makeFrame(number, 4352))) }
        card.acknowledgeInterrupt()
        for _ in 0..<4 { #expect(card.receive { _ in }) }
        #expect(fake.readOffset == 4 * 4360)
    }

    @Test(arguments: [
        (0x0000_0001, 64), (0x0003_0001, 64), (0x0011_0001, 64), (0xffff_0001, 8192), (0x1105_0001, 8192),
        (0xfff0_0001, 64), (0x0044_0000, 72), (0x0100_0001, 64), (0x0044_0001, 4), (0x0041_0001, 66),
    ] as [(UInt32, Int)])
    func hostileHeadersRestartTheReceiver(header: UInt32, claimed: Int) throws {
        var card = try makeCard()
        #expect(fake.receive(makeFrame(1, 60)))
        fake.receiveHostile(header: header, claimed: claimed)
        card.acknowledgeInterrupt()
        let frames = receiveAll(&card)
        #expect(frames.count <= 1)
        #expect(card.counters.receiverRestarts == 1)
        #expect(fake.command == 0x0c && fake.readOffset == 0 && fake.writeOffset == 0)
        #expect(fake.receive(makeFrame(2, 4352)))
        card.acknowledgeInterrupt()
        #expect(receiveAll(&card) == [makeFrame(2, 4352)])
    }

    @Test(arguments: SeededGenerator.seeds) func randomRingContentsNeverTrap(seed: UInt64) throws {
        var card = try makeCard()
        var random = SeededGenerator(seed: seed)
        for _ in 0..<5_000 {
            let start = UInt64(fake.receiveBuffer) + UInt64(fake.writeOffset & 0xfffc)
            let length = UInt16.random(in: 0...5200, using: &random)
            machine.write(start, [1, 0, UInt8(length & 0xff), UInt8(length >> 8)])
            fake.writeOffset = Int.random(in: 0..<65536, using: &random)
            card.acknowledgeInterrupt()
            var calls = 0
            while calls < 10_000, card.receive({ #expect($0.byteCount <= 4352) }) { calls += 1 }
            #expect(calls < 10_000)
        }
    }
}

/// Counters that are all zero but for what `change` sets.
func counted(_ change: (inout DeviceCounters) -> Void) -> DeviceCounters {
    var counters = DeviceCounters()
    change(&counters)
    return counters
}
