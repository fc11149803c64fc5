import Testing

@testable import Devices

@Suite struct VirtioNetworkTests {
    let machine = FakeMachine()
    let fake: FakeVirtio

    init() {
        fake = FakeVirtio(machine)
        machine.functions.append(FakeFunction(slot: 1, .interruptRouter))
        machine.functions.append(fake.function(slot: 3))
    }

    private func makeCard(messages: Bool = true) throws(DeviceError) -> NetworkCard<FakePlatform> {
        let plan = NetworkCardPlan(messageVector: messages ? 0x41 : nil, interruptLine: 10)
        let card = try findNetworkCard(FakePlatform(machine: machine), plan)
        _ = machine.takeTrace()
        return card
    }

    @Test func negotiatesAndOffersEveryReceiveBuffer() throws {
        let card = try makeCard()
        #expect(card.address == MACAddress(0x02, 0x50, 0x4c, 0x58, 0x00, 0x09))
        #expect(card.interrupt == .message(vector: 0x41))
        #expect(fake.accepted == 1 << 32 | 1 << 5)
        #expect(card.maximumFrameBytes == 4352 && card.maximumTransmitBytes == FrameLimits.trainFrameBytes)
        #expect(fake.queues[0].isEnabled && fake.queues[1].isEnabled && !fake.queues[2].isEnabled)
        #expect(fake.queues[0].vector == 0 && fake.queues[1].vector == 0xffff)
        #expect(machine.load(fake.queues[0].available + 2, as: UInt16.self) == 128)
        #expect(fake.table[0..<4] == [0xfee0_0000, 0, 0x41, 0])
        #expect(machine.functions[1].configuration[0x9b] & 0x80 != 0)
        #expect(machine.functions[1].command == 0x407)
        #expect(fake.notifications == [1, 0, 0])
    }

    @Test func aSmallerMtuLimitsFrames() throws {
        fake.offered |= 1 << 3
        let card = try makeCard()
        #expect(card.maximumFrameBytes == 1514 && card.maximumTransmitBytes == 1514)
    }

    @Test func refusalsAreErrors() {
        fake.offered &= ~(1 << 32)
        #expect(throws: DeviceError.unsupportedDevice) { _ = try makeCard() }
        fake.offered |= 1 << 32
        fake.refusesFeatures = true
        #expect(throws: DeviceError.unsupportedDevice) { _ = try makeCard() }
        fake.refusesFeatures = false
        machine.memoryLimit = machine.memoryTaken + 100_000
        #expect(throws: DeviceError.outOfMemory) { _ = try makeCard() }
        machine.functions[1].configuration[0x34] = 0
        #expect(throws: DeviceError.unsupportedDevice) { _ = try makeCard() }
    }

    @Test func withMessagesAFrameReceivedCostsNothingAndAReplyOneNotification() throws {
        var card = try makeCard()
        #expect(fake.receive(makeFrame(1, 60)))
        card.acknowledgeInterrupt()
        #expect(receiveAll(&card) == [makeFrame(1, 60)])
        #expect(machine.takeTrace() == [])
        #expect(send(&card, makeFrame(2, 100)))
        #expect(fake.sent == [makeFrame(2, 100)])
        #expect(machine.takeTrace() == [.store(notification(1), 1)])
        #expect(fake.interrupts == [1, 0, 0])
    }

    @Test func theWiredInterruptCostsOneRead() throws {
        var card = try makeCard(messages: false)
        #expect(card.interrupt == .line(10))
        #expect(fake.receive(makeFrame(1, 60)))
        card.acknowledgeInterrupt()
        #expect(fake.interruptStatus == 0)
        #expect(receiveAll(&card).count == 1)
        #expect(machine.takeTrace().count == 1)
    }

    @Test func aBusyDeviceIsNotNotified() throws {
        var card = try makeCard()
        fake.sendsAtOnce = false
        fake.setNoNotify(1, true)
        for number in 0..<10 { #expect(send(&card, makeFrame(number, 1514))) }
        #expect(machine.takeTrace() == [])
        fake.sendAll()
        #expect(fake.sent == (0..<10).map { makeFrame($0, 1514) })
    }

    @Test func bothRingsTurnForLongerThanTheirIndices() throws {
        var card = try makeCard()
        var arrived = 0
        for number in 0..<75_000 {
            let frame = makeFrame(number, number % 50 == 0 ? max(60, frameLength(number)) : 60 + number % 8)
            #expect(fake.receive(frame))
            while card.receive({ span in if array(span) == frame { arrived += 1 } }) {}
            #expect(send(&card, frame))
            #expect(fake.sent.last == frame)
            fake.sent.removeAll(keepingCapacity: true)
        }
        #expect(arrived == 75_000)
        #expect(machine.takeTrace().count == 75_000)
        #expect(card.counters == counted { ($0.framesReceived, $0.framesSent) = (75_000, 75_000) })
    }

    @Test func burstsUpToTheWholeRingArriveInOrder() throws {
        var card = try makeCard()
        var next = 0
        for round in 0..<300 {
            let burst = (0..<1 + round % 128).map { makeFrame(next + $0, 60 + $0 % 40) }
            next += burst.count
            for frame in burst { #expect(fake.receive(frame)) }
            #expect(receiveAll(&card) == burst)
        }
        #expect(machine.takeTrace() == [])
    }

    @Test func aStarvedReceiverIsNotifiedOnce() throws {
        var card = try makeCard()
        for number in 0..<128 { #expect(fake.receive(makeFrame(number, 4352))) }
        #expect(!fake.receive(makeFrame(128, 60)))
        for _ in 0..<15 { #expect(card.receive { _ in }) }
        #expect(machine.takeTrace() == [])
        #expect(card.receive { _ in })
        #expect(machine.takeTrace() == [.store(notification(0), 0)])
        #expect(fake.receive(makeFrame(128, 60)))
    }

    @Test func aFullTransmitRingRefusesAndRecovers() throws {
        var card = try makeCard()
        fake.sendsAtOnce = false
        for number in 0..<120 { #expect(send(&card, makeFrame(number, 4352))) }
        #expect(!card.transmit(60) { _ in Issue.record("a full ring must not ask for the frame") })
        #expect(card.counters.transmitRefusals == 1)
        fake.sendAll()
        for number in 120..<240 { #expect(send(&card, makeFrame(number, 4352))) }
        fake.sendAll()
        #expect(fake.sent == (0..<240).map { makeFrame($0, 4352) })
        // The buffers were full of what was there before.
        #expect(fake.strangeHeaders == 0)
    }

    /// Long frames have buffers of their own: when those are out, the others are there, and the other way round.
    @Test func longFramesGoBesideOthers() throws {
        var card = try makeCard()
        fake.sendsAtOnce = false
        let most = FrameLimits.trainFrameBytes
        var expected: [[UInt8]] = []
        for round in 0..<3 {
            for number in 0..<8 {
                let (long, short) = (makeFrame(round + number, most - number), makeFrame(number, 60))
                #expect(send(&card, long))
                expected.append(long)
                guard number % 2 == 0 else { continue }
                #expect(send(&card, short))
                expected.append(short)
            }
            #expect(!card.transmit(4600) { _ in Issue.record("no long buffer is left") })
            #expect(!card.transmit(most) { _ in Issue.record("no long buffer is left") })
            #expect(card.counters.transmitRefusals == UInt64(2 * round + 2))
            #expect(send(&card, makeFrame(9, 4352)))
            expected.append(makeFrame(9, 4352))
            fake.sendAll()
        }
        #expect(fake.sent == expected && fake.strangeHeaders == 0)
        #expect(!send(&card, [UInt8](repeating: 0, count: most + 1)))
    }

    @Test func shortFramesArePaddedAndImpossibleOnesRefused() throws {
        var card = try makeCard()
        for _ in 0..<128 { #expect(send(&card, [UInt8](repeating: 0xff, count: 200))) }
        #expect(send(&card, makeFrame(1, 20)))
        #expect(fake.sent.last == makeFrame(1, 20) + [UInt8](repeating: 0, count: 40))
        #expect(!send(&card, []))
        #expect(!send(&card, [UInt8](repeating: 0, count: FrameLimits.trainFrameBytes + 1)))
    }

    /// The physical address of a queue's notification register in the fake's layout.
    private func notification(_ number: Int) -> UInt64 {
        UInt64(machine.functions[1].get(0x20) & ~0xf) + 0x3000 + UInt64(number * 4)
    }
}
