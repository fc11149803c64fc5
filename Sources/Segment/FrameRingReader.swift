import Control
import Wire

/// The station's end of a ring of frames.
final class FrameRingReader {
    let ring: FrameRing
    private var tail: UInt64 = 0
    /// As far as it is known to be written.
    private var head: UInt64 = 0

    init() throws(Failure) { ring = try FrameRing() }

    /// Hands out the frames that are there, so many at most.
    ///
    /// - Returns: How many there were; nil when what is written there cannot be right.
    func take(most: Int, _ body: (RawSpan) -> Void) -> Int? {
        var frames = 0
        while frames < most {
            if head == tail { head = ring.head }
            guard head != tail else { break }
            guard let count = next(body) else { return nil }
            frames += count
        }
        return frames
    }

    /// Frames of the next record: none where the rest of the ring is skipped; nil when it cannot be right.
    private func next(_ body: (RawSpan) -> Void) -> Int? {
        let place = FrameRing.place(of: tail)
        guard head &- tail <= UInt64(FrameRing.capacity), head % 8 == 0 else { return nil }
        let length = ring.length(at: place)
        guard length != FrameRing.skip else { return advance(FrameRing.capacity - place) ? 0 : nil }
        guard length <= UInt64(Limits.trainFrameBytes) else { return nil }
        let record = FrameRing.recordBytes(Int(length))
        guard place + record <= FrameRing.capacity, UInt64(record) <= head - tail else { return nil }
        // Safe: the span ends with this call, and the writer leaves the record alone until the tail is behind it.
        body(UnsafeRawBufferPointer(ring.bytes(at: place + FrameRing.headBytes, Int(length))).bytes)
        return advance(record) ? 1 : nil
    }

    private func advance(_ count: Int) -> Bool {
        guard UInt64(count) <= head - tail else { return false }
        tail += UInt64(count)
        ring.tail = tail
        return true
    }

    /// Wants the bell for the next frame.
    ///
    /// - Returns: False when there is one already.
    func fallAsleep() -> Bool {
        ring.isAsleep = true
        head = ring.head
        if head == tail { return true }
        ring.isAsleep = false
        return false
    }

    func wakeUp() { ring.isAsleep = false }
}
