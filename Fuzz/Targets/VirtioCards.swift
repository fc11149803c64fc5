@testable import Devices

extension Target {
    /// The rings of a virtio network card, and its registers, as a hostile card fills them.
    static let virtio = Target("virtio", longest: 1024) { bytes in
        let machine = HostileMachine(Input(bytes))
        let card = VirtioCard(machine)
        machine.functions = [VirtioCard.function()]
        let function = PCIFunction(device: 0, function: 0)
        let vector: UInt16? = machine.input.flag() ? 0 : nil
        guard var driver = try? VirtioNetwork(HostilePlatform(machine: machine), function, receiveVector: vector,
                                              maximumFrameBytes: FrameLimits.jumboFrameBytes)
        else { return }
        while !machine.input.isEmpty { card.step(&driver) }
    }
}

/// The card's side: registers in one base address, and used rings.
final class VirtioCard {
    /// Where the four windows lie behind the base address: each has a page.
    private static let base: UInt64 = 0xE000_0000
    private static let windows: [VirtioWindow] = [.common, .interruptStatus, .device, .notification]

    private let machine: HostileMachine
    private var registers: [UInt64: UInt64] = [:]
    private var sizes: [Int] = [256, 256]
    private var used: [UInt16] = [0, 0]
    /// The card has written where it must not.
    private var isRingOverwritten = false

    init(_ machine: HostileMachine) {
        self.machine = machine
        machine.answer = { [weak self] place, _ in self?.read(place) ?? 0 }
        machine.store = { [weak self] place, _, value in self?.registers[place] = value }
    }

    /// Configuration space with the four windows, each of a page, behind base address 4.
    static func function() -> HostileFunction {
        var bytes = [UInt8](repeating: 0, count: 256)
        bytes.replaceSubrange(0..<4, with: [0xF4, 0x1A, 0x41, 0x10])
        bytes[6] = 0x10
        bytes[0x34] = 0x40
        bytes[0x20] = 0x0C
        bytes[0x23] = 0xE0
        for (place, window) in windows.enumerated() {
            let offset = 0x40 + 0x18 * place
            bytes[offset] = Capability.vendorSpecific
            bytes[offset + 1] = place < 3 ? UInt8(offset + 0x18) : 0xA0
            bytes[offset + 3] = window.rawValue
            bytes[offset + 4] = 4
            bytes[offset + 9] = UInt8(0x10 * place)
            bytes[offset + 13] = 0x10
            bytes[offset + 16] = window == .notification ? 4 : 0
        }
        // MSI-X: a table of three entries in base address 1.
        bytes.replaceSubrange(0xA0..<0xAC, with: [0x11, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0])
        bytes[0x17] = 0xE1
        return HostileFunction(bytes, masks: [0, 0xFFFF_F000, 0, 0, 0xFFFF_C000, .max])
    }

    private func read(_ place: UInt64) -> UInt64 {
        guard place >= Self.base, place < Self.base + 0x4000 else { return registers[place] ?? 0 }
        let offset = Int(place & 0xFFF)
        guard place < Self.base + 0x1000 else { return offset == 10 ? 1500 : 2 }
        func common(_ offset: Int) -> UInt64 { registers[Self.base + UInt64(offset)] ?? 0 }
        switch offset {
        case VirtioCommonOffset.deviceFeature:
            return common(VirtioCommonOffset.deviceFeatureSelect) == 0 ? VirtioFeature.address : 1
        case VirtioCommonOffset.queueSize: return 256
        case VirtioCommonOffset.queueNotifyOffset: return common(VirtioCommonOffset.queueSelect)
        default: return common(offset)
        }
    }

    func step(_ driver: inout VirtioNetwork<HostilePlatform>) {
        let queue = machine.input.below(2)
        switch machine.input.below(8) {
        case 0, 1, 2: giveBack(UInt32(machine.input.byte()), UInt32(12 + 14 + machine.input.below(200)), queue)
        case 3: giveBack(machine.input.number(), machine.input.number(), queue)
        case 4:
            used[queue] = machine.input.number()
            storeIndex(queue)
        case 5:
            let region = machine.regions[machine.input.below(machine.regions.count)]
            let bytes = machine.input.take(machine.input.below(32))
            isRingOverwritten = true
            region.put(bytes, at: Int(machine.input.number(UInt16.self)) % region.byteCount)
        case 6:
            let isShort = machine.input.flag()
            transmit(isShort ? machine.input.below(256) : Int(machine.input.number(UInt16.self)), &driver)
        default: drain(&driver)
        }
    }

    private func layout(_ queue: Int) -> VirtioQueueLayout {
        // The driver's choice shows in the bytes that it took.
        let size = [1, 2, 4, 8, 16, 32, 64, 128, 256].first {
            VirtioQueueLayout(size: $0).byteCount == machine.regions[queue].byteCount
        }
        guard let size else { broken("a queue has the bytes of its size") }
        return VirtioQueueLayout(size: size)
    }

    private func giveBack(_ slot: UInt32, _ bytes: UInt32, _ queue: Int) {
        let entry = layout(queue).usedEntry(used[queue])
        machine.regions[queue].store32(entry, slot)
        machine.regions[queue].store32(entry + 4, bytes)
        used[queue] &+= 1
        storeIndex(queue)
    }

    private func storeIndex(_ queue: Int) { machine.regions[queue].store16(layout(queue).usedIndex, used[queue]) }

    private func drain(_ driver: inout VirtioNetwork<HostilePlatform>) {
        driver.acknowledgeInterrupt()
        var lengths: [Int] = []
        let before = driver.counters.framesReceived
        while driver.receive({ lengths.append($0.byteCount) }) {
            require(lengths.count <= 65536, "an index names so many buffers at most")
        }
        for length in lengths {
            require((FrameLimits.headerBytes...driver.maximumFrameBytes) ~= length, "only possible frames come in")
        }
        require(driver.counters.framesReceived - before == UInt64(lengths.count), "every frame is counted")
    }

    private func transmit(_ count: Int, _ driver: inout VirtioNetwork<HostilePlatform>) {
        var calls = 0
        let before = driver.counters
        let isSent = driver.transmit(count) { bytes in
            calls += 1
            require(bytes.byteCount == count, "a frame has the bytes that were asked for")
        }
        require(calls == (isSent ? 1 : 0), "a frame that is refused is not filled")
        require(!isSent || (1...driver.maximumTransmitBytes) ~= count, "only possible frames go out")
        let isRefused = driver.counters.transmitRefusals > before.transmitRefusals
        require(!isSent || !isRefused, "a frame is sent or refused")
        if isSent { checkHeader() }
    }

    /// The header in front of the frame that was offered last asks for nothing.
    private func checkHeader() {
        let (ring, layout) = (machine.regions[1], layout(1))
        let newest = ring.load16(layout.availableIndex) &- 1
        let slot = Int(ring.load16(layout.availableEntry(newest)))
        // A card that has overwritten the driver's ring is not told the truth there.
        guard slot < layout.size, !isRingOverwritten else { return }
        let address = ring.load64(layout.descriptor(slot))
        let buffers = machine.regions.first {
            ($0.physicalAddress..<$0.physicalAddress + UInt64($0.byteCount)).contains(address)
        }
        guard let buffers else { broken("a buffer lies in the driver's memory") }
        let start = Int(address - buffers.physicalAddress)
        let header = buffers.bytes[start..<start + VirtioNetworkBuffer.headerBytes]
        require(header.allSatisfy { $0 == 0 }, "a frame goes out with an empty header")
    }
}
