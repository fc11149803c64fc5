@testable import Devices

extension Target {
    /// The rings of an RTL8139 as a hostile card fills them.
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

/// The card's side: it writes what the input says into the receive ring, and moves its pointer where it likes.
private final class RTL8139Card {
    static let firstPort: UInt16 = 0xC000
    private static let ringBytes = 65536

    private let machine: HostileMachine
    /// The write pointer register.
    private var written: UInt16 = 0
    private var transmitStatus: UInt16 = 0xF

    init(_ machine: HostileMachine) {
        self.machine = machine
        machine.answer = { [weak self] port, _ in
            switch UInt16(port) - Self.firstPort {
            case RTL8139Register.writePointer: UInt64(self?.written ?? 0)
            case RTL8139Register.allTransmitStatus: UInt64(self?.transmitStatus ?? 0)
            default: 0
            }
        }
        machine.store = { [weak self] port, _, _ in
            // Configuring the receiver makes the card start over.
            if UInt16(port) - Self.firstPort == RTL8139Register.receiveConfiguration { self?.written = 0 }
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
        case 5: transmitStatus = UInt16(machine.input.byte())
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

    private func transmit(_ count: Int, _ driver: inout RTL8139<HostilePlatform>) {
        var calls = 0
        let isSent = driver.transmit(count) { bytes in
            calls += 1
            require(bytes.byteCount == count, "a frame has the bytes that were asked for")
        }
        require(calls == (isSent ? 1 : 0), "a frame that is refused is not filled")
        require(!isSent || (1...FrameLimits.jumboFrameBytes) ~= count, "only possible frames go out")
    }

    /// Whatever happened: a card that behaves again is heard again.
    func recover(_ driver: inout RTL8139<HostilePlatform>) {
        _ = drain(&driver)
        _ = drain(&driver)
        if written & 3 != 0 { return }
        write(status: 1, length: 100)
        require(drain(&driver) == [100], "a card that behaves again is heard again")
    }
}
