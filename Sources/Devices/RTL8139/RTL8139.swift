/// Driver of the Realtek RTL8139C+ through its ports, as QEMU and Xen have it.
///
/// It sends as the C+ does, from a ring of descriptors in memory: a classic RTL8139 names a frame's size with 13 bits,
/// and frames of several pages go to the host. It receives as all cards of the family do. PCI revision 0x20 and above
/// is a C+; an older card is not supported.
///
/// Port accesses, each of which is an exit to the hypervisor: a frame sent costs one write, whatever its length; a
/// burst of frames received costs three whatever its length (status cleared, write pointer read, read pointer written),
/// and one more for every 16 KiB in it.
///
/// `receive` asks the card once after each `acknowledgeInterrupt`: what arrives later raises the wire again.
public struct RTL8139<Platform: DevicePlatform>: NetworkDevice, ~Copyable {
    /// Bytes handed out after which the card is told, so that a long burst does not run into a full ring.
    private static var tellAfterBytes: Int { 16384 }
    /// Reads of the command register that a reset may take.
    private static var resetPatience: Int { 100_000 }

    public let maximumFrameBytes: Int
    /// What a large buffer holds, on a segment of jumbo frames.
    public var maximumTransmitBytes: Int {
        maximumFrameBytes >= FrameLimits.jumboFrameBytes ? FrameLimits.trainFrameBytes : maximumFrameBytes
    }
    public let address: MACAddress
    public private(set) var counters = DeviceCounters()

    private let ports: Platform.Ports
    private let firstPort: UInt16
    private var ring: RTL8139ReceiveRing<Platform.Memory>
    private var transmitRing: RTL8139TransmitRing<Platform.Memory>
    /// False when an interrupt was acknowledged since the card's write pointer was last read.
    private var hasAsked = false

    /// Resets the card behind `firstPort` and starts it, interrupts included.
    ///
    /// Throws `outOfMemory` without 382 KiB to share with the card and `resetFailed` when it stays in reset.
    public init(_ platform: Platform, firstPort: UInt16, maximumFrameBytes: Int) throws(DeviceError) {
        typealias Ring = RTL8139ReceiveRing<Platform.Memory>
        typealias TransmitRing = RTL8139TransmitRing<Platform.Memory>
        precondition(maximumFrameBytes <= TransmitRing.smallBytes, "a frame must fit into a small buffer")
        guard
            let ringMemory = platform.allocateDMA(
                byteCount: Ring.ringBytes + Ring.tailBytes, alignment: 16, isZeroed: false),
            let transmitMemory = platform.allocateDMA(
                byteCount: TransmitRing.memoryBytes, alignment: TransmitRing.alignment, isZeroed: false)
        else { throw .outOfMemory }
        let address = try Self.reset(platform.ports, firstPort)
        self.address = address
        self.ports = platform.ports
        self.firstPort = firstPort
        self.maximumFrameBytes = maximumFrameBytes
        self.ring = Ring(memory: ringMemory, maximumFrameBytes: maximumFrameBytes)
        self.transmitRing = TransmitRing(memory: transmitMemory)
        start()
    }

    private static func reset(_ ports: Platform.Ports, _ firstPort: UInt16) throws(DeviceError) -> MACAddress {
        ports.write8(firstPort + RTL8139Register.firstConfiguration, 0)
        ports.write8(firstPort + RTL8139Register.command, RTL8139Command.reset)
        var patience = resetPatience
        while ports.read8(firstPort + RTL8139Register.command) & RTL8139Command.reset != 0 {
            patience -= 1
            guard patience > 0 else { throw .resetFailed }
        }
        // The card keeps the address with its first byte least significant.
        let low = ports.read32(firstPort + RTL8139Register.address)
        let high = ports.read32(firstPort + RTL8139Register.address + 4)
        return MACAddress(bits: UInt64(low.byteSwapped) << 16 | UInt64(high.byteSwapped >> 16))
    }

    private mutating func start() {
        // First of all: a card may forget the ring's address when its C+ transmitter is switched on.
        ports.write16(register(RTL8139Register.plusCommand), RTL8139Command.plusTransmit)
        let place = transmitRing.memory.physicalAddress
        ports.write32(register(RTL8139Register.transmitRing), UInt32(truncatingIfNeeded: place))
        ports.write32(register(RTL8139Register.transmitRing) + 4, UInt32(truncatingIfNeeded: place >> 32))
        ports.write32(register(RTL8139Register.receiveBuffer), UInt32(ring.memory.physicalAddress))
        startRings()
        // Only while the transmitter is on does the card take its configuration.
        ports.write32(register(RTL8139Register.transmitConfiguration), RTL8139Configuration.transmit)
        ports.write16(register(RTL8139Register.interruptMask), RTL8139Interrupt.receiving)
    }

    /// Starts receiver and transmitter with empty rings. Both, because every write that leaves the transmitter on sends
    /// it back to position 0; frames that the card has not read are lost, as frames may be.
    private mutating func startRings() {
        ports.write8(register(RTL8139Register.command), 0)
        transmitRing.restart()
        ports.write8(register(RTL8139Register.command), RTL8139Command.transmit | RTL8139Command.receive)
        // Writing the configuration also makes QEMU start over at the ring's beginning.
        ports.write32(register(RTL8139Register.receiveConfiguration), RTL8139Configuration.receive)
        ring.restart()
        tellReadPointer()
    }

    private func register(_ offset: UInt16) -> UInt16 { firstPort + offset }

    private mutating func tellReadPointer() {
        ports.write16(register(RTL8139Register.readPointer), ring.readPointer)
        ring.told()
    }

    public mutating func acknowledgeInterrupt() {
        ports.write16(register(RTL8139Register.interruptStatus), RTL8139Interrupt.receiving)
        hasAsked = false
    }

    public mutating func receive(_ body: (RawSpan) -> Void) -> Bool {
        if ring.isDrained && !askCard() { return false }
        switch ring.look() {
        case .empty:
            return false
        case .inconsistent:
            restartReceiver()
            return false
        case .frame(let offset, let byteCount):
            ring.unwrap(offset: offset, byteCount: byteCount)
            ring.memory.withBytes(offset, byteCount, body)
            ring.consume(byteCount)
            if ring.untoldBytes >= Self.tellAfterBytes { tellReadPointer() }
            counters.framesReceived &+= 1
            return true
        }
    }

    /// Gives back what was read and learns how far the card has written, at most once for each acknowledgement.
    /// False when nothing new can be read.
    private mutating func askCard() -> Bool {
        if ring.untoldBytes > 0 { tellReadPointer() }
        guard !hasAsked else { return false }
        hasAsked = true
        guard ring.advance(toWritePointer: ports.read16(register(RTL8139Register.writePointer))) else {
            restartReceiver()
            return false
        }
        return true
    }

    private mutating func restartReceiver() {
        counters.inconsistencies &+= 1
        counters.receiverRestarts &+= 1
        startRings()
    }

    public mutating func transmit(_ byteCount: Int, _ fill: (inout MutableRawSpan) -> Void) -> Bool {
        guard byteCount > 0 && byteCount <= maximumTransmitBytes else { return false }
        let padded = max(byteCount, FrameLimits.shortestFrameBytes)
        guard let offset = transmitRing.takeBuffer(padded) else {
            counters.transmitRefusals &+= 1
            return false
        }
        transmitRing.memory.fillFrame(offset, byteCount, padded: padded, fill)
        transmitRing.handOver(offset, padded)
        ports.write8(register(RTL8139Register.transmitPoll), RTL8139Command.pollTransmitRing)
        counters.framesSent &+= 1
        return true
    }
}
