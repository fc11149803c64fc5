import Control
import Foundation
import Glibc
import Testing
import Wire

@testable import Segment

/// Frames through memory that a station shares with the switch.
struct FrameRingTests {
    private let one = Station(1)

    /// Both ends of a ring and its bell.
    private final class Ends {
        let reader: FrameRingReader
        let writer: FrameRingWriter
        private let bell: WakeUp

        init() throws {
            reader = try FrameRingReader()
            bell = try WakeUp()
            let passed = PassedFiles(first: dup(reader.ring.descriptor), second: dup(bell.descriptor))
            writer = try #require(FrameRingWriter(passed))
        }

        func put(_ frame: [UInt8]) -> Bool { writer.put(frame.span.bytes) }

        /// Frames that are there; nil when the ring is not to be believed.
        func take(_ most: Int = .max) -> [[UInt8]]? {
            var frames: [[UInt8]] = []
            return reader.take(most: most) { frames.append($0.copied) } == nil ? nil : frames
        }

        func hasRung() -> Bool {
            defer { bell.clear() }
            var waiting = pollfd(fd: bell.descriptor, events: Int16(POLLIN), revents: 0)
            return poll(&waiting, 1, 0) == 1
        }
    }

    private func bytes(_ count: Int, _ mark: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ mark) }
    }

    /// Of all lengths, many times around.
    @Test func framesComeOutAsTheyWentIn() throws {
        let ends = try Ends()
        var sent: [[UInt8]] = []
        var total = 0
        for round in 0..<2000 {
            let frame = bytes(round % 9 == 0 ? Limits.trainFrameBytes - round % 8 : 14 + round % 5000, round)
            #expect(ends.put(frame))
            sent.append(frame)
            total += frame.count
            if round % 13 == 12 {
                #expect(ends.take() == sent)
                sent = []
            }
        }
        #expect(ends.take() == sent)
        #expect(total > 3 * FrameRing.capacity)
    }

    /// What was received into the ring is not copied, and what was received there and goes elsewhere leaves no trace.
    @Test func roomIsWhereTheFrameWillBe() throws {
        let ends = try Ends()
        for mark in 0..<500 {
            let frame = bytes(30_000, mark)
            let other = try #require(ends.writer.room())
            // Safe: room is longer than the frame.
            other.copyBytes(from: bytes(60, mark))
            let room = try #require(ends.writer.room())
            #expect(room.baseAddress == other.baseAddress)
            room.copyBytes(from: frame)
            let isPut = ends.writer.put(UnsafeRawBufferPointer(rebasing: room[..<frame.count]).bytes)
            #expect(isPut)
            #expect(ends.take() == [frame])
        }
    }

    @Test func aFullRingTakesNothingUntilSomeIsRead() throws {
        let ends = try Ends()
        let frame = bytes(Limits.trainFrameBytes, 1)
        var count = 0
        while ends.put(frame) { count += 1 }
        #expect((60...70).contains(count))
        #expect(!ends.put([1]))
        #expect(ends.take(3)?.count == 3)
        #expect(ends.put(frame))
        #expect(ends.take() == Array(repeating: frame, count: count - 2))
    }

    @Test func theBellRingsOnceForWhoSleeps() throws {
        let ends = try Ends()
        #expect(ends.put([1]))
        ends.writer.ringBell()
        #expect(!ends.hasRung())
        #expect(!ends.reader.fallAsleep())
        #expect(ends.take() == [[1]])
        #expect(ends.reader.fallAsleep())
        #expect(ends.put([2]) && ends.put([3]))
        #expect(!ends.hasRung())
        ends.writer.ringBell()
        ends.writer.ringBell()
        #expect(ends.hasRung() && !ends.hasRung())
        ends.reader.wakeUp()
        #expect(ends.take() == [[2], [3]])
    }

    /// Nothing that the other process writes makes the reader leave the ring.
    @Test func whatCannotBeRightIsNotBelieved() throws {
        let wrong: [(head: UInt64, length: UInt64)] = [
            (8, .max - 1), (80, 80), (16, 14), (UInt64(FrameRing.capacity) + 8, 14), (12, 4), (8, FrameRing.skip),
            (.max, 14),
        ]
        for (head, length) in wrong {
            let ends = try Ends()
            ends.reader.ring.setLength(length, at: 0)
            ends.reader.ring.head = head
            #expect(ends.take() == nil, "\(length) bytes of \(head)")
        }
    }

    /// Counters that go back, or ahead, or to where nothing begins.
    @Test func countersThatCannotBeRightAreNotBelieved() throws {
        let ends = try Ends()
        #expect(ends.put([1]) && ends.put([2]))
        #expect(ends.take() == [[1], [2]])
        ends.reader.ring.head = 8
        #expect(ends.take() == nil)

        let others = try Ends()
        #expect(others.put([1]) && !others.writer.isBroken)
        others.reader.ring.tail = 1 << 40
        #expect(!others.put([2]) && others.writer.isBroken)

        let more = try Ends()
        #expect(more.put([1]) && more.take() == [[1]] && more.put([2]))
        more.reader.ring.tail = 0
        #expect(!more.put([3]) && more.writer.isBroken)

        let last = try FrameRing()
        last.head = UInt64(FrameRing.capacity) - 4
        let bell = try WakeUp()
        #expect(FrameRingWriter(PassedFiles(first: dup(last.descriptor), second: dup(bell.descriptor))) == nil)
    }

    /// Memory that could shrink under the switch, of another size, and no memory at all.
    @Test func onlyARingIsTaken() throws {
        let bell = try WakeUp()
        let path = "/tmp/plurix-ring-test-\(getpid())"
        defer { unlink(path) }
        #expect(FileManager.default.createFile(atPath: path, contents: Data(count: FrameRing.byteCount)))
        for file in [open(path, O_RDWR), dup(bell.descriptor), try SharedMemory(byteCount: 4096).duplicate] {
            #expect(file >= 0)
            #expect(FrameRingWriter(PassedFiles(first: file, second: dup(bell.descriptor))) == nil)
            #expect(fcntl(file, F_GETFD) < 0)
        }
        let ring = try FrameRing()
        let alone = dup(ring.descriptor)
        #expect(FrameRingWriter(PassedFiles(first: alone, second: -1)) == nil)
        #expect(fcntl(alone, F_GETFD) < 0)
    }
}

extension SharedMemory {
    fileprivate var duplicate: Int32 { dup(descriptor) }
}

/// Stations that share memory, on a running segment.
struct SharingTests {
    private let one = Station(1)

    private func stage() throws -> Stage {
        let stage = try Stage(stations: 1...2)
        try stage.segment.attach(.arbiter)
        return stage
    }

    private func arbiter(_ stage: Stage) throws -> HostStation {
        try HostStation(.arbiter, in: stage.directory, isSharing: true)
    }

    /// Sends and receives in turns, as the sender's socket holds a few trains only.
    private func exchange(_ count: Int, from node: HostStation, to station: HostStation, bytes: Int) {
        for mark in 0..<count {
            let sent = frame(to: .arbiter, from: node.station, bytes: bytes, mark: UInt8(truncatingIfNeeded: mark))
            sendSurely(sent, by: node)
            #expect(station.collect(1, quiet: 2000) == [sent])
        }
    }

    /// A switch that has missed the first offer gets the next one a little later.
    private func exchangeUntilShared(_ node: HostStation, _ arbiter: HostStation) {
        for _ in 0..<10_000 where !arbiter.hasRing {
            exchange(1, from: node, to: arbiter, bytes: 60)
            usleep(1000)
        }
        #expect(arbiter.hasRing)
    }

    /// A frame is never received into the ring that has just been given up for the next one.
    @Test func offersBetweenFramesCostNone() throws {
        let stage = try Stage(stations: 9...9)
        let port = try Port(station: .arbiter, in: stage.directory)
        let socket = try DatagramSocket(at: stage.directory.stationSocket(Station.arbiter.number))
        let path = stage.directory.switchSocket(Station.arbiter.number)
        let spare = FrameBuffer()
        let bell = try WakeUp()
        var (rings, seen): ([FrameRing], [UInt8]) = ([], [])
        for mark in 0..<4 {
            let ring = try FrameRing()
            rings.append(ring)
            _ = socket.pass(PassedFiles(first: ring.descriptor, second: bell.descriptor), to: path)
            _ = socket.send(frame(to: one, from: .arbiter, mark: UInt8(mark)).span.bytes, to: path)
        }
        while true {
            let memory = port.ring?.room() ?? spare.memory
            guard let received = port.receive(into: memory) else { break }
            if case .frame(let count) = received { seen.append(memory[count - 1]) }
        }
        #expect(seen == [0, 1, 2, 3])
    }

    @Test func aStationThatSharesGetsEverything() throws {
        let stage = try stage()
        let (node, arbiter) = (try stage.station(1), try arbiter(stage))
        exchange(200, from: node, to: arbiter, bytes: Limits.trainFrameBytes)
        exchange(200, from: node, to: arbiter, bytes: 60)
        exchangeUntilShared(node, arbiter)
        let back = frame(to: one, from: .arbiter)
        arbiter.send(back)
        #expect(node.collect(1) == [back])
        #expect(stage.segment.status.ports.allSatisfy { $0.overflowed == 0 && $0.unreachable == 0 })
    }

    @Test func aSwitchThatIsStartedAnewTakesTheNextRing() throws {
        let stage = try stage()
        let (node, arbiter) = (try stage.station(1), try arbiter(stage))
        exchange(3, from: node, to: arbiter, bytes: 1000)
        for _ in 0..<3 {
            try stage.restart(stations: 1...2)
            try stage.segment.attach(.arbiter)
            exchange(20, from: node, to: arbiter, bytes: 1000)
            exchangeUntilShared(node, arbiter)
        }
    }

    @Test func aStationThatIsStartedAnewIsHeardAtOnce() throws {
        let stage = try stage()
        let node = try stage.station(1)
        for _ in 0..<3 {
            let arbiter = try arbiter(stage)
            // As every arbiter does when it begins.
            try stage.segment.attach(.arbiter)
            exchange(20, from: node, to: arbiter, bytes: 1000)
            exchangeUntilShared(node, arbiter)
        }
        // Whoever comes next shares nothing.
        try stage.segment.attach(.arbiter)
        exchange(5, from: node, to: try stage.station(Station.arbiter.number), bytes: 1000)
    }

    /// It loses frames, as on any Ethernet, and goes on with those that come when it reads again.
    @Test func aStationThatDoesNotReadLosesFrames() throws {
        let stage = try stage()
        let (node, arbiter) = (try stage.station(1), try arbiter(stage))
        exchange(1, from: node, to: arbiter, bytes: 1000)
        let sent = 120
        for _ in 0..<sent { sendSurely(frame(to: .arbiter, from: one, bytes: Limits.trainFrameBytes), by: node) }
        try stage.wait { $0.ports[0].framesIn == UInt64(sent) + 1 }
        let lost = Int(stage.segment.status.ports.first { $0.station == Station.arbiter.number }?.overflowed ?? 0)
        #expect((40...70).contains(lost))
        #expect(arbiter.collect(sent).count == sent - lost)
        exchange(5, from: node, to: arbiter, bytes: 1000)
    }
}
