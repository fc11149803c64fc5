/// How a card tells the processor that frames wait.
public enum InterruptDelivery: Equatable, Sendable {
    /// A memory write that raises this vector at the local APIC; nothing is shared and nothing need be masked.
    case message(vector: UInt8)
    /// A wire to this line of the interrupt controllers, triggered by the rising edge.
    case line(UInt8)
}

/// What the caller wants of a card.
public struct NetworkCardPlan: Sendable {
    /// The vector for MSI-X, nil to insist on the wired interrupt.
    public var messageVector: UInt8?
    /// The number of the local APIC that messages go to.
    public var processor: UInt8 = 0
    /// The interrupt controller line for a wired interrupt.
    public var interruptLine: UInt8
    /// The longest frame in bytes, without checksum.
    public var maximumFrameBytes = FrameLimits.jumboFrameBytes
    /// Where base addresses that the firmware left unassigned go.
    public var windows = AddressWindows()

    public init(messageVector: UInt8?, interruptLine: UInt8) {
        self.messageVector = messageVector
        self.interruptLine = interruptLine
    }
}

/// The network card that the machine has, whichever it is.
public struct NetworkCard<Platform: DevicePlatform>: NetworkDevice, ~Copyable {
    /// Exactly one of the two is there. Two optionals, not an enum: a method of a payload that is not copyable can
    /// only change it in place through an optional.
    private var realtek: RTL8139<Platform>?
    private var virtio: VirtioNetwork<Platform>?

    public let maximumFrameBytes: Int
    public let maximumTransmitBytes: Int
    public let address: MACAddress
    /// Which interrupt the card raises.
    public let interrupt: InterruptDelivery

    init(_ card: consuming RTL8139<Platform>, _ interrupt: InterruptDelivery) {
        maximumFrameBytes = card.maximumFrameBytes
        maximumTransmitBytes = card.maximumTransmitBytes
        address = card.address
        self.interrupt = interrupt
        realtek = consume card
        virtio = nil
    }

    init(_ card: consuming VirtioNetwork<Platform>, _ interrupt: InterruptDelivery) {
        maximumFrameBytes = card.maximumFrameBytes
        maximumTransmitBytes = card.maximumTransmitBytes
        address = card.address
        self.interrupt = interrupt
        realtek = nil
        virtio = consume card
    }

    public mutating func transmit(_ byteCount: Int, _ fill: (inout MutableRawSpan) -> Void) -> Bool {
        if let isSent = virtio?.transmit(byteCount, fill) { return isSent }
        return realtek?.transmit(byteCount, fill) ?? false
    }

    public mutating func receive(_ body: (RawSpan) -> Void) -> Bool {
        if let isReceived = virtio?.receive(body) { return isReceived }
        return realtek?.receive(body) ?? false
    }

    public mutating func acknowledgeInterrupt() {
        virtio?.acknowledgeInterrupt()
        realtek?.acknowledgeInterrupt()
    }

    public var counters: DeviceCounters {
        switch virtio {
        case .some(let card): return card.counters
        case .none: break
        }
        switch realtek {
        case .some(let card): return card.counters
        case .none: return DeviceCounters()
        }
    }
}

/// Finds the network card on bus 0, gives it addresses, routes its interrupt and starts it.
///
/// Throws `noNetworkCard` when there is neither an RTL8139 nor a virtio card, and what bringing it up throws.
public func findNetworkCard<Platform: DevicePlatform>(
    _ platform: Platform, _ plan: NetworkCardPlan
) throws(DeviceError) -> NetworkCard<Platform> {
    let space = ConfigurationSpace(platform.ports)
    let known: (PCIIdentity) -> Bool = {
        $0 == .realtek8139 || $0 == .modernVirtioNetwork || $0 == .transitionalVirtioNetwork
    }
    guard let (function, identity) = space.first(where: known) else { throw .noNetworkCard }
    var windows = plan.windows
    try space.assignBaseAddresses(function, &windows)
    if identity == .realtek8139 {
        let firstPlusRevision: UInt8 = 0x20
        guard space.revision(of: function) >= firstPlusRevision else { throw .unsupportedDevice }
        guard let firstPort = space.portStart(function, 0) else { throw .baseAddressUnavailable }
        let interrupt = try routeWire(space, function, plan)
        let card = try RTL8139(platform, firstPort: firstPort, maximumFrameBytes: plan.maximumFrameBytes)
        return NetworkCard(card, interrupt)
    }
    if let vector = plan.messageVector, let table = platform.enableMessageSignalledTable(function) {
        table.program(0, vector: vector, processor: plan.processor)
        let card = try VirtioNetwork(platform, function, receiveVector: 0, maximumFrameBytes: plan.maximumFrameBytes)
        return NetworkCard(card, .message(vector: vector))
    }
    let interrupt = try routeWire(space, function, plan)
    let card = try VirtioNetwork(platform, function, receiveVector: nil, maximumFrameBytes: plan.maximumFrameBytes)
    return NetworkCard(card, interrupt)
}

private func routeWire<Ports: PortSpace>(
    _ space: ConfigurationSpace<Ports>, _ function: PCIFunction, _ plan: NetworkCardPlan
) throws(DeviceError) -> InterruptDelivery {
    guard let router = InterruptRouter(space) else { throw .noInterruptRouter }
    router.route(function, to: plan.interruptLine, isLevel: false)
    return .line(plan.interruptLine)
}
