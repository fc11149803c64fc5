import Control
import Foundation
import Segment
import Testing
import Wire

/// A running segment in a temporary directory, and stations on it.
final class Stage {
    let directory: RunDirectory
    private(set) var segment: Segment
    private let base = "/tmp/plurix-segment-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"

    init(stations: ClosedRange<UInt8>, faults: SegmentFaults = SegmentFaults()) throws {
        directory = try RunDirectory(name: "t", base: base)
        try directory.create()
        segment = try Self.start(directory, stations, faults)
    }

    deinit {
        segment.stop()
        try? FileManager.default.removeItem(atPath: base)
    }

    /// Ends the switch as a kill would, and starts another.
    func restart(stations: ClosedRange<UInt8>) throws {
        segment.stop()
        segment = try Self.start(directory, stations, SegmentFaults())
    }

    func station(_ number: UInt8) throws -> HostStation { try HostStation(Station(number), in: directory) }

    /// Waits until the counters say so.
    func wait(until isSo: (SegmentStatus.Reply) -> Bool) throws {
        for _ in 0..<2000 {
            if isSo(segment.status) { return }
            usleep(1000)
        }
        throw Failure(.timeout, "the segment's counters stay at \(segment.status.ports)")
    }

    private static func start(
        _ directory: RunDirectory, _ stations: ClosedRange<UInt8>, _ faults: SegmentFaults
    ) throws -> Segment {
        let segment = try Segment(in: directory, faults: faults)
        for station in stations { try segment.attach(Station(station)) }
        Thread.detachNewThread { segment.run() }
        return segment
    }
}

/// An Ethernet frame between stations with a recognisable end.
func frame(to: Station, from: Station, bytes: Int = 60, mark: UInt8 = 0) -> [UInt8] {
    var frame: [UInt8] = []
    for address in [to.address, from.address] {
        frame += (0..<6).map { UInt8(truncatingIfNeeded: address >> (40 - 8 * $0)) }
    }
    frame += [0x88, 0xB5]
    frame += Array(repeating: mark, count: max(0, bytes - frame.count))
    return Array(frame.prefix(bytes))
}

/// Tries again while the switch is behind.
func sendSurely(_ frame: [UInt8], by sender: HostStation) {
    while true {
        let dropped = sender.framesDropped
        sender.send(frame)
        if sender.framesDropped == dropped { return }
        usleep(1000)
    }
}

extension HostStation {
    func send(_ bytes: [UInt8]) { send(bytes.span.bytes) }

    /// Waits until `count` frames have come or nothing came for `milliseconds`.
    func collect(_ count: Int, quiet milliseconds: UInt64 = 300) -> [[UInt8]] {
        var frames: [[UInt8]] = []
        var end = ContinuousClock.now + .milliseconds(milliseconds)
        while frames.count < count, ContinuousClock.now < end {
            let before = frames.count
            receive(waiting: milliseconds * 1_000_000) { frame in
                frames.append((0..<frame.byteCount).map { frame.load(UInt8.self, at: $0) })
            }
            if frames.count > before { end = ContinuousClock.now + .milliseconds(milliseconds) }
        }
        return frames
    }
}
