import Control
import Glibc
import Wire

/// The switch: ports, faults, frames under way and the capture. One lock away from being shared: see `Segment`.
struct Switch: ~Copyable {
    private(set) var ports: [Port] = []
    private(set) var faults: Faults
    private var byStation: [Port?] = Array(repeating: nil, count: 256)
    private var delayed = DelayQueue()
    private var capture: Capture?
    private let directory: RunDirectory
    private let buffer = FrameBuffer()

    /// Frames taken from one port before the others get their turn.
    private static let burst = 32

    init(in directory: RunDirectory, faults: SegmentFaults) {
        self.directory = directory
        self.faults = Faults(faults)
    }

    mutating func attach(_ station: Station) throws(Failure) {
        guard station != .nobody, station != .everyone else {
            throw Failure(.usage, "\(station.number) is not the number of a station")
        }
        if let port = byStation[Int(station.number)] { return port.release() }
        let port = try Port(station: station, in: directory)
        ports.append(port)
        byStation[Int(station.number)] = port
    }

    mutating func detach(_ station: Station) {
        byStation[Int(station.number)]?.socket.removeFile()
        byStation[Int(station.number)] = nil
        ports.removeAll { $0.station == station }
    }

    mutating func set(_ faults: SegmentFaults) {
        self.faults = Faults(faults)
    }

    var captureFile: String? { capture?.problem == nil ? capture?.path : nil }

    /// Said of a capture that ended by itself, until somebody ends it or starts another.
    var captureEnding: Failure? { capture?.ending }

    /// - Returns: What is said of one before it that had ended by itself.
    /// - Throws: `.unavailable` while another one runs: somebody wants to see how that goes on.
    mutating func startCapture(to path: String) throws(Failure) -> Failure? {
        if let running = captureFile {
            throw Failure(
                .unavailable, "a capture into \(running) runs already",
                advice: "end it with \(directory.hint("net capture --stop"))", at: running)
        }
        let before = captureEnding
        capture = try Capture(to: path)
        return before
    }

    /// Ends the capture and returns how many frames it holds; nil when none ran.
    ///
    /// - Throws: what is said of a capture that ended by itself before, or at its last frames now.
    @discardableResult
    mutating func endCapture() throws(Failure) -> UInt64? {
        guard let ended = capture else { return nil }
        capture = nil
        ended.flush()
        if let ending = ended.ending { throw ending }
        return ended.frames
    }

    /// How long to wait for the next event, in microseconds; nil for ever.
    func patience(at now: UInt64) -> UInt64? {
        if let due = delayed.nextDue { return due > now ? due - now : 0 }
        return capture?.hasPending == true ? 50_000 : nil
    }

    /// Takes waiting frames from a port and sends them on their way.
    mutating func receive(from port: Port, now: UInt64) {
        for _ in 0..<Self.burst {
            // Most large frames are the arbiter's: they are received where it reads them.
            let memory = byStation[Int(Station.arbiter.number)]?.ring?.room() ?? buffer.memory
            guard let received = port.receive(into: memory) else { return }
            guard case .frame(let count) = received else { continue }
            guard count >= Self.headerBytes, count <= Limits.trainFrameBytes else {
                port.report.malformed += 1
                continue
            }
            port.report.framesIn += 1
            port.report.bytesIn += UInt64(count)
            // Safe: bounded by the memory, which the ring or the buffer owns, and the span ends with this call.
            forward(UnsafeRawBufferPointer(rebasing: memory[..<count]).bytes, from: port, now: now)
        }
    }

    /// Delivers delayed frames whose time has come.
    mutating func deliverDue(at now: UInt64) {
        while let entry = delayed.take(at: now) { byStation[Int(entry.station)]?.transmit(entry.frame.span.bytes) }
    }

    /// Wakes the stations that share memory with the switch, if there is something for them.
    func ringBells() {
        for port in ports { port.ring?.ringBell() }
    }

    /// Writes out what the capture holds; done when nothing else is to do.
    func flushCapture() { capture?.flush() }

    private mutating func forward(_ frame: RawSpan, from port: Port, now: UInt64) {
        record(frame)
        let destination = Self.address(of: frame)
        // Only the arbiter takes more than a jumbo frame; a machine's card would drop it.
        guard frame.byteCount <= Limits.maximumFrameBytes || destination == Station.arbiter.address else {
            port.report.malformed += 1
            return
        }
        if destination >> 40 & 1 == 1 {
            for target in ports where target.station != port.station {
                deliver(frame, from: port.station, to: target, now: now)
            }
            return
        }
        let station = Station(UInt8(truncatingIfNeeded: destination))
        guard destination == station.address, let target = byStation[Int(station.number)] else {
            port.report.malformed += 1
            return
        }
        if station != port.station { deliver(frame, from: port.station, to: target, now: now) }
    }

    private mutating func deliver(_ frame: RawSpan, from: Station, to port: Port, now: UInt64) {
        switch faults.deliver(from: from.number, to: port.station.number) {
        case .lost:
            port.report.lost += 1
        case .after(let delay, let again):
            for delay in [again, delay].lazy.compactMap({ $0 }) { send(frame, to: port, due: now + delay, now: now) }
        }
    }

    private mutating func send(_ frame: RawSpan, to port: Port, due: UInt64, now: UInt64) {
        if due <= now {
            port.transmit(frame)
        } else if !delayed.insert(frame.copied, to: port.station.number, due: due) {
            port.report.overflowed += 1
        }
    }

    private func record(_ frame: RawSpan) {
        guard let capture, capture.problem == nil else { return }
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let microseconds = UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
        capture.write(frame, microseconds: microseconds)
    }

    /// Destination, source and type: less is no Ethernet frame. An empty datagram would even end the receiver's
    /// netdev, so nothing shorter is ever sent on.
    private static let headerBytes = 14

    private static func address(of frame: RawSpan) -> UInt64 {
        UInt64(frame.load(UInt16.self, at: 0).byteSwapped) << 32 | UInt64(frame.load(UInt32.self, at: 2).byteSwapped)
    }
}
