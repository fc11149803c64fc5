import CLinux
import Control
import Glibc
import Synchronization
import Wire

/// The Ethernet segment of a cluster: a switch between Unix datagram sockets, on a thread of its own.
///
/// QEMU's netdev of station i has bound `n<i>` and sends to `s<i>`, which the switch has bound; host stations do the
/// same. Being connectionless, the switch can be killed and started again while the machines live.
///
/// The arbiter, to which most bytes go, shares memory with the switch (`FrameRing`): what nodes send there is received
/// where it is read. The sockets carry the rest, and everything while there is no such memory.
///
/// The loop is a plain poll, receive, send, and not NIO: every frame takes this path and a page fault takes it twice,
/// back-pressure has to be seen for each receiver (a full Unix datagram queue answers EAGAIN to one peer only), and
/// NIO's datagram channel has no Unix variant.
public final class Segment: Sendable {
    private let state: Mutex<Switch>
    private let wake: WakeUp
    private let isStopping = Atomic(false)

    public init(in directory: RunDirectory, faults: SegmentFaults) throws(Failure) {
        state = Mutex(Switch(in: directory, faults: faults))
        wake = try WakeUp()
    }

    public func attach(_ station: Station) throws(Failure) {
        try change { (state: inout sending Switch) throws(Failure) in try state.attach(station) }
    }

    public func detach(_ station: Station) {
        change { $0.detach(station) }
    }

    public func set(_ faults: SegmentFaults) throws(Failure) {
        let faults = try faults.validated()
        change { $0.set(faults) }
    }

    @discardableResult
    public func startCapture(to path: String) throws(Failure) -> Failure? {
        try change { (state: inout sending Switch) throws(Failure) in try state.startCapture(to: path) }
    }

    @discardableResult
    public func endCapture() throws(Failure) -> UInt64? {
        try change { (state: inout sending Switch) throws(Failure) in try state.endCapture() }
    }

    public var status: SegmentStatus.Reply {
        state.withLock {
            SegmentStatus.Reply(
                faults: $0.faults.settings, ports: $0.ports.map(\.report), capture: $0.captureFile,
                captureEnding: $0.captureEnding?.description)
        }
    }

    public var stations: [Station] { state.withLock { $0.ports.map(\.station) } }

    /// Changes the switch and lets the loop notice.
    private func change<Result: Sendable, Problem: Error>(
        _ body: (inout sending Switch) throws(Problem) -> sending Result
    ) throws(Problem) -> Result {
        defer { wake.signal() }
        return try state.withLock(body)
    }

    /// Switches frames until `stop()`. Blocks the calling thread.
    public func run() {
        var descriptors: [pollfd] = []
        while !isStopping.load(ordering: .relaxed) {
            let patience = state.withLock { state in
                descriptors.removeAll(keepingCapacity: true)
                descriptors.append(pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0))
                for port in state.ports {
                    let events = port.isBacklogged ? POLLIN | POLLOUT : POLLIN
                    descriptors.append(pollfd(fd: port.socket.descriptor, events: Int16(events), revents: 0))
                }
                return state.patience(at: Self.now())
            }
            let ready = Self.wait(&descriptors, microseconds: patience)
            if descriptors[0].revents != 0 { wake.clear() }
            state.withLock { Self.serve(&$0, descriptors, isIdle: ready == 0) }
        }
        state.withLock { $0.flushCapture() }
    }

    public func stop() {
        isStopping.store(true, ordering: .relaxed)
        wake.signal()
    }

    private static func serve(_ state: inout Switch, _ descriptors: [pollfd], isIdle: Bool) {
        let now = now()
        state.deliverDue(at: now)
        state.ringBells()
        if isIdle { state.flushCapture() }
        for entry in descriptors.dropFirst() where entry.revents != 0 {
            // Ports may have come and gone since the wait began, so each is looked up again.
            guard let port = state.ports.first(where: { $0.socket.descriptor == entry.fd }) else { continue }
            if port.isBacklogged { port.drain() }
            if entry.revents & Int16(POLLIN) != 0 { state.receive(from: port, now: now) }
            state.ringBells()
        }
    }

    private static func wait(_ descriptors: inout [pollfd], microseconds: UInt64?) -> Int32 {
        guard let microseconds else { return ppoll(&descriptors, nfds_t(descriptors.count), nil, nil) }
        var limit = timespec(tv_sec: Int(microseconds / 1_000_000), tv_nsec: Int(microseconds % 1_000_000) * 1000)
        return ppoll(&descriptors, nfds_t(descriptors.count), &limit, nil)
    }

    /// Monotonic time in microseconds.
    static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
    }
}
