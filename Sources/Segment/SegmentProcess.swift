import Control
import Foundation
import Logging
import Synchronization
import Wire

/// The background process `plurix segment`: the switch, its control socket, and the file that lets it go on after a
/// kill.
public struct SegmentProcess: Sendable {
    private struct Saved: Codable {
        var stations: [UInt8]
        var faults: SegmentFaults
        /// The file of a capture, which ends with the process that writes it.
        var capture: String?
    }

    private let directory: RunDirectory
    private let logger: Logger
    private let segment: Segment
    private let saving = SaveLock()
    private let lostCapture: LostCapture

    public init(in directory: RunDirectory, logger: Logger) throws(Failure) {
        self.directory = directory
        self.logger = logger
        let saved = try Self.load(directory.segmentState)
        segment = try Segment(in: directory, faults: saved.faults)
        lostCapture = LostCapture(saved.capture)
        for station in saved.stations { try segment.attach(Station(station)) }
    }

    /// Serves until a `Stop` request arrives.
    public func run() async throws {
        let thread = Thread { segment.run() }
        thread.name = "segment"
        thread.qualityOfService = .userInteractive
        thread.start()
        defer { segment.stop() }

        let (stops, stop) = AsyncStream.makeStream(of: Void.self)
        let server = makeServer(stop)
        try await withThrowingTaskGroup { group in
            group.addTask { try await server.run() }
            group.addTask { for await _ in stops { return } }
            try await group.next()
            group.cancelAll()
        }
    }

    private func makeServer(_ stop: AsyncStream<Void>.Continuation) -> ControlServer {
        var server = ControlServer(path: directory.segmentSocket, logger: logger)
        server.on(SegmentStatus.self) { _ in
            var status = segment.status
            status.captureEnding = status.captureEnding ?? lostCapture.held.withLock { $0 }?.description
            return status
        }
        server.on(SegmentAttach.self) { request in
            try segment.attach(Station(request.station))
            try save()
            return Done()
        }
        server.on(SegmentDetach.self) { request in
            segment.detach(Station(request.station))
            try save()
            return Done()
        }
        server.on(SegmentSetFaults.self) { request in
            try segment.set(request.faults)
            try save()
            return Done()
        }
        server.on(SegmentCapture.self) { request in
            guard let file = request.file else { return SegmentCapture.Reply(frames: try endCapture()) }
            let before = try segment.startCapture(to: file)
            let lost = lostCapture.take()
            // It runs already: that it does is noted for the process after this one, if there is room for that.
            do { try save() } catch { logger.warning("the capture into \(file) is not noted: \(error)") }
            return SegmentCapture.Reply(frames: nil, captureEnding: (before ?? lost)?.description)
        }
        server.on(Stop.self) { _ in
            do { _ = try endCapture() } catch { logger.warning("\(error)") }
            stop.yield()
            return Done()
        }
        return server
    }

    /// - Throws: also what is said of a capture that ended with the process before this one.
    private func endCapture() throws -> UInt64? {
        let outcome = Result { try segment.endCapture() }
        let lost = lostCapture.take()
        // An end that cannot be noted is told once more, should the process be killed.
        do { try save() } catch { logger.warning("\(error)") }
        let frames = try outcome.get()
        if frames == nil, let lost { throw lost }
        return frames
    }

    /// One request after the other, so that the newest state is what stays.
    private func save() throws {
        try saving.held.withLock { _ in
            let status = segment.status
            // One that was lost is noted until somebody has been told.
            let capture = status.capture ?? lostCapture.held.withLock { $0 }?.place
            let saved = Saved(
                stations: status.ports.map(\.station), faults: status.faults, capture: capture)
            try RunDirectory.replace(directory.segmentState, with: JSONEncoder().encode(saved))
        }
    }

    private static func load(_ path: String) throws(Failure) -> Saved {
        guard FileManager.default.fileExists(atPath: path) else { return Saved(stations: [], faults: SegmentFaults()) }
        do { return try JSONDecoder().decode(Saved.self, from: Data(contentsOf: URL(filePath: path))) } catch {
            throw Failure(.fault, "cannot read the segment's state \(path): \(error)")
        }
    }
}

/// What is said of a capture that ended with the process before this one, until it is asked for or another begins.
private final class LostCapture: Sendable {
    let held: Mutex<Failure?>

    init(_ file: String?) {
        held = Mutex(
            file.map { file in
                Failure(
                    .unavailable,
                    "the capture into \(file) ended when the segment was started anew; what it wrote before is there",
                    at: file)
            })
    }

    func take() -> Failure? {
        held.withLock { held in
            defer { held = nil }
            return held
        }
    }
}

/// Held while the state is written.
private final class SaveLock: Sendable {
    let held = Mutex(())
}
