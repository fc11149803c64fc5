import CLinux
import Control
import Glibc
import Wire

/// A station of the segment in a host process: the arbiter, or a test.
///
/// One thread sends and receives; `wake()` may be called from any.
public final class HostStation: @unchecked Sendable {
    public let station: Station
    /// Frames that could not be sent because the switch was away or behind. The protocol lives with lost frames.
    public private(set) var framesDropped: UInt64 = 0

    private let socket: DatagramSocket
    private let switchPath: String
    private let buffer = FrameBuffer()
    private let wakeUp: WakeUp
    /// Where the switch puts frames; nil when all come through the socket.
    private var rings: StationRings?

    /// Frames handed out before the caller gets to its timers.
    private static let burst = 64
    /// How often a switch that has no ring is offered one, microseconds.
    private static let offerInterval: UInt64 = 10_000
    /// When it was last, monotonic microseconds.
    private var offeredAt: UInt64 = 0

    /// - Parameters:
    ///   - station: its port must be attached to the segment (`SegmentAttach`) to be reached.
    ///   - isSharing: Frames come through memory that is shared with the switch, and through the socket only until the
    ///     switch has taken that.
    public init(_ station: Station, in directory: RunDirectory, isSharing: Bool = false) throws(Failure) {
        self.station = station
        // Not attached to the switch's socket: an attached one would refuse the socket of a restarted switch.
        socket = try DatagramSocket(at: directory.stationSocket(station.number))
        switchPath = directory.switchSocket(station.number)
        wakeUp = try WakeUp()
        guard isSharing else { return }
        rings = try StationRings()
        passRing()
    }

    /// Hands a frame, from its Ethernet header on, to the switch. A switch that is behind gets a millisecond to catch
    /// up; a frame that it does not take then is dropped.
    public func send(_ frame: RawSpan) {
        for _ in 0..<10 {
            switch socket.send(frame, to: switchPath) {
            case .done: return
            case .full: usleep(100)
            case .unreachable:
                framesDropped += 1
                return
            }
        }
        framesDropped += 1
    }

    /// Waits for frames and hands out those that have come.
    ///
    /// - Parameters:
    ///   - nanoseconds: how long to wait at most when none has come yet; less while the switch is offered memory.
    ///   - body: gets each frame; frames longer than `Limits.trainFrameBytes` never reach it.
    public func receive(waiting nanoseconds: UInt64, _ body: (RawSpan) -> Void) {
        guard rings != nil else {
            if wait(nanoseconds) { _ = takeFromSocket(most: Self.burst, body) }
            return
        }
        if takeFromRing(body) > 0 { return }
        let isOffering = rings?.offered != nil
        let isQuiet = rings?.fallAsleep() ?? true
        _ = wait(!isQuiet ? 0 : isOffering ? min(nanoseconds, 1000 * Self.offerInterval) : nanoseconds)
        rings?.wakeUp()
        // Seen before the frames: all that came before it was taken are among them, if there are no more.
        let isTaken = rings?.isOfferTaken == true
        let (shared, sent) = (takeFromRing(body), takeFromSocket(most: Self.burst, body))
        if isTaken {
            if max(shared, sent) < Self.burst { rings?.settle() }
        } else if sent > 0 || isOffering {
            // A switch that has a ring sends nothing any other way: this one was started anew, or missed the offer.
            rings?.offer()
            if Segment.now() - offeredAt >= Self.offerInterval { passRing() }
        }
    }

    private func passRing() {
        guard let ring = rings?.offered?.ring else { return }
        offeredAt = Segment.now()
        // A switch that is away or behind is offered it again.
        _ = socket.pass(PassedFiles(first: ring.descriptor, second: wakeUp.descriptor), to: switchPath)
    }

    /// Waits for a frame in the socket or for the bell; false when neither came in time.
    private func wait(_ nanoseconds: UInt64) -> Bool {
        var descriptors = [
            pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wakeUp.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        var limit = timespec(
            tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        guard ppoll(&descriptors, 2, &limit, nil) > 0 else { return false }
        if descriptors[1].revents != 0 { wakeUp.clear() }
        return true
    }

    private func takeFromRing(_ body: (RawSpan) -> Void) -> Int { rings?.take(most: Self.burst, body) ?? 0 }

    private func takeFromSocket(most: Int, _ body: (RawSpan) -> Void) -> Int {
        var frames = 0
        while frames < most, let count = socket.receive(into: buffer.memory) {
            if count <= Limits.trainFrameBytes { buffer.withFrame(count, body) }
            frames += 1
        }
        return frames
    }

    /// Whether the switch has taken a ring, as `receive` last saw it.
    var hasRing: Bool { rings?.current != nil }

    /// Ends a `receive` that waits, from another thread.
    public func wake() {
        wakeUp.signal()
    }
}
