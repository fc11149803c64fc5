/// Where frames lie in the driver's buffers.
enum VirtioNetworkBuffer {
    /// The header before each frame: flags, offloads and a buffer count, all zero for us (virtio 1.1, section 5.1.6).
    static let headerBytes = 12
    /// Offset of the header, chosen so that the frame behind it is aligned to 16 bytes.
    static let headerOffset = 4
    static let frameOffset = headerOffset + headerBytes
    /// Bytes from one buffer to the next: room for the longest frame and its header.
    static let slotBytes = 4608
    /// The longest frame in a slot.
    static let roomBytes = slotBytes - frameOffset
}

/// Driver of a modern virtio network card on PCI (virtio 1.1, section 5.1), one queue each way, no offloads.
///
/// Register accesses, each of which is an exit to the hypervisor: a frame sent costs one notification, or none when
/// the device says that it is still busy with earlier ones; a frame received costs none; an acknowledgement costs
/// none with MSI-X and one read with the wired interrupt. Sent buffers are taken back without an interrupt, when no
/// free one is left.
public struct VirtioNetwork<Platform: DevicePlatform>: NetworkDevice, ~Copyable {
    /// Buffers for frames that arrive while the processor does something else.
    private static var receiveSlots: Int { 128 }
    /// Buffers for frames that are sent before the hypervisor's own thread comes round to take them.
    private static var transmitSlots: Int { 128 }
    /// Emptied buffers that are given back to the device at once.
    private static var refillBatch: Int { 16 }
    private static var receiveQueue: UInt16 { 0 }
    private static var transmitQueue: UInt16 { 1 }

    public let maximumFrameBytes: Int
    public let maximumTransmitBytes: Int
    public let address: MACAddress
    public private(set) var counters = DeviceCounters()

    private let transport: VirtioTransport<Platform>
    private let usesMessages: Bool
    private var receiver: VirtioQueue<Platform.Memory>
    private var transmitter: VirtioQueue<Platform.Memory>
    private let receiveMemory: Platform.Memory
    private var transmitBuffers: VirtioTransmitBuffers<Platform.Memory>
    private let receiveNotification: Int
    private let transmitNotification: Int

    /// Resets the card and starts it. `receiveVector` is the MSI-X table's entry for received frames, nil when the
    /// wired interrupt is used.
    ///
    /// Throws `outOfMemory` without 1,607 KiB to share with the device, and what finding and negotiating throws.
    public init(
        _ platform: Platform, _ function: PCIFunction, receiveVector: UInt16?, maximumFrameBytes: Int
    ) throws(DeviceError) {
        let transport = try VirtioTransport(platform, function)
        let features = try transport.negotiate(
            wanted: VirtioFeature.maximumTransmissionUnit, required: VirtioFeature.version1 | VirtioFeature.address)
        transport.common.store16(VirtioCommonOffset.configurationVector, VirtioTransport<Platform>.noVector)
        let receiver = try Self.makeQueue(
            platform, transport, Self.receiveQueue, Self.receiveSlots, wantsInterrupts: true)
        let transmitter = try Self.makeQueue(
            platform, transport, Self.transmitQueue, Self.transmitSlots, wantsInterrupts: false)
        let receiveMemory = try Self.makeReceiveBuffers(platform, receiver)
        let frameLimit = Self.frameLimit(transport.device, features, maximumFrameBytes)
        let transmitBuffers = try VirtioTransmitBuffers(
            platform, transmitter, hasTrains: frameLimit >= FrameLimits.jumboFrameBytes)
        let none = VirtioTransport<Platform>.noVector
        let receiveNotification = try transport.enableQueue(
            Self.receiveQueue, receiver, vector: receiveVector ?? none)
        let transmitNotification = try transport.enableQueue(Self.transmitQueue, transmitter, vector: none)
        self.transport = transport
        self.usesMessages = receiveVector != nil
        self.address = Self.readAddress(transport.device)
        self.maximumFrameBytes = frameLimit
        self.maximumTransmitBytes = transmitBuffers.maximumBytes ?? frameLimit
        self.receiver = receiver
        self.transmitter = transmitter
        self.receiveMemory = receiveMemory
        self.transmitBuffers = transmitBuffers
        self.receiveNotification = receiveNotification
        self.transmitNotification = transmitNotification
        start()
    }

    /// Lets the device work and gives it all receive buffers.
    private mutating func start() {
        transport.start()
        for slot in 0..<receiver.layout.size { receiver.offer(slot) }
        refill()
    }

    private static func readAddress(_ device: Platform.Registers) -> MACAddress {
        var bits: UInt64 = 0
        for offset in 0..<6 { bits = bits << 8 | UInt64(device.load8(offset)) }
        return MACAddress(bits: bits)
    }

    /// The longest frame: what was asked for, or less when the device tells a smaller MTU.
    private static func frameLimit(_ device: Platform.Registers, _ features: UInt64, _ wanted: Int) -> Int {
        precondition(wanted <= VirtioNetworkBuffer.roomBytes, "a frame must fit into a buffer")
        guard features & VirtioFeature.maximumTransmissionUnit != 0 else { return wanted }
        let mtuOffset = 10
        return min(wanted, Int(device.load16(mtuOffset)) + FrameLimits.headerBytes)
    }

    private static func makeQueue(
        _ platform: Platform, _ transport: VirtioTransport<Platform>, _ number: UInt16, _ slots: Int,
        wantsInterrupts: Bool
    ) throws(DeviceError) -> VirtioQueue<Platform.Memory> {
        let layout = VirtioQueueLayout(size: try transport.queueSize(number, wanted: slots))
        guard let memory = platform.allocateDMA(byteCount: layout.byteCount, alignment: 16, isZeroed: true) else {
            throw .outOfMemory
        }
        return VirtioQueue(memory: memory, layout: layout, wantsInterrupts: wantsInterrupts)
    }

    private static func makeReceiveBuffers(
        _ platform: Platform, _ queue: VirtioQueue<Platform.Memory>
    ) throws(DeviceError) -> Platform.Memory {
        let byteCount = queue.layout.size * VirtioNetworkBuffer.slotBytes
        guard let memory = platform.allocateDMA(byteCount: byteCount, alignment: 16, isZeroed: false)
        else { throw .outOfMemory }
        let room = VirtioNetworkBuffer.slotBytes - VirtioNetworkBuffer.headerOffset
        for slot in 0..<queue.layout.size {
            let offset = slot * VirtioNetworkBuffer.slotBytes + VirtioNetworkBuffer.headerOffset
            let place = memory.physicalAddress + UInt64(offset)
            queue.describe(slot, address: place, byteCount: room, deviceWrites: true)
        }
        return memory
    }

    /// Shows the device the emptied buffers. It asks for a notification only when it has run out of them.
    private mutating func refill() {
        if receiver.publish() {
            transport.notification.store16(receiveNotification, Self.receiveQueue)
        }
    }

    public mutating func acknowledgeInterrupt() {
        // Reading the status lowers the wire. With MSI-X there is nothing to lower.
        if !usesMessages { _ = transport.interruptStatus.load8(0) }
    }

    public mutating func receive(_ body: (RawSpan) -> Void) -> Bool {
        for _ in 0..<receiver.layout.size {
            switch receiver.takeUsed() {
            case .none:
                refill()
                return false
            case .inconsistent:
                counters.inconsistencies &+= 1
            case .buffer(let slot, let byteCount):
                if handOut(slot, byteCount, body) { return true }
            }
        }
        return false
    }

    /// Hands one buffer's frame to `body` and offers the buffer again. False when its length is impossible.
    private mutating func handOut(_ slot: Int, _ byteCount: Int, _ body: (RawSpan) -> Void) -> Bool {
        let frameBytes = byteCount - VirtioNetworkBuffer.headerBytes
        let isPlausible = frameBytes >= FrameLimits.headerBytes && frameBytes <= maximumFrameBytes
        if isPlausible {
            let offset = slot * VirtioNetworkBuffer.slotBytes + VirtioNetworkBuffer.frameOffset
            receiveMemory.withBytes(offset, frameBytes, body)
            counters.framesReceived &+= 1
        } else {
            counters.inconsistencies &+= 1
        }
        receiver.offer(slot)
        if receiver.unpublished >= Self.refillBatch { refill() }
        return isPlausible
    }

    public mutating func transmit(_ byteCount: Int, _ fill: (inout MutableRawSpan) -> Void) -> Bool {
        guard byteCount > 0 && byteCount <= maximumTransmitBytes else { return false }
        if !transmitBuffers.hasRoom(byteCount) { reclaim() }
        guard let slot = transmitBuffers.take(byteCount) else {
            counters.transmitRefusals &+= 1
            return false
        }
        let padded = max(byteCount, FrameLimits.shortestFrameBytes)
        transmitBuffers.fill(slot, byteCount, padded: padded, fill)
        transmitter.resize(slot, byteCount: VirtioNetworkBuffer.headerBytes + padded)
        transmitter.offer(slot)
        if transmitter.publish() {
            transport.notification.store16(transmitNotification, Self.transmitQueue)
        }
        counters.framesSent &+= 1
        return true
    }

    /// Takes back the buffers that the device has sent, a ring full at most.
    private mutating func reclaim() {
        for _ in 0..<transmitter.layout.size {
            switch transmitter.takeUsed() {
            case .none: return
            case .inconsistent: counters.inconsistencies &+= 1
            case .buffer(let slot, _): transmitBuffers.give(slot)
            }
        }
    }
}
