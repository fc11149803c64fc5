/// Why a network card could not be brought up.
public enum DeviceError: Error, Equatable, Sendable {
    /// Bus 0 holds neither an RTL8139 nor a virtio network card.
    case noNetworkCard
    /// The card wants a wired interrupt and there is no PIIX3 bridge to route it.
    case noInterruptRouter
    /// A base address register needs more ports or memory than its window has left, or the card lacks it.
    case baseAddressUnavailable
    /// The card's registers could not be mapped.
    case registersUnavailable
    /// There is no memory left to share with the device.
    case outOfMemory
    /// The device did not come out of reset.
    case resetFailed
    /// An RTL8139 from before the C+, or a virtio device that lacks a capability, feature or queue that the driver
    /// cannot do without.
    case unsupportedDevice
}
