import Segment
import Wire

/// The arbiter's end of the segment. Frames that the switch is too busy to take wait here for a moment.
///
/// The kernel holds ten datagrams for a receiver (net.unix.max_dgram_qlen), fewer than one burst of page replies.
final class ArbiterLink {
    private let station: HostStation
    /// Oldest first, from `start` on.
    private var waiting: [[UInt8]] = []
    private var start = 0
    /// When the oldest began to wait.
    private var since: UInt64 = 0
    /// Memory for one outgoing frame. Unsafe to save an allocation a frame; only `transmit` touches it.
    private let frame = UnsafeMutableRawBufferPointer.allocate(
        byteCount: Limits.maximumFrameBytes, alignment: 16)

    /// Frames kept: 1 MiB of the largest.
    private static let waitingLimit = 256
    /// After so many nanoseconds the switch is not busy but away, and the frames are stale.
    private static let patience: UInt64 = 20_000_000
    /// How often a busy switch is tried, nanoseconds.
    static let retryInterval: UInt64 = 50_000

    init(_ station: HostStation) {
        self.station = station
    }

    deinit {
        frame.deallocate()
    }

    var isBacklogged: Bool { start < waiting.count }

    /// Sends a frame of `byteCount` bytes that `fill` writes.
    func transmit(_ byteCount: Int, _ fill: (inout MutableRawSpan) -> Void) {
        precondition(byteCount <= frame.count, "a frame beyond the limit")
        let part = UnsafeMutableRawBufferPointer(rebasing: frame[..<byteCount])
        // Safe: the span ends with the frame's memory and does not leave this call.
        var span = part.mutableBytes
        fill(&span)
        send(UnsafeRawBufferPointer(part).bytes)
    }

    private func send(_ bytes: RawSpan) {
        if isBacklogged || !isTaken(bytes) { keep(bytes) }
    }

    private func isTaken(_ bytes: RawSpan) -> Bool {
        let dropped = station.framesDropped
        station.send(bytes)
        return station.framesDropped == dropped
    }

    private func keep(_ bytes: RawSpan) {
        guard waiting.count - start < Self.waitingLimit else { return }
        if !isBacklogged { since = Clock.now() }
        // Safe: copied within the call.
        waiting.append(bytes.withUnsafeBytes { [UInt8]($0) })
    }

    /// Sends what waits, as far as the switch takes it.
    func flush(_ now: UInt64) {
        while isBacklogged {
            let frame = waiting[start]
            guard isTaken(frame.span.bytes) else { break }
            start += 1
            since = now
        }
        guard !isBacklogged || now - since > Self.patience else { return }
        waiting.removeAll(keepingCapacity: true)
        start = 0
    }
}
