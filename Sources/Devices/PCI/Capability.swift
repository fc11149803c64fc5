/// One entry of a function's capability list (PCI 3.0, section 6.7).
public struct Capability: Equatable, Sendable {
    /// What it describes.
    public let identifier: UInt8
    /// Where in configuration space it starts.
    public let offset: UInt8

    /// A capability whose contents the vendor defines; virtio lists its register windows with it.
    public static let vendorSpecific: UInt8 = 0x09
    /// Interrupts as memory writes, with a table in device memory.
    public static let messageSignalledTable: UInt8 = 0x11
}

extension ConfigurationSpace {
    /// Calls `body` for every capability in list order until it returns false.
    ///
    /// Ends after 48 entries, the most that fit into configuration space, so that a list in a circle ends too.
    public func forEachCapability(_ function: PCIFunction, _ body: (Capability) -> Bool) {
        guard read16(function, HeaderOffset.status) & 0x10 != 0 else { return }
        var offset = read8(function, HeaderOffset.capabilities) & 0xfc
        for _ in 0..<48 {
            guard offset >= 0x40 else { return }
            let head = read16(function, offset)
            guard body(Capability(identifier: UInt8(truncatingIfNeeded: head), offset: offset)) else { return }
            offset = UInt8(truncatingIfNeeded: head >> 8) & 0xfc
        }
    }

    /// The first capability of one kind, nil when the function has none.
    public func capability(_ function: PCIFunction, _ identifier: UInt8) -> Capability? {
        var found: Capability?
        forEachCapability(function) { capability in
            guard capability.identifier == identifier else { return true }
            found = capability
            return false
        }
        return found
    }
}
