import Devices

/// An RTL8139C+ as its datasheet and QEMU's model have it, with the receiver of the classic card: what the driver's
/// register accesses do to both rings.
final class FakeRTL8139: FakeDevice {
    let machine: FakeMachine
    let address: [UInt8] = [0x02, 0x50, 0x4c, 0x58, 0x00, 0x07]
    var sent: [[UInt8]] = []
    /// Sent frames whose descriptor asked for something.
    var strangeFrames = 0
    /// When false, descriptors wait until `sendNext`.
    var sendsAtOnce = true
    var staysInReset = false

    var command: UInt8 = 0
    var receiveBuffer: UInt32 = 0
    var readOffset = 0
    var writeOffset = 0
    var interruptMask: UInt16 = 0
    var interruptStatus: UInt16 = 0
    var receiveConfiguration: UInt32 = 0
    var transmitConfiguration: UInt32 = 0
    var plusCommand: UInt16 = 0
    var transmitRing: UInt64 = 0
    /// The descriptor whose turn it is.
    var current = 0
    /// What the pieces since the last first one have brought.
    private var assembled: [UInt8] = []

    init(_ machine: FakeMachine) { self.machine = machine }

    var wire: Bool { interruptStatus & interruptMask != 0 }

    // MARK: reception

    /// Writes a frame behind a header into the ring; false, with the overflow flag, when there is no room.
    func receive(_ frame: [UInt8]) -> Bool {
        let free = (65536 + readOffset - writeOffset) & 0xffff
        let needed = (frame.count + 8 + 3) & ~3
        guard free == 0 || needed < free else {
            interruptStatus |= 0x10
            return false
        }
        let length = UInt16(frame.count + 4)
        put([0x01, 0x00, UInt8(length & 0xff), UInt8(length >> 8)] + frame + [0xc0, 0xc1, 0xc2, 0xc3])
        interruptStatus |= 0x01
        return true
    }

    /// Writes a header of any content and moves the write pointer by `claimed` bytes.
    func receiveHostile(header: UInt32, claimed: Int) {
        put((0..<4).map { UInt8(truncatingIfNeeded: header >> UInt32($0 * 8)) })
        writeOffset = (writeOffset + claimed - 4) & 0xffff
        interruptStatus |= 0x01
    }

    private func put(_ bytes: [UInt8]) {
        for byte in bytes {
            machine.write(UInt64(receiveBuffer) + UInt64(writeOffset), [byte])
            writeOffset = (writeOffset + 1) & 0xffff
        }
        writeOffset = (writeOffset + 3) & 0xfffc
    }

    // MARK: transmission

    /// Works off the descriptor whose turn it is, if the driver handed it over; false when it did not.
    @discardableResult func sendNext() -> Bool {
        guard command & 4 != 0, plusCommand & 1 != 0 else { return false }
        let descriptor = transmitRing + UInt64(current) * 16
        let flags = machine.load(descriptor, as: UInt32.self)
        let hasTag = machine.load(descriptor + 4, as: UInt32.self) & 1 << 17 != 0
        guard flags & 1 << 31 != 0 else { return false }
        if flags & 1 << 29 != 0 { assembled = [] }
        let size = min(Int(flags & 0xffff), 65536 - assembled.count)
        assembled += machine.bytes(machine.load(descriptor + 8, as: UInt64.self), size)
        current = flags & 1 << 30 != 0 ? 0 : (current + 1) % 64
        machine.store(descriptor, flags & ~0x82f0_0000)
        if flags & 1 << 28 != 0 { finish(isPlain: !hasTag && flags & 0x0807_0000 == 0) }
        interruptStatus |= 0x04
        return true
    }

    /// Sends what was assembled. A frame with a VLAN tag or with work for the card is none that the driver wants.
    private func finish(isPlain: Bool) {
        if !isPlain { strangeFrames += 1 }
        sent.append(assembled)
        assembled = []
    }

    // MARK: registers

    func portRead(_ offset: UInt16, _ bytes: Int) -> UInt32 {
        switch offset {
        case 0x00: return (0..<4).reduce(0) { $0 | UInt32(address[$1]) << UInt32($1 * 8) }
        case 0x04: return (0..<2).reduce(0) { $0 | UInt32(address[4 + $1]) << UInt32($1 * 8) }
        case 0x37: return UInt32(command) | (readOffset == writeOffset ? 1 : 0)
        case 0x3a: return UInt32(writeOffset)
        case 0x3e: return UInt32(interruptStatus)
        default: return 0
        }
    }

    func portWrite(_ offset: UInt16, _ bytes: Int, _ value: UInt32) {
        switch offset {
        case 0x20 where bytes == 4: transmitRing = transmitRing & ~0xffff_ffff | UInt64(value)
        case 0x24 where bytes == 4: transmitRing = transmitRing & 0xffff_ffff | UInt64(value) << 32
        case 0x30: receiveBuffer = value
        case 0x37: writeCommand(UInt8(truncatingIfNeeded: value))
        case 0x38: readOffset = Int(value &+ 16) & 0xffff
        case 0x3c: interruptMask = UInt16(truncatingIfNeeded: value)
        case 0x3e: interruptStatus &= ~UInt16(truncatingIfNeeded: value)
        case 0x40: if command & 4 != 0 { transmitConfiguration = value }
        case 0x44:
            receiveConfiguration = value
            (readOffset, writeOffset) = (0, 0)
        case 0xd9 where bytes == 1: if value & 0x40 != 0 && sendsAtOnce { while sendNext() {} }
        case 0xe0 where bytes == 2: plusCommand = UInt16(truncatingIfNeeded: value) & 0x7b
        default: break
        }
    }

    private func writeCommand(_ value: UInt8) {
        command = staysInReset ? value : value & ~0x10
        if value & 4 != 0 { current = 0 }
        guard value & 0x10 != 0 else { return }
        (interruptMask, interruptStatus, plusCommand, current) = (0, 0, 0, 0)
        (readOffset, writeOffset) = (0, 0)
    }

    func load(_ register: Int, _ offset: Int, _ bytes: Int) -> UInt64 { 0 }
    func store(_ register: Int, _ offset: Int, _ bytes: Int, _ value: UInt64) {}
}
