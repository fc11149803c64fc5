/// The kinds of register windows that a modern virtio PCI device lists (virtio 1.1, section 4.1.4).
enum VirtioWindow: UInt8 {
    case common = 1
    case notification = 2
    case interruptStatus = 3
    case device = 4
}

/// Where a window lies in physical memory.
struct VirtioWindowPlace: Equatable {
    let start: UInt64
    let byteCount: Int
    /// Bytes between the notification registers of two queues; only the notification window has it.
    let notificationStride: UInt32
}

extension ConfigurationSpace {
    /// The first window of a kind whose base address is assigned memory, nil when there is none.
    func virtioWindow(_ function: PCIFunction, _ kind: VirtioWindow) -> VirtioWindowPlace? {
        var place: VirtioWindowPlace?
        forEachCapability(function) { capability in
            guard capability.identifier == Capability.vendorSpecific,
                read8(function, capability.offset &+ 3) == kind.rawValue
            else { return true }
            place = windowPlace(function, capability.offset, kind)
            return place == nil
        }
        return place
    }

    private func windowPlace(_ function: PCIFunction, _ offset: UInt8, _ kind: VirtioWindow) -> VirtioWindowPlace? {
        // A device may list a window of any length; more than this is mapped for nobody.
        let sensibleBytes: UInt32 = 65536
        guard let base = memoryStart(function, read8(function, offset &+ 4)) else { return nil }
        let start = base &+ UInt64(read32(function, offset &+ 8))
        let byteCount = min(read32(function, offset &+ 12), sensibleBytes)
        guard byteCount > 0 else { return nil }
        let stride = kind == .notification ? read32(function, offset &+ 16) : 0
        return VirtioWindowPlace(start: start, byteCount: Int(byteCount), notificationStride: stride)
    }
}
