/// The free page frames of a node: a stack, because the frame used last is the likeliest to be cached.
public struct FramePool: Sendable {
    public static let frameBytes: UInt64 = 4096

    /// Frame numbers (physical address ÷ 4096).
    private var free: [UInt32]
    public private(set) var count: Int
    public let capacity: Int

    /// All whole frames of a range of physical memory.
    public init(_ range: Range<UInt64>) {
        let first = (range.lowerBound + Self.frameBytes - 1) / Self.frameBytes
        let end = range.upperBound / Self.frameBytes
        capacity = end > first ? Int(end - first) : 0
        count = capacity
        free = [UInt32](repeating: 0, count: capacity)
        // The highest frames lie at the bottom, so that frames are handed out from low addresses up.
        for index in 0..<capacity { free[index] = UInt32(end - 1 - UInt64(index)) }
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
