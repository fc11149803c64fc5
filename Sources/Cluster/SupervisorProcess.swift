import Control
import Foundation
import Logging

/// `plurix supervisor`: the supervisor, its control socket, and its watch over the segment and the arbiter.
public struct SupervisorProcess: Sendable {
    private let directory: RunDirectory
    private let logger: Logger
    private let supervisor: Supervisor

    public init(in directory: RunDirectory, logger: Logger) throws(Failure) {
        self.directory = directory
        self.logger = logger
        supervisor = try Supervisor(in: directory, logger: logger)
    }

    /// Serves until it is told to shut down.
    public func run() async throws {
        // Before anybody is answered.
        await supervisor.noticeRestore()
        if await !supervisor.nodes.isEmpty { await supervisor.note("the supervisor was started again") }
        for process in [BackgroundProcess.segment, .arbiter] where process.running(in: directory) == nil {
            try await begin(process)
        }
        _ = try await BackgroundProcess.segment.client(in: directory).send(SegmentAttach(station: 0xF0))
        try await supervisor.recover()

        let (stops, stop) = AsyncStream.makeStream(of: Void.self)
        let server = makeServer(stop)
        try await withThrowingTaskGroup { group in
            group.addTask { try await server.run() }
            group.addTask {
                await withDiscardingTaskGroup { endings in
                    for await event in supervisor.events {
                        switch event {
                        case .ended(let domain): endings.addTask { await supervisor.ended(domain: domain) }
                        }
                    }
                }
            }
            group.addTask {
                await supervisor.completeRestore()
                // Not the one whose end ends the process.
                for await _ in AsyncStream<Void>.makeStream().stream {}
            }
            group.addTask {
                while true {
                    try await Task.sleep(for: .milliseconds(100))
                    await supervisor.noticeDeaths()
                }
            }
            group.addTask { try await watch(.segment) }
            group.addTask { try await watch(.arbiter) }
            group.addTask { try await listen(to: .segment, SegmentStatus()) }
            group.addTask { try await listen(to: .arbiter, ArbiterStatus()) }
            group.addTask { for await _ in stops { return } }
            try await group.next()
            group.cancelAll()
        }
    }

    private func makeServer(_ stop: AsyncStream<Void>.Continuation) -> ControlServer {
        var server = ControlServer(path: directory.supervisorSocket, logger: logger)
        server.on(SupervisorStatus.self) { _ in await supervisor.status() }
        server.on(StartNode.self) { request in try await supervisor.start(request) }
        server.on(ChangeNode.self) { request in
            try await supervisor.change(request)
            return Done()
        }
        server.on(RestoreCluster.self) { request in try await supervisor.restore(request) }
        server.on(ShutDown.self) { _ in
            try await supervisor.shutDown()
            stop.yield()
            return Done()
        }
        return server
    }

    /// Starts a process for the first time. A cluster that has nodes is there without it too, and says what is wrong.
    private func begin(_ process: BackgroundProcess) async throws(Failure) {
        if await supervisor.isHeld(process) { return }
        await supervisor.missed(process)
        do throws(Failure) { try await start(process) } catch {
            guard await !supervisor.nodes.isEmpty, process == .arbiter else { throw error }
            await supervisor.note(error, of: process)
        }
    }

    private func start(_ process: BackgroundProcess) async throws(Failure) {
        let child = try process.start(in: directory)
        try await process.waitUntilServing(in: directory, child: child, limit: .seconds(20))
    }

    /// Takes an own child that has ended from the process table, as a parent must; others have another parent, or none.
    /// Only ever this child: libvirt waits for children of its own in this process.
    private func bury(_ process: BackgroundProcess) {
        guard let record = ProcessIdentity.load(directory.record(of: process.rawValue)) else { return }
        waitpid(record.processIdentifier, nil, WNOHANG)
    }

    /// Starts a process again whenever it has died. The one that is watched may be the child of an earlier supervisor,
    /// so it is looked at, not waited for; 50 ms is a small part of what the protocol's time-outs allow.
    private func watch(_ process: BackgroundProcess) async throws {
        var failures = 0
        while true {
            try await Task.sleep(for: .milliseconds(50))
            bury(process)
            if let one = process.running(in: directory) {
                await supervisor.saw(process, one)
                if process == .arbiter { await supervisor.reportAgain() }
                // One that was given up may only have been slow.
                if await supervisor.troubles[process] != nil, process.isServing(in: directory) {
                    await started(process, again: failures > 0)
                    failures = 0
                }
                continue
            }
            if await supervisor.isHeld(process) { continue }
            if failures == 0 { await supervisor.missed(process) }
            do {
                try await start(process)
                await started(process, again: failures > 0)
                failures = 0
            } catch {
                failures += 1
                let failure = Failure(error, while: "starting the \(process.rawValue)")
                await supervisor.note(failure, of: process)
                logger.error("the \(process.rawValue) does not start: \(error)")
                if failures == 1 {
                    await supervisor.note("the \(process.title(in: directory)) does not start: \(failure)")
                }
                try await Task.sleep(for: .seconds(min(failures, 10)))
            }
        }
    }

    /// - Parameter again: It was told that the process does not start.
    private func started(_ process: BackgroundProcess, again: Bool) async {
        if again { await supervisor.note("\(process.name(in: directory)) has started") }
        await supervisor.note(nil, of: process)
        if process == .arbiter { await supervisor.report() }
    }

    /// Asks a process now and then whether it is there: one that hangs is named.
    private func listen(to process: BackgroundProcess, _ question: some ControlRequest) async throws {
        while true {
            try await Task.sleep(for: Self.askInterval)
            guard let one = process.running(in: directory) else { continue }
            var hasAnswered = true
            let begin = ContinuousClock.now
            do throws(Failure) {
                _ = try await process.client(in: directory).send(question, limit: Self.answerLimit)
            } catch {
                // Given up early, because it or the segment is stopped: who watches names that.
                if error.kind == .timeout, ContinuousClock.now - begin < Self.answerLimit { continue }
                // Who has died is started again by who watches.
                hasAnswered = error.kind != .timeout
            }
            await supervisor.asked(process, one, hasAnswered: hasAnswered, within: Self.answerLimit)
        }
    }

    private static let askInterval = Duration.seconds(5)
    /// Longer than a healthy one ever needs, on a busy host and a slow disk.
    private static let answerLimit = Duration.seconds(30)
}
