import Control
import Synchronization
import Wire

/// A queue of frames in memory that a station of the host shares with the switch: the switch writes, the station reads,
/// and neither asks the system while the other is at work (a ring of one producer and one consumer: Lamport,
/// “Specifying Concurrent Program Modules”, 1983).
///
/// Page 0 holds the counters, each on a cache line of its own; behind it are the bytes of the ring. A record is its
/// frame's length (8 bytes) and the frame, filled up to a multiple of 8; none goes over the end of the ring: the rest
/// is skipped, which a length of `skip` says. Both ends count bytes from 0 and without end.
///
/// Unsafe because counters are atomics at fixed places of memory that two processes share. Safe as long as the memory
/// is `byteCount` long, which who made it sealed. Counters and lengths are checked before they are used; that the
/// switch leaves a frame alone while it is read is trusted, as it is a process of the same user.
final class FrameRing {
    private let memory: SharedMemory
    var descriptor: Int32 { memory.descriptor }

    static let byteCount = countersBytes + capacity
    private static let countersBytes = 4096
    /// Of the ring, a power of two: 68 trains of pages, or a second of a busy cluster's commits.
    static let capacity = 4 << 20
    /// What every record begins with.
    static let headBytes = 8
    static let skip = UInt64.max

    init() throws(Failure) { memory = try SharedMemory(byteCount: Self.byteCount) }

    /// The other end of one that was passed here; nil for anything else.
    init?(_ descriptor: Int32) {
        guard let memory = SharedMemory(descriptor, byteCount: Self.byteCount) else { return nil }
        self.memory = memory
    }

    // MARK: Counters

    /// Bytes that were ever written.
    var head: UInt64 {
        get { counter(1).pointee.load(ordering: .sequentiallyConsistent) }
        set { counter(1).pointee.store(newValue, ordering: .sequentiallyConsistent) }
    }

    /// Bytes that were ever read.
    var tail: UInt64 {
        get { counter(2).pointee.load(ordering: .acquiring) }
        set { counter(2).pointee.store(newValue, ordering: .releasing) }
    }

    /// The station sleeps, or is about to, and wants the bell.
    var isAsleep: Bool {
        get { counter(3).pointee.load(ordering: .sequentiallyConsistent) != 0 }
        set { counter(3).pointee.store(newValue ? 1 : 0, ordering: .sequentiallyConsistent) }
    }

    /// The switch has taken the ring.
    var isTaken: Bool {
        get { counter(4).pointee.load(ordering: .acquiring) != 0 }
        set { counter(4).pointee.store(newValue ? 1 : 0, ordering: .releasing) }
    }

    /// Safe: inside of page 0, aligned, and zero bytes are an atomic of value 0.
    private func counter(_ line: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        (memory.bytes.baseAddress! + 64 * line).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    // MARK: Bytes

    static func place(of count: UInt64) -> Int { Int(count & UInt64(capacity - 1)) }

    static func recordBytes(_ frameBytes: Int) -> Int { headBytes + (frameBytes + 7) & ~7 }

    // Safe, all three: `bytes(at:_:)` refuses what is not inside of the ring.

    func length(at place: Int) -> UInt64 { bytes(at: place, Self.headBytes).load(as: UInt64.self) }

    func setLength(_ length: UInt64, at place: Int) {
        bytes(at: place, Self.headBytes).storeBytes(of: length, as: UInt64.self)
    }

    /// A part of the ring, which must be inside of it.
    func bytes(at place: Int, _ count: Int) -> UnsafeMutableRawBufferPointer {
        precondition(place >= 0 && count >= 0 && place + count <= Self.capacity, "a part of the ring")
        let start = Self.countersBytes + place
        return UnsafeMutableRawBufferPointer(rebasing: memory.bytes[start..<start + count])
    }
}
