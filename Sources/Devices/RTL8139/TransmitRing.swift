/// The ring of descriptors of the C+ transmitter, which the card works off in turn, and the frames' buffers.
///
/// Only memory: that the ring is to be worked off is said to the card by the driver. A position of the ring has a small
/// buffer of its own; there are fewer large ones, which are lent to the position whose turn it is. A descriptor is 16
/// bytes: flags and size, VLAN tag (none), physical address of the frame (RTL8139C+ datasheet, and QEMU's model).
/// One describes one frame.
///
/// The card says in a descriptor that it is done with it, and has no other say: position and buffers are the driver's
/// own account.
struct RTL8139TransmitRing<Memory: DMARegion> {
    /// Positions of the ring, a power of two.
    static var count: Int { 16 }
    /// Frames of more than `smallBytes` that can be on their way at once.
    static var largeCount: Int { 4 }
    /// Room for the longest frame that every station takes.
    static var smallBytes: Int { 4608 }
    /// Room for the longest frame that a station of the host takes. A size field has 16 bits.
    static var largeBytes: Int { FrameLimits.trainFrameBytes }
    static var descriptorBytes: Int { 16 }
    private static var descriptorsBytes: Int { count * descriptorBytes }
    private static var smallBuffersBytes: Int { count * smallBytes }
    /// What all of it takes: the descriptors, the small buffers, the large ones.
    static var memoryBytes: Int { descriptorsBytes + smallBuffersBytes + largeCount * largeBytes }
    /// What the card wants of the address of its ring.
    static var alignment: Int { 256 }

    let memory: Memory
    /// Frames handed over since the start: it says whose turn it is.
    private var frames = 0
    /// For each large buffer the number of the frame that it was lent to last; before all frames at first.
    private var borrowers: InlineArray<4, Int> = .init(repeating: -count)

    init(memory: Memory) {
        precondition(memory.byteCount >= Self.memoryBytes, "the transmit ring needs room for all its buffers")
        self.memory = memory
        restart()
    }

    /// The position whose turn it is.
    private var next: Int { frames & (Self.count - 1) }

    /// Takes everything back from a card whose transmitter is off, and starts over at position 0.
    mutating func restart() {
        for position in 0..<Self.count { describe(position, address: 0, flags: 0) }
        frames = 0
        borrowers = .init(repeating: -Self.count)
    }

    /// The offset of a buffer for a frame of `byteCount` bytes, which is the next position's from then on; nil when the
    /// card still has that position, or every large buffer and none else is large enough.
    mutating func takeBuffer(_ byteCount: Int) -> Int? {
        guard !isWithCard(next) else { return nil }
        guard byteCount > Self.smallBytes else { return Self.descriptorsBytes + next * Self.smallBytes }
        for large in 0..<Self.largeCount where !isLent(large) {
            borrowers[large] = frames
            return Self.descriptorsBytes + Self.smallBuffersBytes + large * Self.largeBytes
        }
        return nil
    }

    /// Whether the card still has the frame in a large buffer: not when the frame's position has had another since.
    private func isLent(_ large: Int) -> Bool {
        frames - borrowers[large] < Self.count && isWithCard(borrowers[large] & (Self.count - 1))
    }

    /// Hands the next position to the card, with the `byteCount` bytes that were written at `offset`.
    mutating func handOver(_ offset: Int, _ byteCount: Int) {
        let position = next
        var flags = RTL8139Descriptor.isWithCard | RTL8139Descriptor.wholeFrame | UInt32(byteCount)
        if position == Self.count - 1 { flags |= RTL8139Descriptor.isLast }
        describe(position, address: memory.physicalAddress + UInt64(offset), flags: flags)
        frames += 1
    }

    private func isWithCard(_ position: Int) -> Bool {
        memory.load32(position * Self.descriptorBytes) & RTL8139Descriptor.isWithCard != 0
    }

    /// Writes a descriptor, the half that hands it over last; its upper part says that there is no VLAN tag.
    private func describe(_ position: Int, address: UInt64, flags: UInt32) {
        memory.store64(position * Self.descriptorBytes + 8, address)
        memory.store64(position * Self.descriptorBytes, UInt64(flags))
    }
}

/// The first word of a descriptor: these bits above the size in bytes, 0 to 65,535.
enum RTL8139Descriptor {
    /// The card has it; the card clears the bit when it has read the frame.
    static let isWithCard: UInt32 = 1 << 31
    /// The ring starts over behind it.
    static let isLast: UInt32 = 1 << 30
    /// First and last piece of a frame at once.
    static let wholeFrame: UInt32 = 1 << 29 | 1 << 28
}
