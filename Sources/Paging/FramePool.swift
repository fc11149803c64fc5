/// The free page frames of a node: a stack, because the frame used last is the likeliest to be cached.
public struct FramePool: Sendable {
    public static let frameBytes: UInt64 = 4096

    /// Frame numbers (physical address ÷ 4096).
    private var free: [UInt32]
    public private(set) var count = 0

    /// An empty pool with room for the frames of that many bytes.
    public init(capacityBytes: UInt64) {
        free = [UInt32](repeating: 0, count: Int(capacityBytes / Self.frameBytes))
    }

    public var capacity: Int { free.count }

    /// Puts all whole frames of a range of physical memory into the pool; low addresses are handed out first.
    public mutating func add(_ range: Range<UInt64>) {
        let first = (range.lowerBound + Self.frameBytes - 1) / Self.frameBytes
        var frame = range.upperBound / Self.frameBytes
        while frame > first {
            frame -= 1
            give(frame * Self.frameBytes)
        }
    }

    /// Takes a frame; nil when there is none.
    public mutating func take() -> UInt64? {
        guard count > 0 else { return nil }
        count -= 1
        return UInt64(free[count]) * Self.frameBytes
    }

    /// Takes a frame that does not share a slot of a direct-mapped translation cache with `other`: a copy between two
    /// that do costs ten times as much under TCG.
    public mutating func take(apartFrom other: UInt64) -> UInt64? {
        if count > 1, (UInt64(free[count - 1]) ^ other / Self.frameBytes) & 0xFF == 0 {
            free.swapAt(count - 1, count - 2)
        }
        return take()
    }

    public mutating func give(_ frame: UInt64) {
        precondition(count < capacity, "a frame was given back twice")
        free[count] = UInt32(truncatingIfNeeded: frame / Self.frameBytes)
        count += 1
    }
}
