/// Where the three parts of a split virtqueue lie in one piece of memory (virtio 1.1, section 2.6).
struct VirtioQueueLayout: Equatable {
    /// Bytes of a descriptor: address (64 bits), length (32), flags (16), next (16).
    static let descriptorBytes = 16
    /// Bytes of a used entry: descriptor number (32 bits), bytes written (32).
    static let usedEntryBytes = 8
    /// The descriptor's buffer is written by the device, not read.
    static let deviceWrites: UInt16 = 2
    /// In the driver's flags: no interrupt for used buffers, please.
    static let noInterrupt: UInt16 = 1
    /// In the device's flags: no notification for available buffers, please.
    static let noNotify: UInt16 = 1

    /// Entries of each ring, a power of two.
    let size: Int

    init(size: Int) {
        let isPowerOfTwo = size > 0 && size & (size - 1) == 0
        precondition(isPowerOfTwo && size <= SlotSet.capacity, "a queue has 1, 2, 4 ... 256 entries")
        self.size = size
    }

    /// Offset of the descriptor table, which wants an alignment of 16.
    var descriptors: Int { 0 }
    /// Offset of the driver's ring: flags (16 bits), index (16), then descriptor numbers of 16 bits each.
    var available: Int { size * Self.descriptorBytes }
    /// Offset of the device's ring: flags (16 bits), index (16), then used entries.
    var used: Int { (available + 6 + size * 2 + 3) & ~3 }
    /// Bytes of all three.
    var byteCount: Int { used + 6 + size * Self.usedEntryBytes }

    func descriptor(_ slot: Int) -> Int { descriptors + slot * Self.descriptorBytes }
    var availableFlags: Int { available }
    var availableIndex: Int { available + 2 }
    func availableEntry(_ index: UInt16) -> Int { available + 4 + (Int(index) & (size - 1)) * 2 }
    var usedFlags: Int { used }
    var usedIndex: Int { used + 2 }
    func usedEntry(_ index: UInt16) -> Int { used + 4 + (Int(index) & (size - 1)) * Self.usedEntryBytes }
}
