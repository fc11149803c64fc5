@testable import Devices

extension Target {
    /// Both rings of an RTL8139C+ as a hostile card fills them.
    static let rtl8139 = Target("rtl8139", longest: 1024) { bytes in
        let machine = HostileMachine(Input(bytes))
        let card = RTL8139Card(machine)
        guard var driver = try? RTL8139(HostilePlatform(machine: machine), firstPort: RTL8139Card.firstPort,
                                        maximumFrameBytes: FrameLimits.jumboFrameBytes)
        else { return }
        while !machine.input.isEmpty { card.step(&driver) }
        card.recover(&driver)
    }
}

/// The card's side: it writes what the input says into both rings, and moves its pointer where it likes.
private final class RTL8139Card {
    static let firstPort: UInt16 = 0xC000
    private static let ringBytes = 65536

    private let machine: HostileMachine
    /// The write pointer register.
    private var written: UInt16 = 0
    /// The position of the transmit ring that the driver hands over next.
    private var position = 0
    /// What of the driver's memory was handed over with each position, until it was given back.
    private var lent = [Range<UInt64>?](repeating: nil, count: TransmitRing.count)

    private typealias TransmitRing = RTL8139TransmitRing<HostileMemory>

    init(_ machine: HostileMachine) {
        self.machine = machine
        machine.answer = { [weak self] port, _ in
            switch UInt16(port) - Self.firstPort {
            case RTL8139Register.writePointer: UInt64(self?.written ?? 0)
            default: 0
            }
        }
        machine.store = { [weak self] port, _, value in
            switch UInt16(port) - Self.firstPort {
            // Configuring the receiver makes the card start over, and so does switching the transmitter on.
            case RTL8139Register.receiveConfiguration: self?.written = 0
            case RTL8139Register.command: self?.forgetTransmitRing()
            case RTL8139Register.transmitPoll: self?.take(UInt8(value))
            default: break
            }
        }
    }

    func step(_ driver: inout RTL8139<HostilePlatform>) {
        switch machine.input.below(8) {
        case 0, 1: write(status: 1, length: FrameLimits.headerBytes + machine.input.below(200))
        case 2: write(status: machine.input.number(), length: Int(machine.input.number(UInt16.self)))
        case 3:
            let bytes = machine.input.take(machine.input.below(32))
            machine.regions[0].put(bytes, at: Int(machine.input.number(UInt16.self)))
        case 4: written = machine.input.number()
        case 5: disturbTransmitRing()
        case 6:
            let isShort = machine.input.flag()
            transmit(isShort ? machine.input.below(256) : Int(machine.input.number(UInt16.self)), &driver)
        default: _ = drain(&driver)
        }
    }

    /// Writes an entry at the write pointer; only what has an ordinary length moves the pointer behind it.
    private func write(status: UInt16, length: Int) {
        let header = UInt32(status) | UInt32(truncatingIfNeeded: length + 4) << 16
        for index in 0..<4 {
            let byte = UInt8(truncatingIfNeeded: header >> UInt32(8 * index))
            machine.regions[0].put([byte], at: (Int(written) + index) % Self.ringBytes)
        }
        written = UInt16(truncatingIfNeeded: Int(written) + (length + 8 + 3) & ~3)
    }

    /// Everything that waits; no more can wait than a ring of the shortest frames holds.
    private func drain(_ driver: inout RTL8139<HostilePlatform>) -> [Int] {
        driver.acknowledgeInterrupt()
        var lengths: [Int] = []
        let before = driver.counters
        while driver.receive({ lengths.append($0.byteCount) }) {
            require(lengths.count <= Self.ringBytes / 24, "a ring holds so many frames at most")
        }
        for length in lengths {
            require((FrameLimits.headerBytes...FrameLimits.jumboFrameBytes) ~= length, "only possible frames come in")
        }
        let after = driver.counters
        require(after.framesReceived - before.framesReceived == UInt64(lengths.count), "every frame is counted")
        require(after.receiverRestarts == after.inconsistencies, "every restart has its reason")
        return lengths
    }

    // MARK: Transmission

    private var transmitMemory: HostileMemory { machine.regions[1] }

    private func flags(_ position: Int) -> UInt32 {
        transmitMemory.load32(position * TransmitRing.descriptorBytes)
    }

    private func forgetTransmitRing() {
        position = 0
        for index in lent.indices { lent[index] = nil }
    }

    /// Looks at what the driver has just handed over: one frame, in memory that no other waiting frame lies in.
    private func take(_ value: UInt8) {
        require(value == RTL8139Command.pollTransmitRing, "the driver has one ring")
        let word = flags(position)
        let isLast = position == TransmitRing.count - 1
        let expected = RTL8139Descriptor.isWithCard | RTL8139Descriptor.wholeFrame
            | (isLast ? RTL8139Descriptor.isLast : 0)
        require(word & ~0xFFFF == expected, "a frame is one descriptor, and the last one says so")
        require(transmitMemory.load32(position * TransmitRing.descriptorBytes + 4) == 0, "there is no VLAN")
        let start = transmitMemory.load64(position * TransmitRing.descriptorBytes + 8)
        let frame = start..<start + UInt64(word & 0xFFFF)
        let first = transmitMemory.physicalAddress + UInt64(TransmitRing.count * TransmitRing.descriptorBytes)
        let end = transmitMemory.physicalAddress + UInt64(transmitMemory.byteCount)
        require(frame.lowerBound >= first && frame.upperBound <= end, "a frame lies in the driver's buffers")
        require(frame.count >= FrameLimits.shortestFrameBytes, "a short frame is padded")
        require(lent[position] == nil && lent.allSatisfy { $0.map { !$0.overlaps(frame) } ?? true },
                "a buffer belongs to one waiting frame")
        lent[position] = frame
        position = isLast ? 0 : position + 1
    }

    /// What a descriptor's flag says the card is done with, whoever cleared it.
    private func giveBackWhatIs() {
        for index in lent.indices where flags(index) & RTL8139Descriptor.isWithCard == 0 { lent[index] = nil }
    }

    /// Gives descriptors back as a card does, in order or not, or writes anything over them.
    private func disturbTransmitRing() {
        let index = machine.input.below(TransmitRing.count)
        switch machine.input.below(4) {
        case 0: for each in 0..<TransmitRing.count { giveBack(each) }
        case 1, 2: giveBack(index)
        default:
            transmitMemory.put(machine.input.take(machine.input.below(32)), at: index * TransmitRing.descriptorBytes)
        }
        giveBackWhatIs()
    }

    private func giveBack(_ position: Int) {
        let word = flags(position) & ~RTL8139Descriptor.isWithCard
        transmitMemory.store32(position * TransmitRing.descriptorBytes, word)
    }

    private func transmit(_ count: Int, _ driver: inout RTL8139<HostilePlatform>) {
        var calls = 0
        let isSent = driver.transmit(count) { bytes in
            calls += 1
            require(bytes.byteCount == count, "a frame has the bytes that were asked for")
        }
        require(calls == (isSent ? 1 : 0), "a frame that is refused is not filled")
        require(!isSent || (1...FrameLimits.trainFrameBytes) ~= count, "only possible frames go out")
    }

    /// Whatever happened: a card that behaves again is heard again.
    func recover(_ driver: inout RTL8139<HostilePlatform>) {
        for each in 0..<TransmitRing.count { giveBack(each) }
        giveBackWhatIs()
        for _ in 0..<TransmitRing.largeCount {
            require(driver.transmit(FrameLimits.trainFrameBytes) { _ in }, "a card that gives all back sends again")
        }
        _ = drain(&driver)
        _ = drain(&driver)
        if written & 3 != 0 { return }
        write(status: 1, length: 100)
        require(drain(&driver) == [100], "a card that behaves again is heard again")
    }
}
