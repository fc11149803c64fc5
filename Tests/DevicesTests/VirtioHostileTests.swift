import Seeds
import Testing

@testable import Devices

/// What the driver makes of rings that a correct device would not write.
@Suite struct VirtioHostileTests {
    let machine = FakeMachine()
    let fake: FakeVirtio

    init() {
        fake = FakeVirtio(machine)
        machine.functions.append(fake.function(slot: 3))
    }

    private func makeCard() throws -> NetworkCard<FakePlatform> {
        try findNetworkCard(
            FakePlatform(machine: machine), NetworkCardPlan(messageVector: 0x41, interruptLine: 10))
    }

    @Test func numbersOutOfRangeAreDropped() throws {
        var card = try makeCard()
        for id in [128, 255, 65536, UInt32.max] { fake.giveBack(0, id: id, length: 72) }
        #expect(fake.receive(makeFrame(1, 60)))
        #expect(receiveAll(&card) == [makeFrame(1, 60)])
        #expect(card.counters.inconsistencies == 4)
    }

    @Test func impossibleLengthsAreDroppedAndTheirBuffersReused() throws {
        var card = try makeCard()
        let lengths: [UInt32] = [0, 11, 12, 25, 4365, 4608, .max]
        for (slot, length) in lengths.enumerated() {
            fake.queues[0].takenIndex &+= 1
            fake.giveBack(0, id: UInt32(slot), length: length)
        }
        #expect(receiveAll(&card) == [])
        #expect(card.counters.inconsistencies == UInt64(lengths.count))
        for number in 0..<128 { #expect(fake.receive(makeFrame(number, 60))) }
        #expect(receiveAll(&card).count == 128)
    }

    @Test func aRepeatedNumberIsDropped() throws {
        var card = try makeCard()
        fake.sendsAtOnce = false
        for number in 0..<120 { #expect(send(&card, makeFrame(number, 60))) }
        for _ in 0..<3 { fake.giveBack(1, id: 5, length: 0) }
        #expect(send(&card, makeFrame(120, 60)))
        #expect(!send(&card, makeFrame(121, 60)))
        #expect(card.counters.inconsistencies == 2)
    }

    @Test func anIndexThatLeapsIsSurvived() throws {
        var card = try makeCard()
        machine.store(fake.queues[0].used + 2, UInt16(40_000))
        fake.queues[0].usedIndex = 40_000
        for _ in 0..<1_000 { _ = card.receive { #expect($0.byteCount <= 4352) } }
        #expect(card.counters.inconsistencies >= 39_000)
        #expect(fake.receive(makeFrame(1, 60)))
        #expect(receiveAll(&card) == [makeFrame(1, 60)])
    }

    @Test(arguments: SeededGenerator.seeds) func randomRingContentsNeverTrap(seed: UInt64) throws {
        var card = try makeCard()
        var random = SeededGenerator(seed: seed)
        for _ in 0..<3_000 {
            for queue in 0..<2 {
                let used = fake.queues[queue].used
                let entry = used + 4 + UInt64.random(in: 0..<UInt64(fake.queues[queue].size), using: &random) * 8
                machine.store(entry, UInt32.random(in: 0...140, using: &random))
                machine.store(entry + 4, UInt32.random(in: 0...6000, using: &random))
                machine.store(used + 2, UInt16.random(in: 0...UInt16.max, using: &random))
                machine.store(used, UInt16.random(in: 0...1, using: &random))
            }
            for _ in 0..<20 { _ = card.receive { #expect($0.byteCount <= 4352) } }
            _ = send(&card, makeFrame(1, 60))
        }
    }

    @Test(arguments: [0x40, 0x50, 0x60, 0x70, 0x98], SeededGenerator.seeds)
    func randomCapabilitiesAreErrorsNotTraps(offset: Int, seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let function = fake.function(slot: 3)
            for byte in offset + 2..<offset + 12 {
                function.configuration[byte] = UInt8.random(in: 0...255, using: &random)
            }
            machine.functions[0] = function
            machine.memoryTaken = 0
            do {
                _ = try makeCard()
            } catch let error as DeviceError {
                #expect(error != .noNetworkCard)
            }
        }
    }
}
