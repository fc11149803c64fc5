/// A queue of the numbers 0..<itemCount from which all nodes take, each number once.
///
/// The numbers are divided into one share a taker, each on a page of its own, so that takers do not
/// conflict while their own share lasts; a taker whose share is used up helps the others with theirs.
/// A number taken by a transaction that aborts is in the queue again.
public struct SharedQueue: BitwiseCopyable, Sendable {
    private let firstPage: UInt32
    private let shareCount: UInt32

    /// A queue in fresh pages.
    public init(
        itemCount: UInt64, takers: UInt32, memory: SharedMemory, allocator: NodeAllocator
    ) throws(HeapError) {
        precondition(takers > 0, "a queue without takers")
        shareCount = takers
        firstPage = try allocator.allocatePages(takers).page
        for share in 0..<takers {
            memory[next(share)] = itemCount * UInt64(share) / UInt64(takers)
            memory[end(share)] = itemCount * UInt64(share + 1) / UInt64(takers)
        }
    }

    /// Takes a number, from the taker's own share while there are any; nil if the queue is empty.
    public func take(_ taker: UInt32, in memory: SharedMemory) -> UInt64? {
        for distance in 0..<shareCount {
            let share = (taker + distance) % shareCount
            let number = memory[next(share)]
            if number < memory[end(share)] {
                memory[next(share)] = number + 1
                return number
            }
        }
        return nil
    }

    private func next(_ share: UInt32) -> Shared<UInt64> { Shared(page: firstPage + share, 0) }
    private func end(_ share: UInt32) -> Shared<UInt64> { Shared(page: firstPage + share, 8) }
}
