import Control
import Foundation
import Testing
import Wire

@testable import Segment

struct SegmentTests {
    private let one = Station(1)
    private let two = Station(2)
    private let three = Station(3)

    @Test func unicastReachesOnlyItsTarget() throws {
        let stage = try Stage(stations: 1...3)
        let stations = try (1...3).map { try stage.station($0) }
        let sent = frame(to: two, from: one, bytes: Limits.maximumFrameBytes, mark: 7)
        stations[0].send(sent)
        #expect(stations[1].collect(1) == [sent])
        #expect(stations[2].collect(1, quiet: 50).isEmpty)
        #expect(stations[0].collect(1, quiet: 50).isEmpty)
    }

    @Test func broadcastReachesAllOthers() throws {
        let stage = try Stage(stations: 1...3)
        let stations = try (1...3).map { try stage.station($0) }
        let sent = frame(to: .everyone, from: one)
        stations[0].send(sent)
        #expect(stations[1].collect(1) == [sent])
        #expect(stations[2].collect(1) == [sent])
        #expect(stations[0].collect(1, quiet: 50).isEmpty)
    }

    @Test func impossibleFramesAreCountedAndDropped() throws {
        let stage = try Stage(stations: 1...2)
        let sender = try stage.station(1)
        let receiver = try stage.station(2)
        for bytes in [0, 1, 13, Limits.maximumFrameBytes + 1, Limits.trainFrameBytes + 1] {
            sender.send(frame(to: two, from: one, bytes: bytes))
        }
        sender.send(frame(to: Station(9), from: one))
        sender.send([2, 0, 0, 0, 0, 2] + Array(repeating: 0, count: 54))
        let shortest = frame(to: two, from: one, bytes: 14)
        sender.send(shortest)
        #expect(receiver.collect(1) == [shortest])
        try stage.wait { $0.ports[0].malformed == 7 }
        #expect(stage.segment.status.ports[0].framesIn == 4)
    }

    /// Only the arbiter takes more than a jumbo frame.
    @Test func aTrainReachesTheArbiterAlone() throws {
        let stage = try Stage(stations: 1...2)
        try stage.segment.attach(.arbiter)
        let (node, other) = (try stage.station(1), try stage.station(2))
        let arbiter = try stage.station(Station.arbiter.number)
        let train = frame(to: .arbiter, from: one, bytes: Limits.trainFrameBytes, mark: 3)
        sendSurely(train, by: node)
        #expect(arbiter.collect(1) == [train])
        sendSurely(frame(to: two, from: one, bytes: Limits.maximumFrameBytes + 1), by: node)
        sendSurely(frame(to: .everyone, from: one, bytes: Limits.trainFrameBytes), by: node)
        sendSurely(frame(to: .arbiter, from: one, bytes: Limits.trainFrameBytes + 1), by: node)
        try stage.wait { $0.ports[0].malformed == 3 }
        #expect(other.collect(1, quiet: 50).isEmpty && arbiter.collect(1, quiet: 50).isEmpty)
    }

    /// A segment that gets no processor for a while leaves the sender's socket full: a loss that is not the segment's.
    @Test func aSlowStationLosesNothingWithinTheLimitAndOrderIsKept() throws {
        let stage = try Stage(stations: 1...2)
        let sender = try stage.station(1)
        let receiver = try stage.station(2)
        for mark in 0..<200 { sendSurely(frame(to: two, from: one, bytes: 1000, mark: UInt8(mark)), by: sender) }
        try stage.wait { $0.ports[0].framesIn == 200 }
        #expect(receiver.collect(200).map { $0[999] } == (0..<200).map { UInt8($0) })
    }

    // A busy host's arbiter was behind by more commits than that, and lost some.
    @Test func ofSmallFramesMoreAreKept() throws {
        let stage = try Stage(stations: 1...2)
        let sender = try stage.station(1)
        let receiver = try stage.station(2)
        for mark in 0..<2000 { sendSurely(frame(to: two, from: one, bytes: 150, mark: UInt8(mark % 251)), by: sender) }
        try stage.wait { $0.ports[0].framesIn == 2000 }
        #expect(receiver.collect(2000).map { $0[149] } == (0..<2000).map { UInt8($0 % 251) })
        #expect(stage.segment.status.ports[1].overflowed == 0)
    }

    @Test func aStationThatNeverReadsCostsItsFramesOnly() throws {
        let stage = try Stage(stations: 1...3)
        let sender = try stage.station(1)
        let deaf = try stage.station(2)
        let other = try stage.station(3)
        for _ in 0..<1000 { sender.send(frame(to: two, from: one, bytes: 4000)) }
        sendSurely(frame(to: three, from: one, mark: 5), by: sender)
        #expect(other.collect(1).count == 1)
        #expect(stage.segment.status.ports[1].overflowed > 0)
        #expect(deaf.framesDropped == 0)
    }

    // A cluster whose nodes were all started anew stood still: nobody sent to them, so nobody heard them.
    @Test func aStationThatIsStartedAnewIsHeardThoughNobodySendsToIt() throws {
        let stage = try Stage(stations: 1...2)
        let receiver = try stage.station(2)
        do {
            let former = try stage.station(1)
            former.send(frame(to: two, from: one, mark: 1))
            #expect(receiver.collect(1).count == 1)
        }
        try stage.segment.attach(one)
        let later = try stage.station(1)
        later.send(frame(to: two, from: one, mark: 2))
        #expect(receiver.collect(1).map(\.last) == [2])
        #expect(later.framesDropped == 0)
    }

    @Test func aMissingStationIsSkippedAndFoundAgain() throws {
        let stage = try Stage(stations: 1...2)
        let sender = try stage.station(1)
        sender.send(frame(to: two, from: one))
        try stage.wait { $0.ports[1].unreachable == 1 }
        for mark in 1...2 as ClosedRange<UInt8> {
            let receiver = try stage.station(2)
            sender.send(frame(to: two, from: one, mark: mark))
            #expect(receiver.collect(1).map(\.last) == [mark])
        }
    }

    @Test func aRestartedSwitchGoesOn() throws {
        let stage = try Stage(stations: 1...2)
        let sender = try stage.station(1)
        let receiver = try stage.station(2)
        sender.send(frame(to: two, from: one, mark: 1))
        #expect(receiver.collect(1).count == 1)
        try stage.restart(stations: 1...2)
        sender.send(frame(to: two, from: one, mark: 2))
        #expect(receiver.collect(1).map(\.last) == [2])
    }

    @Test func cutAndHeal() throws {
        let stage = try Stage(stations: 1...2)
        let sender = try stage.station(1)
        let receiver = try stage.station(2)
        var faults = SegmentFaults()
        faults.cuts = [SegmentFaults.Cut(1, 2)]
        try stage.segment.set(faults)
        sender.send(frame(to: two, from: one))
        #expect(receiver.collect(1, quiet: 50).isEmpty)
        try stage.wait { $0.ports[1].lost == 1 }
        try stage.segment.set(SegmentFaults())
        sender.send(frame(to: two, from: one))
        #expect(receiver.collect(1).count == 1)
    }

    @Test func delayedFramesArriveAllAndLater() throws {
        var faults = SegmentFaults()
        faults.delayMicroseconds = 20_000
        faults.jitterMicroseconds = 5000
        faults.duplicationPercent = 100
        let stage = try Stage(stations: 1...2, faults: faults)
        let sender = try stage.station(1)
        let receiver = try stage.station(2)
        let clock = ContinuousClock()
        let start = clock.now
        for mark in 0..<50 { sendSurely(frame(to: two, from: one, mark: UInt8(mark)), by: sender) }
        let frames = receiver.collect(100)
        #expect(clock.now - start >= .milliseconds(20))
        #expect(frames.count == 100)
        #expect(Set(frames.map(\.last)).count == 50)
    }

    @Test func stationsComeAndGo() throws {
        let stage = try Stage(stations: 1...2)
        try stage.segment.attach(.arbiter)
        try stage.segment.attach(.arbiter)
        #expect(stage.segment.stations == [one, two, .arbiter])
        stage.segment.detach(two)
        #expect(stage.segment.stations == [one, .arbiter])
        #expect(!FileManager.default.fileExists(atPath: stage.directory.switchSocket(2)))
        #expect(throws: Failure.self) { try stage.segment.attach(.everyone) }
    }
}
