import Control
import Foundation
import Logging
import Testing
import Wire

@testable import Segment

struct ProcessTests {
    @Test func faultsAndStationsOutliveTheProcess() async throws {
        let stage = try Stage(stations: 1...1)
        let directory = stage.directory
        var faults = SegmentFaults()
        faults.lossPercent = 5
        faults.cuts = [SegmentFaults.Cut(1, 3)]
        try await withProcess(directory) { client in
            for station in [7, 240] as [UInt8] { _ = try await client.send(SegmentAttach(station: station)) }
            _ = try await client.send(SegmentSetFaults(faults: faults))
        }
        try await withProcess(directory) { client in
            let status = try await client.send(SegmentStatus())
            #expect(status.faults == faults)
            #expect(status.ports.map(\.station) == [7, 240])
        }
    }

    /// A killed one left the capture without its end, and nobody was told.
    @Test func aCaptureThatEndedWithTheProcessIsToldOf() async throws {
        let stage = try Stage(stations: 1...1)
        let directory = stage.directory
        let file = directory.path + "/a.pcap"
        let state = URL(filePath: directory.segmentState)
        var atKill = Data()
        try await withProcess(directory) { client in
            _ = try await client.send(SegmentCapture(file: file))
            atKill = try Data(contentsOf: state)
            let frames = try await client.send(SegmentCapture(file: nil)).frames
            #expect(frames == 0)
            // One that was ended is not lost.
            let after = try JSONSerialization.jsonObject(with: Data(contentsOf: state)) as? [String: Any]
            #expect(after?["faults"] != nil && after?["capture"] == nil)
        }
        try atKill.write(to: state)
        try await withProcess(directory) { client in
            // A second kill changes nothing.
            _ = try await client.send(SegmentAttach(station: 7))
            atKill = try Data(contentsOf: state)
        }
        try atKill.write(to: state)
        try await withProcess(directory) { client in
            let words = "the capture into \(file) ended when the segment was started anew"
            let before = try await client.send(SegmentStatus()).captureEnding
            #expect(before?.hasPrefix(words) == true)
            let told = await #expect(throws: Failure.self) { try await client.send(SegmentCapture(file: nil)) }
            #expect(told?.kind == .unavailable && told?.message.hasPrefix(words) == true)
            let after = try await client.send(SegmentStatus()).captureEnding
            let none = try await client.send(SegmentCapture(file: nil)).frames
            #expect(after == nil && none == nil)
        }
    }

    /// The next one took its place, and nobody knew of its end.
    @Test func theNextCaptureTellsHowTheOneBeforeEnded() async throws {
        let stage = try Stage(stations: 1...1)
        let directory = stage.directory
        let files = ["/a.pcap", "/b.pcap", "/c.pcap"].map { directory.path + $0 }
        let state = URL(filePath: directory.segmentState)
        var atKill = Data()
        try await withProcess(directory) { client in
            let first = try await client.send(SegmentCapture(file: files[0])).captureEnding
            #expect(first == nil)
            atKill = try Data(contentsOf: state)
        }
        try atKill.write(to: state)
        try await withProcess(directory) { client in
            let told = try await client.send(SegmentCapture(file: files[1])).captureEnding
            #expect(told?.hasPrefix("the capture into \(files[0]) ended when the segment was started anew") == true)
            _ = try await client.send(SegmentCapture(file: nil))
            let none = try await client.send(SegmentCapture(file: files[2])).captureEnding
            #expect(none == nil)
        }
    }

    @Test func badRequestsAreRefused() async throws {
        let stage = try Stage(stations: 1...1)
        try await withProcess(stage.directory) { client in
            var faults = SegmentFaults()
            faults.lossPercent = 500
            let failure = await #expect(throws: Failure.self) {
                try await client.send(SegmentSetFaults(faults: faults))
            }
            #expect(failure?.kind == .usage)
            let status = try await client.send(SegmentStatus())
            #expect(status.faults == SegmentFaults())
        }
    }

    /// Runs the segment's process inside this one until `body` is done.
    private func withProcess(
        _ directory: RunDirectory, _ body: (ControlClient) async throws -> Void
    ) async throws {
        let process = try SegmentProcess(in: directory, logger: Logger(label: "test"))
        let client = ControlClient(path: directory.segmentSocket)
        try await withThrowingTaskGroup { group in
            group.addTask { try await process.run() }
            while (try? await client.send(SegmentStatus())) == nil { try await Task.sleep(for: .milliseconds(2)) }
            try await body(client)
            // The process may be gone before its answer is; that it ends is what is waited for.
            _ = try? await client.send(Stop())
            try await group.waitForAll()
        }
    }
}
