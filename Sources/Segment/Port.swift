import Control
import Wire

/// One station's place on the switch: its socket, the frames it was too slow to take, and its counters.
final class Port {
    let station: Station
    let socket: DatagramSocket
    var report: PortReport
    private let peer: String
    private var isAttached = false
    /// Memory that the station shares with the switch; nil for machines.
    private(set) var ring: FrameRingWriter?
    /// Frames that the station could not take yet, oldest first. The kernel's own queue holds ten
    /// (net.unix.max_dgram_qlen), less than one burst of page replies.
    private var waiting: [[UInt8]] = []
    private var waitingStart = 0

    /// Of the frames that wait, each at least `leastFrameBytes`.
    private var waitingBytes = 0

    /// Kept for a slow station: 256 of the frames with a page, or some thousands of commits. A station that is further
    /// behind loses frames, as on any Ethernet. (256 frames of whatever size were 20 ms of a busy cluster's commits: on
    /// a busy host an arbiter lost some, and what it had asked for with them.)
    static let waitingLimit = 256 * Limits.maximumFrameBytes
    /// What keeping the smallest one costs.
    static let leastFrameBytes = 256

    init(station: Station, in directory: RunDirectory) throws(Failure) {
        self.station = station
        peer = directory.stationSocket(station.number)
        socket = try DatagramSocket(at: directory.switchSocket(station.number))
        report = PortReport(station: station.number)
    }

    /// The station is started anew. While the port is attached to the socket that it had, the system lets nobody else
    /// send to the port, and where nobody sends to the station, nothing else would tell.
    func release() {
        socket.detach()
        isAttached = false
        ring = nil
    }

    /// Whether the port waits for its station to read.
    var isBacklogged: Bool { waitingStart < waiting.count }

    /// What the station sent.
    enum Received {
        case frame(Int)
        /// Memory to share: what was room for a frame before may be no more.
        case ring
    }

    /// Takes the next that the station sent, as `DatagramSocket.receive(into:)`, which says why that is safe; nil when
    /// nothing waits.
    func receive(into buffer: UnsafeMutableRawBufferPointer) -> Received? {
        var passed = PassedFiles()
        guard let count = socket.receive(into: buffer, &passed) else { return nil }
        guard passed.first < 0 else {
            take(passed)
            return .ring
        }
        // Attaching early lets the station send more than the ten frames that strangers may leave in a queue.
        if !isAttached { isAttached = socket.attach(to: peer) }
        return .frame(count)
    }

    /// From now on frames go into the ring that the station shares; what waits goes first.
    private func take(_ passed: PassedFiles) {
        guard let ring = FrameRingWriter(passed) else { return }
        self.ring = ring
        let frames = waiting[waitingStart...]
        forgetWaiting()
        for frame in frames { put(frame.span.bytes, into: ring) }
    }

    private func put(_ frame: RawSpan, into ring: FrameRingWriter) {
        if ring.put(frame) { return count(frame.byteCount) }
        report.overflowed += 1
        // The station offers the next one when something reaches it through the socket.
        if ring.isBroken { self.ring = nil }
    }

    private func forgetWaiting() {
        waiting.removeAll(keepingCapacity: true)
        waitingStart = 0
        waitingBytes = 0
    }

    /// Sends a frame to the station, or keeps it when the station is slow. Frames stay in order.
    func transmit(_ frame: RawSpan) {
        if let ring { return put(frame, into: ring) }
        if isBacklogged { return keep(frame) }
        switch attempt(frame) {
        case .done: count(frame.byteCount)
        case .full: keep(frame)
        case .unreachable: report.unreachable += 1
        }
    }

    /// Sends what waits, as far as the station takes it.
    func drain() {
        while isBacklogged {
            let frame = waiting[waitingStart]
            switch attempt(frame.span.bytes) {
            case .done: count(frame.count)
            case .full: return
            case .unreachable: report.unreachable += 1
            }
            waitingStart += 1
            waitingBytes -= max(frame.count, Self.leastFrameBytes)
        }
        forgetWaiting()
    }

    /// The socket is attached to whoever has bound the station's path; a station that was restarted has bound it anew.
    private func attempt(_ frame: RawSpan) -> DatagramSocket.Sent {
        if isAttached {
            let outcome = socket.send(frame)
            if case .unreachable = outcome { isAttached = false } else { return outcome }
        }
        isAttached = socket.attach(to: peer)
        return isAttached ? socket.send(frame) : .unreachable
    }

    private func keep(_ frame: RawSpan) {
        let byteCount = max(frame.byteCount, Self.leastFrameBytes)
        guard waitingBytes + byteCount <= Self.waitingLimit else {
            report.overflowed += 1
            return
        }
        if waitingStart > waiting.count / 2 {
            waiting.removeFirst(waitingStart)
            waitingStart = 0
        }
        waiting.append(frame.copied)
        waitingBytes += byteCount
    }

    private func count(_ bytes: Int) {
        report.framesOut += 1
        report.bytesOut += UInt64(bytes)
    }
}

extension RawSpan {
    /// The bytes as an array. Safe: copied within the call.
    var copied: [UInt8] { withUnsafeBytes { [UInt8]($0) } }
}
