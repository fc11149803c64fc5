import CLinux
import Control
import Glibc
import Synchronization
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

    /// - Parameter station: its port must be attached to the segment (`SegmentAttach`) to be reached.
    public init(_ station: Station, in directory: RunDirectory) throws(Failure) {
        self.station = station
        // Not attached to the switch's socket: an attached one would refuse the socket of a restarted switch.
        socket = try DatagramSocket(at: directory.stationSocket(station.number))
        switchPath = directory.switchSocket(station.number)
        wakeUp = try WakeUp()
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

    /// Waits for frames and hands out all that have come.
    ///
    /// - Parameters:
    ///   - nanoseconds: how long to wait at most when none has come yet.
    ///   - body: gets each frame; frames longer than `Limits.trainFrameBytes` never reach it.
    public func receive(waiting nanoseconds: UInt64, _ body: (RawSpan) -> Void) {
        var descriptors = [
            pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wakeUp.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        var limit = timespec(
            tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        guard ppoll(&descriptors, 2, &limit, nil) > 0 else { return }
        if descriptors[1].revents != 0 { wakeUp.clear() }
        for _ in 0..<Self.burst {
            guard let count = socket.receive(into: buffer.memory) else { return }
            if count <= Limits.trainFrameBytes { buffer.withFrame(count, body) }
        }
    }

    /// Ends a `receive` that waits, from another thread.
    public func wake() {
        wakeUp.signal()
    }

    /// Frames handed out before the caller gets to its timers.
    private static let burst = 64
}
