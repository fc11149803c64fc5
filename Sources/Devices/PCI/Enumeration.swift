/// The two numbers that say what a function is.
public struct PCIIdentity: Equatable, Sendable {
    public let vendor: UInt16
    public let device: UInt16

    public init(vendor: UInt16, device: UInt16) {
        self.vendor = vendor
        self.device = device
    }

    /// Realtek's RTL8139.
    public static let realtek8139 = PCIIdentity(vendor: 0x10ec, device: 0x8139)
    /// A virtio network card that also offers the interface from before virtio 1.0.
    public static let transitionalVirtioNetwork = PCIIdentity(vendor: 0x1af4, device: 0x1000)
    /// A virtio network card with the interface of virtio 1.0 only.
    public static let modernVirtioNetwork = PCIIdentity(vendor: 0x1af4, device: 0x1041)
    /// The bridge of Intel's PIIX3 from PCI to ISA, which routes interrupts.
    public static let interruptRouter = PCIIdentity(vendor: 0x8086, device: 0x7000)
}

extension ConfigurationSpace {
    /// What the function is, nil when there is none.
    public func identity(of function: PCIFunction) -> PCIIdentity? {
        let word = read32(function, HeaderOffset.identity)
        let vendor = UInt16(truncatingIfNeeded: word)
        guard vendor != 0xffff, vendor != 0 else { return nil }
        return PCIIdentity(vendor: vendor, device: UInt16(truncatingIfNeeded: word >> 16))
    }

    /// The maker's own number of the version of the function.
    func revision(of function: PCIFunction) -> UInt8 {
        read8(function, HeaderOffset.revision)
    }

    /// Calls `body` for every function of bus 0 in ascending order, until it returns false.
    public func forEachFunction(_ body: (PCIFunction, PCIIdentity) -> Bool) {
        for device in UInt8(0)..<32 {
            let first = PCIFunction(device: device, function: 0)
            guard let identity = identity(of: first) else { continue }
            guard body(first, identity) else { return }
            let hasMore = read8(first, HeaderOffset.headerType) & 0x80 != 0
            guard hasMore else { continue }
            for number in UInt8(1)..<8 {
                let function = PCIFunction(device: device, function: number)
                guard let identity = self.identity(of: function) else { continue }
                guard body(function, identity) else { return }
            }
        }
    }

    /// The first function of bus 0 with one of the identities that `wanted` accepts, nil when there is none.
    public func first(where wanted: (PCIIdentity) -> Bool) -> (PCIFunction, PCIIdentity)? {
        var found: (PCIFunction, PCIIdentity)?
        forEachFunction { function, identity in
            guard wanted(identity) else { return true }
            found = (function, identity)
            return false
        }
        return found
    }
}
