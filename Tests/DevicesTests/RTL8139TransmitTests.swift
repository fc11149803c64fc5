import Seeds
import Testing

@testable import Devices

@Suite struct RTL8139TransmitTests {
    let machine = FakeMachine()
    let fake: FakeRTL8139
    /// The shortest frame that takes a large buffer.
    let long = 4609
    let longest = FrameLimits.trainFrameBytes

    init() {
        fake = FakeRTL8139(machine)
        machine.functions.append(FakeFunction(slot: 1, .interruptRouter))
        machine.functions.append(FakeFunction(slot: 3, .realtek8139, registers: [.ports(256)], device: fake))
    }

    private func makeCard(_ maximumFrameBytes: Int = FrameLimits.jumboFrameBytes) throws -> RTL8139<FakePlatform> {
        var windows = AddressWindows()
        let platform = FakePlatform(machine: machine)
        try ConfigurationSpace(platform.ports).assignBaseAddresses(PCIFunction(device: 3, function: 0), &windows)
        let card = try RTL8139(platform, firstPort: 0xc000, maximumFrameBytes: maximumFrameBytes)
        _ = machine.takeTrace()
        return card
    }

    /// The first word of a descriptor.
    private func flags(_ position: Int) -> UInt32 {
        machine.load(fake.transmitRing + UInt64(position) * 16, as: UInt32.self)
    }

    private func refuse(_ card: inout RTL8139<FakePlatform>, _ byteCount: Int) {
        let refusals = card.counters.transmitRefusals
        let isSent = card.transmit(byteCount) { _ in Issue.record("without a buffer there is no frame to ask for") }
        #expect(!isSent && card.counters.transmitRefusals == refusals + 1)
    }

    /// Compares what was sent, without megabytes of it in a failure's text.
    private func expectSent(_ frames: [[UInt8]]) {
        let isSame = fake.sent == frames
        #expect(isSame, "frames of \(fake.sent.map(\.count)) bytes were sent")
    }

    @Test func aFrameIsOneDescriptorAndTheLastOneEndsTheRing() throws {
        var card = try makeCard()
        fake.sendsAtOnce = false
        for number in 0..<16 { #expect(send(&card, makeFrame(number, number == 7 ? longest : 100 + number))) }
        for number in 0..<16 {
            let size = UInt32(number == 7 ? longest : 100 + number)
            #expect(flags(number) == (number == 15 ? 0xf000_0000 : 0xb000_0000) | size)
        }
        #expect(machine.takeTrace() == [Access](repeating: .portWrite(0xc0d9, 0x40), count: 16))
    }

    @Test func aFullRingRefusesUntilADescriptorIsGivenBack() throws {
        var card = try makeCard()
        fake.sendsAtOnce = false
        for number in 0..<16 { #expect(send(&card, makeFrame(number, 4352))) }
        for _ in 0..<3 { refuse(&card, 60) }
        refuse(&card, longest)
        fake.sendNext()
        #expect(send(&card, makeFrame(16, 60)))
        refuse(&card, 60)
        while fake.sendNext() {}
        expectSent((0..<16).map { makeFrame($0, 4352) } + [makeFrame(16, 60)])
        #expect(card.counters == counted { ($0.framesSent, $0.transmitRefusals) = (17, 5) })
    }

    @Test func withoutALargeBufferOnlyLongFramesAreRefused() throws {
        var card = try makeCard()
        fake.sendsAtOnce = false
        let lengths = [long, longest, 60, 4608, longest, long]
        for (number, length) in lengths.enumerated() { #expect(send(&card, makeFrame(number, length))) }
        refuse(&card, long)
        for number in 6..<16 { #expect(send(&card, makeFrame(number, 1514))) }
        fake.sendNext()
        #expect(send(&card, makeFrame(16, longest)))
        refuse(&card, longest)
        for _ in 0..<3 { fake.sendNext() }
        #expect(send(&card, makeFrame(17, longest)))
        refuse(&card, longest)
        while fake.sendNext() {}
        let first = lengths.enumerated().map { makeFrame($0, $1) } + (6..<16).map { makeFrame($0, 1514) }
        expectSent(first + [makeFrame(16, longest), makeFrame(17, longest)])
        #expect(card.counters == counted { ($0.framesSent, $0.transmitRefusals) = (18, 3) })
    }

    @Test func aLargeBufferIsFreeAgainWhateverItsPositionSendsSince() throws {
        var card = try makeCard()
        for number in 0..<16 { #expect(send(&card, makeFrame(number, number == 0 ? longest : 60))) }
        fake.sendsAtOnce = false
        #expect(send(&card, makeFrame(16, 60)))
        for number in 17..<21 { #expect(send(&card, makeFrame(number, longest))) }
        refuse(&card, longest)
        while fake.sendNext() {}
        fake.sent.removeFirst(16)
        expectSent([makeFrame(16, 60)] + (17..<21).map { makeFrame($0, longest) })
    }

    /// A card that lags behind by any number of frames sends each as it was, whatever the buffers are lent to since.
    @Test(arguments: SeededGenerator.seeds) func everyFrameArrivesWhileTheCardLagsBehind(seed: UInt64) throws {
        var card = try makeCard()
        var random = SeededGenerator(seed: seed)
        fake.sendsAtOnce = false
        var waiting: [[UInt8]] = []
        for number in 0..<3_000 {
            let isLong = number % 5 == 0
            let frame = makeFrame(number, isLong ? .random(in: long...longest, using: &random) : 60 + number % 4000)
            if send(&card, frame) { waiting.append(frame) }
            guard waiting.count > .random(in: 0..<20, using: &random) || waiting.count == 16 else { continue }
            for _ in 0..<Int.random(in: 1...waiting.count, using: &random) {
                #expect(fake.sendNext())
                let isNext = fake.sent.removeLast() == waiting.removeFirst()
                #expect(isNext)
            }
        }
        while fake.sendNext() {}
        expectSent(waiting)
        #expect(card.counters.framesSent > 1_000 && fake.strangeFrames == 0)
        #expect(card.counters.framesSent + card.counters.transmitRefusals == 3_000)
    }

    @Test func everyFrameSentArrivesForLongerThanAnyCounter() throws {
        var card = try makeCard()
        for number in 0..<70_000 {
            let frame = makeFrame(number, number % 100 == 0 ? max(60, frameLength(number)) : 60)
            #expect(send(&card, frame))
            #expect(fake.sent.last == frame)
            fake.sent.removeAll(keepingCapacity: true)
        }
        #expect(machine.takeTrace().count == 70_000)
    }

    @Test func shortFramesArePaddedAndImpossibleOnesRefused() throws {
        var card = try makeCard()
        for _ in 0..<16 { #expect(send(&card, [UInt8](repeating: 0xff, count: 200))) }
        #expect(send(&card, makeFrame(1, 20)))
        #expect(fake.sent.last == makeFrame(1, 20) + [UInt8](repeating: 0, count: 40))
        #expect(!send(&card, []))
        #expect(card.maximumTransmitBytes == longest)
        #expect(!send(&card, [UInt8](repeating: 0, count: longest + 1)))
        #expect(send(&card, makeFrame(3, longest)))
        fake.sent.removeFirst(17)
        expectSent([makeFrame(3, longest)])
        #expect(card.counters == counted { $0.framesSent = 18 })
    }

    @Test func onAStandardSegmentNoFrameIsLong() throws {
        var card = try makeCard(FrameLimits.standardFrameBytes)
        #expect(card.maximumTransmitBytes == 1514)
        #expect(!send(&card, makeFrame(1, 1515)))
        #expect(send(&card, makeFrame(1, 1514)))
        #expect(fake.sent == [makeFrame(1, 1514)])
    }

    /// To restart the receiver is to restart the transmitter: the card goes back to position 0 then.
    @Test func aRestartedReceiverLeavesATransmitterThatWorks() throws {
        var card = try makeCard()
        for number in 0..<5 { #expect(send(&card, makeFrame(number, 100))) }
        fake.sendsAtOnce = false
        for number in 5..<9 { #expect(send(&card, makeFrame(number, longest))) }
        fake.receiveHostile(header: 0, claimed: 64)
        card.acknowledgeInterrupt()
        #expect(receiveAll(&card).isEmpty && card.counters.receiverRestarts == 1)
        #expect((0..<16).allSatisfy { flags($0) == 0 })
        for number in 9..<18 { #expect(send(&card, makeFrame(number, 60))) }
        for number in 18..<22 { #expect(send(&card, makeFrame(number, longest))) }
        while fake.sendNext() {}
        let before = (0..<5).map { makeFrame($0, 100) }
        expectSent(before + (9..<18).map { makeFrame($0, 60) } + (18..<22).map { makeFrame($0, longest) })
        #expect(fake.command == 0x0c && fake.plusCommand == 1)
    }

    /// Whatever a card writes into the ring, a frame goes into a buffer and one call looks at each descriptor once.
    @Test(arguments: SeededGenerator.seeds) func hostileDescriptorsCostFramesAtMost(seed: UInt64) throws {
        var card = try makeCard()
        var random = SeededGenerator(seed: seed)
        fake.sendsAtOnce = false
        for number in 0..<20_000 {
            let place = fake.transmitRing + UInt64.random(in: 0..<64, using: &random) * 4
            let isGivenBack = Bool.random(using: &random)
            machine.store(place, UInt32.random(in: 0 ... .max, using: &random) & (isGivenBack ? 0x7fff_ffff : .max))
            let length = number % 3 == 0 ? longest : 60
            let before = (0..<16).filter { flags($0) & 1 << 31 != 0 }
            let isSent = send(&card, [UInt8](repeating: UInt8(number & 0xff), count: length))
            let after = (0..<16).filter { flags($0) & 1 << 31 != 0 }
            #expect(after.count == before.count + (isSent ? 1 : 0))
        }
        for position in 0..<16 { machine.store(fake.transmitRing + UInt64(position) * 16, UInt32(0)) }
        for _ in 0..<4 { #expect(send(&card, makeFrame(1, longest))) }
    }
}
