import Devices

/// One queue as the device sees it.
struct FakeQueue {
    var size: UInt16 = 256
    var vector: UInt16 = 0xffff
    var isEnabled = false
    var descriptors: UInt64 = 0
    var available: UInt64 = 0
    var used: UInt64 = 0
    /// How far the device has taken what the driver offered.
    var takenIndex: UInt16 = 0
    /// How far the device has given back.
    var usedIndex: UInt16 = 0
}

/// A modern virtio network card: common configuration in register 4 at 0, interrupt status at 0x1000, device
/// configuration at 0x2000, notifications at 0x3000 with a stride of 4, as QEMU lays them out.
final class FakeVirtio: FakeDevice {
    let machine: FakeMachine
    let address: [UInt8] = [0x02, 0x50, 0x4c, 0x58, 0x00, 0x09]
    var mtu: UInt16 = 1500
    var offered: UInt64 = 1 << 32 | 1 << 5 | 1 << 15 | 1 << 29
    var accepted: UInt64 = 0
    var refusesFeatures = false
    var queues = [FakeQueue(), FakeQueue(), FakeQueue()]
    var sent: [[UInt8]] = []
    /// Sent frames whose header asked for something.
    var strangeHeaders = 0
    /// Notifications by queue number.
    var notifications = [0, 0, 0]
    /// When false, notified frames stay in the ring until `sendAll`.
    var sendsAtOnce = true
    /// Interrupts by queue number that the driver's flags allowed.
    var interrupts = [0, 0, 0]
    var interruptStatus: UInt8 = 0
    var table = [UInt32](repeating: 0, count: 16)

    private var status: UInt8 = 0
    private var deviceFeatureSelect: UInt32 = 0
    private var driverFeatureSelect: UInt32 = 0
    private var selected = 0
    private var configurationVector: UInt16 = 0xffff

    init(_ machine: FakeMachine) { self.machine = machine }

    /// The function on the bus that this card is.
    func function(slot: UInt8) -> FakeFunction {
        let function = FakeFunction(
            slot: slot, .transitionalVirtioNetwork,
            registers: [.ports(32), .memory(4096), .absent, .absent, .wideMemory(16384), .upperHalf], device: self)
        function.addCapability(at: 0x98, [0x11, 0, 2, 0, 1, 0, 0, 0, 1, 8, 0, 0])
        let windows: [(Int, UInt8, UInt8)] = [(0x40, 1, 0x00), (0x50, 3, 0x10), (0x60, 4, 0x20), (0x70, 2, 0x30)]
        for (offset, kind, page) in windows {
            let stride: [UInt8] = kind == 2 ? [4, 0, 0, 0] : []
            let place: [UInt8] = [4, 0, 0, 0, 0, page, 0, 0, 0, 0x10, 0, 0]
            function.addCapability(at: offset, [0x09, 0, 20, kind] + place + stride)
        }
        return function
    }

    // MARK: rings

    private func takeAvailable(_ number: Int) -> UInt16? {
        let queue = queues[number]
        guard queue.isEnabled else { return nil }
        guard machine.load(queue.available + 2, as: UInt16.self) != queue.takenIndex else { return nil }
        let entry = queue.available + 4 + UInt64(queue.takenIndex % queue.size) * 2
        queues[number].takenIndex &+= 1
        return machine.load(entry, as: UInt16.self)
    }

    /// Writes any used entry.
    func giveBack(_ number: Int, id: UInt32, length: UInt32) {
        let queue = queues[number]
        let entry = queue.used + 4 + UInt64(queue.usedIndex % queue.size) * 8
        machine.store(entry, id)
        machine.store(entry + 4, length)
        queues[number].usedIndex &+= 1
        machine.store(queue.used + 2, queues[number].usedIndex)
        if machine.load(queue.available, as: UInt16.self) & 1 == 0 {
            interrupts[number] += 1
            interruptStatus |= 1
        }
    }

    /// Delivers a frame as the device does; false when the driver offered no buffer or one that is too short.
    func receive(_ frame: [UInt8]) -> Bool {
        guard let slot = takeAvailable(0) else {
            setNoNotify(0, false)
            return false
        }
        let descriptor = queues[0].descriptors + UInt64(slot) * 16
        let length = 12 + frame.count
        guard length <= Int(machine.load(descriptor + 8, as: UInt32.self)) else { return false }
        guard machine.load(descriptor + 12, as: UInt16.self) == 2 else { return false }
        machine.write(machine.load(descriptor, as: UInt64.self), [UInt8](repeating: 0, count: 12) + frame)
        giveBack(0, id: UInt32(slot), length: UInt32(length))
        setNoNotify(0, true)
        return true
    }

    func setNoNotify(_ number: Int, _ isSet: Bool) {
        machine.store(queues[number].used, UInt16(isSet ? 1 : 0))
    }

    /// Sends everything that the driver offered.
    func sendAll() {
        while let slot = takeAvailable(1) {
            let descriptor = queues[1].descriptors + UInt64(slot) * 16
            let length = Int(machine.load(descriptor + 8, as: UInt32.self))
            let bytes = machine.bytes(machine.load(descriptor, as: UInt64.self), length)
            sent.append(Array(bytes.dropFirst(12)))
            if bytes.prefix(12).contains(where: { $0 != 0 }) { strangeHeaders += 1 }
            giveBack(1, id: UInt32(slot), length: 0)
        }
    }

    // MARK: registers

    func portRead(_ offset: UInt16, _ bytes: Int) -> UInt32 { 0 }
    func portWrite(_ offset: UInt16, _ bytes: Int, _ value: UInt32) {}

    func load(_ register: Int, _ offset: Int, _ bytes: Int) -> UInt64 {
        guard register == 4 else { return UInt64(table[offset / 4]) }
        switch offset {
        case 4: return deviceFeatureSelect > 1 ? 0 : offered >> UInt64(deviceFeatureSelect * 32) & 0xffff_ffff
        case 20: return UInt64(status)
        case 24: return UInt64(queues[selected].size)
        case 26: return UInt64(queues[selected].vector)
        case 30: return UInt64(selected)
        case 0x1000:
            defer { interruptStatus = 0 }
            return UInt64(interruptStatus)
        case 0x2000..<0x2006: return UInt64(address[offset - 0x2000])
        case 0x200a: return UInt64(mtu)
        default: return 0
        }
    }

    func store(_ register: Int, _ offset: Int, _ bytes: Int, _ value: UInt64) {
        guard register == 4 else { return table[offset / 4] = UInt32(value) }
        if offset >= 0x3000 { return notify((offset - 0x3000) / 4) }
        switch offset {
        case 0: deviceFeatureSelect = UInt32(value)
        case 8: driverFeatureSelect = UInt32(value)
        case 12: accepted |= value << UInt64(driverFeatureSelect * 32)
        case 16: configurationVector = UInt16(value)
        case 20: writeStatus(UInt8(value))
        case 22: selected = Int(value)
        case 24: queues[selected].size = UInt16(value)
        case 26: queues[selected].vector = UInt16(value)
        case 28: queues[selected].isEnabled = value == 1
        case 32: queues[selected].descriptors |= value
        case 36: queues[selected].descriptors |= value << 32
        case 40: queues[selected].available |= value
        case 44: queues[selected].available |= value << 32
        case 48: queues[selected].used |= value
        case 52: queues[selected].used |= value << 32
        default: break
        }
    }

    private func writeStatus(_ value: UInt8) {
        status = value
        if refusesFeatures { status &= ~8 }
        if value == 0 {
            queues = [FakeQueue(), FakeQueue(), FakeQueue()]
            accepted = 0
        }
    }

    private func notify(_ number: Int) {
        notifications[number] += 1
        if number == 1 && sendsAtOnce { sendAll() }
    }
}
