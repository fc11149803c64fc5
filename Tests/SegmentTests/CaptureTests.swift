import Control
import Foundation
import Testing
import Wire

@testable import Segment

struct CaptureTests {
    @Test func bytesAreThoseOfPcapSavefile() throws {
        let path = "/tmp/plurix-capture-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).pcap"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let capture = try Capture(to: path)
        let bytes = frame(to: Station(2), from: Station(1), bytes: 20, mark: 0xAB)
        try capture.write(bytes.span.bytes, microseconds: 1_700_000_000_000_123)
        try capture.flush()
        let golden: [UInt8] =
            [0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x00, 0xF1, 0, 0, 1, 0, 0, 0]
            + [0x00, 0xF1, 0x53, 0x65, 123, 0, 0, 0, 20, 0, 0, 0, 20, 0, 0, 0] + bytes
        #expect(try Data(contentsOf: URL(filePath: path)) == Data(golden))
        #expect(capture.frames == 1)
    }

    @Test func aRunningSegmentCaptures() throws {
        let stage = try Stage(stations: 1...2)
        let sender = try stage.station(1)
        let receiver = try stage.station(2)
        let path = stage.directory.path + "/a.pcap"
        try stage.segment.startCapture(to: path)
        let refusal = #expect(throws: Failure.self) { try stage.segment.startCapture(to: path + ".2") }
        #expect(refusal?.kind == .unavailable && refusal?.message.contains(path) == true)
        #expect(stage.segment.status.capture == path)
        for mark in 0..<3 { sender.send(frame(to: Station(2), from: Station(1), bytes: 100, mark: UInt8(mark))) }
        #expect(receiver.collect(3).count == 3)
        #expect(try stage.segment.endCapture() == 3)
        #expect(try Data(contentsOf: URL(filePath: path)).count == 24 + 3 * 116)
        #expect(try stage.segment.endCapture() == nil)
    }

    /// The segment would wait for who reads it, and everybody for the segment.
    @Test func aPipeIsRefused() throws {
        let path = "/tmp/plurix-capture-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).fifo"
        defer { unlink(path) }
        try #require(mkfifo(path, 0o600) == 0)
        #expect(throws: Failure.self) { try Capture(to: path) }
        // With a reader too.
        let reader = open(path, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        let refusal = #expect(throws: Failure.self) { try Capture(to: path) }
        #expect(refusal?.kind == .input && refusal?.message.contains("no regular file") == true)
    }

    @Test func anUnwritableFileIsNamed() throws {
        let stage = try Stage(stations: 1...1)
        let failure = #expect(throws: Failure.self) { try stage.segment.startCapture(to: "/nowhere/a.pcap") }
        #expect(failure?.kind == .input)
        #expect(failure?.message.contains("/nowhere/a.pcap") == true)
    }
}
