/// Offsets in the common configuration of a modern virtio PCI device (virtio 1.1, section 4.1.4.3).
enum VirtioCommonOffset {
    static let deviceFeatureSelect = 0
    static let deviceFeature = 4
    static let driverFeatureSelect = 8
    static let driverFeature = 12
    static let configurationVector = 16
    static let deviceStatus = 20
    static let queueSelect = 22
    static let queueSize = 24
    static let queueVector = 26
    static let queueEnable = 28
    static let queueNotifyOffset = 30
    static let queueDescriptors = 32
    static let queueAvailable = 40
    static let queueUsed = 48
    /// Bytes of all of it.
    static let byteCount = 56
}

/// Bits of the device status (section 2.1).
enum VirtioStatus {
    static let acknowledged: UInt8 = 1
    static let driver: UInt8 = 2
    static let driverReady: UInt8 = 4
    static let featuresAccepted: UInt8 = 8
}

/// Feature bits (sections 5.1.3 and 6).
enum VirtioFeature {
    /// The device tells the largest MTU.
    static let maximumTransmissionUnit: UInt64 = 1 << 3
    /// The device tells its Ethernet address.
    static let address: UInt64 = 1 << 5
    /// The device follows virtio 1.0 or later.
    static let version1: UInt64 = 1 << 32
}

/// The registers of a modern virtio PCI device, found through its capabilities.
struct VirtioTransport<Platform: DevicePlatform> {
    /// A vector number that means none.
    static var noVector: UInt16 { 0xffff }
    /// Reads of the status that a reset may take.
    private static var resetPatience: Int { 100_000 }

    let common: Platform.Registers
    let notification: Platform.Registers
    let interruptStatus: Platform.Registers
    let device: Platform.Registers
    /// Bytes between the notification registers of two queues, by their own numbers.
    let notificationStride: Int

    /// Maps the four windows. Throws `unsupportedDevice` when a capability is missing, as with a device that offers
    /// only the interface from before virtio 1.0, and `registersUnavailable` when a window cannot be mapped.
    init(_ platform: Platform, _ function: PCIFunction) throws(DeviceError) {
        let space = ConfigurationSpace(platform.ports)
        func window(_ kind: VirtioWindow) throws(DeviceError) -> Platform.Registers {
            guard let place = space.virtioWindow(function, kind) else { throw .unsupportedDevice }
            guard let registers = platform.registers(at: place.start, byteCount: place.byteCount) else {
                throw .registersUnavailable
            }
            return registers
        }
        common = try window(.common)
        notification = try window(.notification)
        interruptStatus = try window(.interruptStatus)
        device = try window(.device)
        guard common.byteCount >= VirtioCommonOffset.byteCount else { throw .unsupportedDevice }
        notificationStride = Int(space.virtioWindow(function, .notification)?.notificationStride ?? 0)
    }

    /// Resets the device and negotiates: returns the features of `wanted` that the device has as well.
    ///
    /// Throws `resetFailed`, or `unsupportedDevice` when one of `required` is missing or the device refuses the
    /// choice.
    func negotiate(wanted: UInt64, required: UInt64) throws(DeviceError) -> UInt64 {
        common.store8(VirtioCommonOffset.deviceStatus, 0)
        var patience = Self.resetPatience
        while common.load8(VirtioCommonOffset.deviceStatus) != 0 {
            patience -= 1
            guard patience > 0 else { throw .resetFailed }
        }
        common.store8(VirtioCommonOffset.deviceStatus, VirtioStatus.acknowledged)
        common.store8(VirtioCommonOffset.deviceStatus, VirtioStatus.acknowledged | VirtioStatus.driver)
        let accepted = offeredFeatures() & (wanted | required)
        guard accepted & required == required else { throw .unsupportedDevice }
        accept(accepted)
        let settled = VirtioStatus.acknowledged | VirtioStatus.driver | VirtioStatus.featuresAccepted
        common.store8(VirtioCommonOffset.deviceStatus, settled)
        guard common.load8(VirtioCommonOffset.deviceStatus) & VirtioStatus.featuresAccepted != 0 else {
            throw .unsupportedDevice
        }
        return accepted
    }

    private func offeredFeatures() -> UInt64 {
        common.store32(VirtioCommonOffset.deviceFeatureSelect, 0)
        let low = common.load32(VirtioCommonOffset.deviceFeature)
        common.store32(VirtioCommonOffset.deviceFeatureSelect, 1)
        let high = common.load32(VirtioCommonOffset.deviceFeature)
        return UInt64(high) << 32 | UInt64(low)
    }

    private func accept(_ features: UInt64) {
        common.store32(VirtioCommonOffset.driverFeatureSelect, 0)
        common.store32(VirtioCommonOffset.driverFeature, UInt32(truncatingIfNeeded: features))
        common.store32(VirtioCommonOffset.driverFeatureSelect, 1)
        common.store32(VirtioCommonOffset.driverFeature, UInt32(truncatingIfNeeded: features >> 32))
    }

    /// The size to give queue `number`: the device's maximum, but at most `wanted`, both powers of two.
    func queueSize(_ number: UInt16, wanted: Int) throws(DeviceError) -> Int {
        common.store16(VirtioCommonOffset.queueSelect, number)
        let offered = Int(common.load16(VirtioCommonOffset.queueSize))
        guard offered > 0 && offered & (offered - 1) == 0 else { throw .unsupportedDevice }
        return min(offered, wanted)
    }

    /// Tells the device where queue `number` is and starts it; returns the offset of its notification register.
    /// `vector` is an entry of the MSI-X table or `noVector`.
    func enableQueue<Memory: DMARegion>(
        _ number: UInt16, _ queue: VirtioQueue<Memory>, vector: UInt16
    ) throws(DeviceError) -> Int {
        let base = queue.memory.physicalAddress
        common.store16(VirtioCommonOffset.queueSelect, number)
        common.store16(VirtioCommonOffset.queueSize, UInt16(queue.layout.size))
        common.store16(VirtioCommonOffset.queueVector, vector)
        guard common.load16(VirtioCommonOffset.queueVector) == vector else { throw .unsupportedDevice }
        storeWide(VirtioCommonOffset.queueDescriptors, base + UInt64(queue.layout.descriptors))
        storeWide(VirtioCommonOffset.queueAvailable, base + UInt64(queue.layout.available))
        storeWide(VirtioCommonOffset.queueUsed, base + UInt64(queue.layout.used))
        let offset = Int(common.load16(VirtioCommonOffset.queueNotifyOffset)) * notificationStride
        guard offset + 2 <= notification.byteCount else { throw .unsupportedDevice }
        common.store16(VirtioCommonOffset.queueEnable, 1)
        return offset
    }

    /// The device starts to work on its queues.
    func start() {
        let all = VirtioStatus.acknowledged | VirtioStatus.driver | VirtioStatus.featuresAccepted
        common.store8(VirtioCommonOffset.deviceStatus, all | VirtioStatus.driverReady)
    }

    /// Fields of 64 bits are written as two halves (section 4.1.3.1).
    private func storeWide(_ offset: Int, _ value: UInt64) {
        common.store32(offset, UInt32(truncatingIfNeeded: value))
        common.store32(offset + 4, UInt32(truncatingIfNeeded: value >> 32))
    }
}
