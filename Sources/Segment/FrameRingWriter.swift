import CLinux
import Glibc
import Wire

/// The switch's end of a ring of frames.
///
/// Unsafe because frames are received into the ring and copied into it.
final class FrameRingWriter {
    private let ring: FrameRing
    /// An event descriptor on which the station sleeps.
    private let bell: Int32
    private var head: UInt64
    /// As far as it is known to be read.
    private var tail: UInt64

    /// Takes a ring and its bell, both of which the station passed, and closes what is not one; nil for anything else.
    init?(_ passed: PassedFiles) {
        guard let ring = FrameRing(passed.first), passed.second >= 0, ring.head % 8 == 0,
            ring.head &- ring.tail <= UInt64(FrameRing.capacity),
            // Whatever it is: who rings it waits for nobody.
            fcntl(passed.second, F_SETFL, O_NONBLOCK) == 0
        else {
            close(passed.second)
            return nil
        }
        self.ring = ring
        bell = passed.second
        head = ring.head
        tail = ring.tail
        ring.isTaken = true
    }

    deinit {
        close(bell)
    }

    /// The station has said that it has read what was never written, or not what it had read before.
    private(set) var isBroken = false

    // Safe: a part of the ring, which checks that it is one.

    /// Room for the largest frame and one byte more, to receive into; nil while the station is that far behind.
    func room() -> UnsafeMutableRawBufferPointer? {
        if tail != head { noteTail(ring.tail) }
        var place = FrameRing.place(of: head)
        let record = FrameRing.recordBytes(Limits.trainFrameBytes + 1)
        let skipped = place + record > FrameRing.capacity ? UInt64(FrameRing.capacity - place) : 0
        guard !isBroken, head - tail + skipped + UInt64(record) <= UInt64(FrameRing.capacity) else { return nil }
        if skipped > 0 {
            ring.setLength(FrameRing.skip, at: place)
            head += skipped
            place = 0
        }
        return ring.bytes(at: place + FrameRing.headBytes, Limits.trainFrameBytes + 1)
    }

    private func noteTail(_ seen: UInt64) {
        if seen &- tail <= head &- tail { tail = seen } else { isBroken = true }
    }

    /// Puts a frame behind the others; one that was received into `room` is there already.
    ///
    /// - Returns: False when there is no room.
    func put(_ frame: RawSpan) -> Bool {
        guard let room = room() else { return false }
        // Safe: `room` has place for every frame, and what was received into it is not copied onto itself.
        frame.withUnsafeBytes { bytes in
            if bytes.baseAddress != UnsafeRawPointer(room.baseAddress) { room.copyMemory(from: bytes) }
        }
        ring.setLength(UInt64(frame.byteCount), at: FrameRing.place(of: head))
        head += UInt64(FrameRing.recordBytes(frame.byteCount))
        ring.head = head
        return true
    }

    /// Wakes a station that sleeps though there are frames: after a burst of them, as it takes as long as a large one.
    func ringBell() {
        guard ring.isAsleep else { return }
        ring.isAsleep = false
        // Fails only when 2^64 - 1 bells are pending already.
        eventfd_write(bell, 1)
    }
}
