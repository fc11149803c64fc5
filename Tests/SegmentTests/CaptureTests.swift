import Control
import Foundation
import SmallDisk
import Testing
import Wire

@testable import Segment

struct CaptureTests {
    @Test func bytesAreThoseOfPcapSavefile() throws {
        let path = "/tmp/plurix-capture-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).pcap"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let capture = try Capture(to: path)
        let bytes = frame(to: Station(2), from: Station(1), bytes: 20, mark: 0xAB)
        capture.write(bytes.span.bytes, microseconds: 1_700_000_000_000_123)
        capture.flush()
        let golden: [UInt8] =
            [0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x00, 0xF1, 0, 0, 1, 0, 0, 0]
            + [0x00, 0xF1, 0x53, 0x65, 123, 0, 0, 0, 20, 0, 0, 0, 20, 0, 0, 0] + bytes
        #expect(try Data(contentsOf: URL(filePath: path)) == Data(golden))
        #expect(capture.frames == 1 && capture.problem == nil)
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

    /// It was called no regular file.
    @Test func aFileThatCannotBeEmptiedIsCalledThat() throws {
        // A file in memory that may be sealed, and is, against shrinking: Linux's, which Foundation does not have.
        typealias Create = @convention(c) (UnsafePointer<CChar>, UInt32) -> Int32
        let (mayBeSealed, addSeals, sealShrink) = (UInt32(2), Int32(1033), Int32(2))
        let create = unsafeBitCast(dlsym(nil, "memfd_create"), to: Create.self)
        let file = create("capture", mayBeSealed)
        defer { close(file) }
        let isSealed = write(file, "old", 3) == 3 && fcntl(file, addSeals, sealShrink) == 0
        try #require(isSealed)
        let refusal = #expect(throws: Failure.self) { try Capture(to: "/proc/self/fd/\(file)") }
        #expect(refusal?.message == "cannot empty /proc/self/fd/\(file): Operation not permitted")
        #expect(refusal?.kind == .input)
    }

    /// It ended silently, and its file with half a frame.
    @Test(.enabled(if: SmallDisk.isPossible, "mounts a file system, which needs root"))
    func aFullDiskEndsTheCaptureAndWhoAsksIsTold() throws {
        try SmallDisk.with(bytes: 256 << 10) { disk in
            let stage = try Stage(stations: 1...2)
            let sender = try stage.station(1)
            let receiver = try stage.station(2)
            let path = disk.path + "/a.pcap"
            try stage.segment.startCapture(to: path)
            for _ in 0..<10 {
                for _ in 0..<10 { sender.send(frame(to: Station(2), from: Station(1), bytes: 4000)) }
                #expect(receiver.collect(10).count == 10)
            }
            try stage.wait { $0.captureEnding != nil }
            // 24 bytes of the file's head, and 16 of each frame's.
            let held = ((256 << 10) - 24) / 4016
            #expect(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int == 24 + held * 4016)
            let status = stage.segment.status
            let words = "the capture into \(path) ended by itself after \(held) frames"
            #expect(status.capture == nil && status.captureEnding?.hasPrefix(words) == true)
            let told = #expect(throws: Failure.self) { try stage.segment.endCapture() }
            #expect(told?.kind == .unavailable && told?.message == "\(words): cannot write \(path): \(Self.noSpace)")
            #expect(try stage.segment.endCapture() == nil && stage.segment.status.captureEnding == nil)
            // What is only written at the end is told of too: one frame finds room beside the file's head.
            unlink(path)
            try stage.segment.startCapture(to: path)
            disk.fill()
            for _ in 0..<2 { sender.send(frame(to: Station(2), from: Station(1), bytes: 4000)) }
            try stage.wait { $0.ports[0].framesIn == 102 }
            let last = #expect(throws: Failure.self) { try stage.segment.endCapture() }
            #expect(last?.message.contains("ended by itself after 1 frame: ") == true)
            let refusal = #expect(throws: Failure.self) { try stage.segment.startCapture(to: path + ".2") }
            #expect(refusal?.kind == .unavailable && refusal?.message == "cannot write \(path).2: \(Self.noSpace)")
        }
    }

    /// Nobody had asked for its end.
    @Test(.enabled(if: SmallDisk.isPossible, "mounts a file system, which needs root"))
    func theNextCaptureTellsThatTheDiskWasFull() throws {
        try SmallDisk.with(bytes: 256 << 10) { disk in
            let stage = try Stage(stations: 1...2)
            let sender = try stage.station(1)
            let path = disk.path + "/a.pcap"
            #expect(try stage.segment.startCapture(to: path) == nil)
            disk.fill()
            for _ in 0..<20 { sender.send(frame(to: Station(2), from: Station(1), bytes: 4000)) }
            try stage.wait { $0.captureEnding != nil }
            let told = try stage.segment.startCapture(to: stage.directory.path + "/b.pcap")
            #expect(told?.message.hasPrefix("the capture into \(path) ended by itself") == true)
            #expect(stage.segment.status.captureEnding == nil)
        }
    }

    private static let noSpace = String(cString: strerror(ENOSPC))
}
