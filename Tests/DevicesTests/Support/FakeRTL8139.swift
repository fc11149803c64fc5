import Devices

/// An RTL8139 as its datasheet and QEMU's model have it: what the driver's register accesses do to ring and slots.
final class FakeRTL8139: FakeDevice {
    let machine: FakeMachine
    let address: [UInt8] = [0x02, 0x50, 0x4c, 0x58, 0x00, 0x07]
    var sent: [[UInt8]] = []
    /// When false, slots are taken but not worked off.
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
    var transmitStatus: [UInt32] = [0x2000, 0x2000, 0x2000, 0x2000]
    var transmitAddress: [UInt32] = [0, 0, 0, 0]
    var nextSlot = 0

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

    /// Works off the slot whose turn it is, if the driver handed it over.
    func sendNext() {
        guard transmitStatus[nextSlot] & 0x2000 == 0 else { return }
        let size = Int(transmitStatus[nextSlot] & 0x1fff)
        sent.append(machine.bytes(UInt64(transmitAddress[nextSlot]), size))
        transmitStatus[nextSlot] |= 0xa000
        interruptStatus |= 0x04
        nextSlot = (nextSlot + 1) & 3
    }

    // MARK: registers

    func portRead(_ offset: UInt16, _ bytes: Int) -> UInt32 {
        switch offset {
        case 0x00: return (0..<4).reduce(0) { $0 | UInt32(address[$1]) << UInt32($1 * 8) }
        case 0x04: return (0..<2).reduce(0) { $0 | UInt32(address[4 + $1]) << UInt32($1 * 8) }
        case 0x37: return UInt32(command) | (readOffset == writeOffset ? 1 : 0)
        case 0x3a: return UInt32(writeOffset)
        case 0x3e: return UInt32(interruptStatus)
        case 0x60: return (0..<4).reduce(0) { $0 | (transmitStatus[$1] >> 13 & 1) << UInt32($1) }
        default: return 0
        }
    }

    func portWrite(_ offset: UInt16, _ bytes: Int, _ value: UInt32) {
        switch offset {
        case 0x10, 0x14, 0x18, 0x1c:
            transmitStatus[Int(offset - 0x10) / 4] = value
            if sendsAtOnce { sendNext() }
        case 0x20, 0x24, 0x28, 0x2c: transmitAddress[Int(offset - 0x20) / 4] = value
        case 0x30: receiveBuffer = value
        case 0x37: writeCommand(UInt8(truncatingIfNeeded: value))
        case 0x38: readOffset = Int(value &+ 16) & 0xffff
        case 0x3c: interruptMask = UInt16(truncatingIfNeeded: value)
        case 0x3e: interruptStatus &= ~UInt16(truncatingIfNeeded: value)
        case 0x40: if command & 4 != 0 { transmitConfiguration = value }
        case 0x44:
            receiveConfiguration = value
            (readOffset, writeOffset) = (0, 0)
        default: break
        }
    }

    private func writeCommand(_ value: UInt8) {
        command = staysInReset ? value : value & ~0x10
        guard value & 0x10 != 0 else { return }
        (interruptMask, interruptStatus, nextSlot) = (0, 0, 0)
        (readOffset, writeOffset) = (0, 0)
        transmitStatus = [0x2000, 0x2000, 0x2000, 0x2000]
    }

    func load(_ register: Int, _ offset: Int, _ bytes: Int) -> UInt64 { 0 }
    func store(_ register: Int, _ offset: Int, _ bytes: Int, _ value: UInt64) {}
}
