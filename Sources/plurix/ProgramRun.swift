import Cluster
import Control
import Foundation
import Kernel
import Programs

/// What `plurix run --json` prints.
struct ProgramReport: Encodable {
    struct Node: Encodable {
        var name: String
        var commits: UInt64
        var aborts: UInt64
        var pagesFetched: UInt64
    }

    var program: String
    /// How many took part.
    var nodes: Int
    var elapsedMilliseconds: Double
    var commits: UInt64
    var aborts: UInt64
    var pagesFetched: UInt64
    var perNode: [Node]
    var result: JSONValue
    /// What the program printed, in the order in which it was saved.
    var output: [Line] = []
    /// Nodes of the cluster that took no part although nobody said so.
    var absent: [Absent] = []
    /// When a participant died and the others came to the result without it; told apart.
    var failure: Failure?

    /// A line that a node printed.
    struct Line: Encodable {
        var node: String
        var text: String
    }

    /// A node that had not joined, or was not there, when the program began.
    struct Absent: Encodable {
        var name: String
        var state: NodeState
    }

    private enum CodingKeys: String, CodingKey {
        case program, nodes, elapsedMilliseconds, commits, aborts, pagesFetched, perNode, result, output, absent
    }
}

/// Starts a program, follows it, and brings its result when it can no longer be undone.
struct ProgramRun {
    private let cluster: ClusterHandle
    private let request: ProgramRequest
    private let trace: RunTrace
    private let limit: Duration?
    /// When the program is stopped.
    private let end: ContinuousClock.Instant?

    /// How long an input may take to be read.
    private static let reading: Duration = .seconds(30)

    /// How long a program that ran too long may take to stop.
    private static let stopping: Duration = .seconds(5)

    /// - Parameters:
    ///   - limit: the program is stopped when it takes longer, counted from `start`.
    ///   - trace: is told how far the program is.
    init(
        _ cluster: ClusterHandle, _ request: ProgramRequest, limit: Duration?, since start: ContinuousClock.Instant,
        _ trace: RunTrace
    ) {
        self.cluster = cluster
        self.request = request
        self.limit = limit
        end = limit.map { start + $0 }
        self.trace = trace
    }

    /// - Parameters:
    ///   - commitTime: the cluster's, as it was seen last.
    ///   - output: gets each line that the program printed, once it can no longer be undone.
    /// - Throws: `.timeout` after the limit, which names the nodes that have not finished.
    func result(
        on nodes: [Int], since commitTime: UInt64, output: (ProgramReport.Line) -> Void
    ) async throws -> ProgramReport {
        try checkSize()
        let arbiter = try await cluster.arbiter()
        var absence = Absence(of: arbiter.path, store: cluster.description.storage.directory, now: .now)
        var job: Int?
        var printed = 0
        var pause = Duration.milliseconds(2)
        var parts = nodes.map { ArbiterJob.Part(node: $0, state: .starting, commits: 0, aborts: 0, pagesFetched: 0) }
        var progress = RunProgress(request.program, from: commitTime)
        while true {
            if !absence.hasBegun { try await begin(&job, on: nodes, arbiter, &absence) }
            if absence.hasBegun, let job,
                let reply = try await ask(ArbiterJob(job: job), of: arbiter, ClusterHandle.glance, &absence)
            {
                // The arbiter that was to begin it was killed: the new one does.
                absence.hasBegun = !reply.parts.isEmpty
                guard absence.hasBegun else { continue }
                parts = reply.parts
                trace.note(parts)
                for piece in reply.output.dropFirst(printed) {
                    for line in piece.text.split(separator: "\n") {
                        output(ProgramReport.Line(node: "n\(piece.node)", text: String(line)))
                    }
                }
                printed = max(printed, reply.output.count)
                if let report = try report(reply) { return report }
            }
            if let end, ContinuousClock.now >= end { throw await giveUp(trace.state.job, arbiter, parts) }
            if progress.isDue {
                // A cluster that does not answer is told by the next question for the job.
                progress.say(parts, try? await cluster.status())
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(50))
        }
    }

    /// No longer than the program may take.
    private func within(_ patience: Duration) -> Duration {
        guard let end else { return patience }
        return min(patience, max(end - .now, .milliseconds(100)))
    }

    /// Has the arbiter begin the program. It has a number before it is begun: so it begins once, however often that is
    /// asked for because an arbiter was killed meanwhile.
    private func begin(
        _ job: inout Int?, on nodes: [Int], _ arbiter: ControlClient, _ absence: inout Absence
    ) async throws(Failure) {
        if job == nil { job = try await ask(ArbiterReserve(), of: arbiter, ClusterHandle.patience, &absence)?.job }
        guard let job else { return }
        let patience = within(request.input == nil ? ClusterHandle.patience : Self.reading)
        let start = ArbiterStart(
            program: request.program, arguments: request.arguments, nodes: nodes, input: request.input, job: job,
            validUntil: UInt64((Date().timeIntervalSince1970 + patience / .seconds(1)) * 1e6))
        guard try await ask(start, of: arbiter, patience, &absence) != nil else { return }
        absence.hasBegun = true
        trace.note(job: job)
    }

    /// Nil while a killed arbiter is being started again, or one does not answer.
    private func ask<Request: ControlRequest>(
        _ request: Request, of arbiter: ControlClient, _ patience: Duration, _ absence: inout Absence
    ) async throws(Failure) -> Request.Reply? {
        do throws(Failure) {
            let reply = try await arbiter.send(request, limit: within(patience))
            absence.ends(now: .now)
            return reply
        } catch {
            guard absence.isForgiven(error, now: .now) else { throw absence.isHeard(error) ? error : left(error) }
        }
        // Its supervisor may have been killed too, and the next one.
        do throws(Failure) { try await cluster.ensureSupervisor() } catch {
            guard cluster.directory.takenDown == nil else { throw error }
            guard absence.isForgiven(error, now: .now) else { throw left(error) }
        }
        return nil
    }

    /// A program that has begun goes on without this command.
    private func left(_ failure: Failure) -> Failure {
        trace.state.job == nil ? failure : RunEnd.left(request.program, failure, cluster.directory.hint)
    }

    /// Stops a program that has taken too long.
    private func giveUp(_ job: Int?, _ arbiter: ControlClient, _ parts: [ArbiterJob.Part]) async -> Failure {
        let seconds = (limit ?? .zero).components.seconds
        guard let job else {
            return Failure(
                .timeout, "\(request.program) was not begun within \(seconds) s",
                advice: "see \(cluster.directory.hint("status"))", at: request.program)
        }
        // Stopped first: a supervisor that hangs must not keep the program running.
        let isStopped = await isStopped(job, arbiter)
        let status = try? await cluster.status()
        let participants = RunProgress.participants(parts, status)
        let late = participants.filter { $0.part != .finished }
        let words = status?.trouble
            ?? RunProgress.words(late.isEmpty ? participants : late) + RunProgress.damage(status)
        return Failure(
            .timeout,
            "\(request.program) did not finish within \(seconds) s: \(words)"
                + (isStopped ? "; it was stopped" : "; it does not stop"),
            advice: isStopped && status?.damage == nil
                ? "give it a larger --timeout, or see \(cluster.directory.hint("status"))"
                : status?.trouble == nil && status?.damage == nil
                    ? RunProgress.wayOut(participants, cluster.directory.hint)
                    : "see \(cluster.directory.hint("status"))",
            at: late.map(\.name).joined(separator: ", "))
    }

    /// Cancels the job and waits until it has ended.
    private func isStopped(_ job: Int, _ arbiter: ControlClient) async -> Bool {
        let end = ContinuousClock.now + Self.stopping
        do {
            _ = try await arbiter.sendPatiently(ArbiterCancel(job: job), limit: ClusterHandle.glance)
            while ContinuousClock.now < end {
                switch try await arbiter.sendPatiently(ArbiterJob(job: job), limit: ClusterHandle.glance).state {
                case .finished, .failed: return true
                case .starting, .running, .saving: try await Task.sleep(for: .milliseconds(10))
                }
            }
        } catch {
            Terminal.progress("\(request.program) could not be stopped: \(error)")
        }
        return false
    }

    private func checkSize() throws {
        guard let input = request.input else { return }
        let size = try FileManager.default.attributesOfItem(atPath: input)[.size] as? UInt64 ?? 0
        let limit = Command.maximumInputByteCount(pageCount: cluster.description.sharedPages)
        guard size <= UInt64(limit) else {
            throw Failure(
                .input,
                "\(input) has \(size) bytes, and a shared memory of \(cluster.description.sharedMebibytes) MiB takes"
                    + " \(limit)",
                advice: "start the cluster anew with a larger --shared: \(cluster.directory.hint("down")), then"
                    + " \(cluster.directory.hint("up --shared MIB"))",
                at: input)
        }
    }

    private func report(_ reply: ArbiterJob.Reply) throws -> ProgramReport? {
        switch reply.state {
        case .starting, .running, .saving:
            return nil
        case .failed:
            guard let result = reply.result else { throw failure(reply) }
            var report = summary(reply, result)
            report.failure = failure(reply)
            return report
        case .finished:
            guard let result = reply.result else { throw Failure(.fault, "\(request.program) ended without a result") }
            let report = summary(reply, result)
            try HostCheck.verify(report)
            return report
        }
    }

    private func summary(_ reply: ArbiterJob.Reply, _ result: JSONValue) -> ProgramReport {
        ProgramReport(
            program: request.program, nodes: reply.parts.count,
            elapsedMilliseconds: Double(reply.elapsedMicroseconds) / 1000,
            commits: reply.parts.reduce(0) { $0 + $1.commits }, aborts: reply.parts.reduce(0) { $0 + $1.aborts },
            pagesFetched: reply.parts.reduce(0) { $0 + $1.pagesFetched },
            perNode: reply.parts.map {
                ProgramReport.Node(
                    name: "n\($0.node)", commits: $0.commits, aborts: $0.aborts, pagesFetched: $0.pagesFetched)
            },
            result: result)
    }
}

extension ProgramRun {
    /// Lines of a trap's story that lead to no step.
    private static let storyLines = 6

    /// Why the program failed; where it trapped, with function and line.
    private func failure(_ reply: ArbiterJob.Reply) -> Failure {
        var failure = reply.failure ?? Failure(.fault, "\(request.program) failed for an unknown reason")
        for part in reply.parts where part.failure != nil {
            let trap = Epitaph.lastTrap(inFile: cluster.directory.serialLog(part.node))
            // An older trap of another run names another place.
            guard let trap, let place = trap.instruction, failure.message.contains(String(place, radix: 16)) else {
                continue
            }
            let story = trap.story(Symbolizer(image: cluster.description.image))
            // Who calls a step is always the same; all of it is in the autopsy.
            let last = story.firstIndex { $0.contains(/called by \w+\.(prepare|step|finish)\(/) } ?? Self.storyLines
            for line in story.prefix(last + 1) { failure.message += "\n  \(line)" }
            break
        }
        return failure
    }
}

/// What the host computes again to compare.
enum HostCheck {
    /// - Throws: `.fault` when the program's result is not what the host gets.
    static func verify(_ report: ProgramReport) throws(Failure) {
        guard report.program == Matmul.name.text, let size = report.result["size"]?.unsigned else { return }
        let expected = checksum(size: size)
        guard report.result["checksum"]?.unsigned == expected else {
            throw Failure(.fault, "matmul's checksum differs from the host's, \(expected): memory was inconsistent")
        }
    }

    /// The checksum that `Matmul` documents. The sum over j of B(k, j) times the position's weight is formed once for
    /// each k and i, so this takes the same number of steps and none of the program's code.
    static func checksum(size: UInt64) -> UInt64 {
        let b = (0..<size).map { row in (0..<size).map { Matmul.b(row, $0, size: size) } }
        var sum: UInt64 = 0
        for row in 0..<size {
            for middle in 0..<size {
                var weighted: UInt64 = 0
                for column in 0..<size { weighted &+= b[Int(middle)][Int(column)] &* (row * size + column + 1) }
                sum &+= Matmul.a(row, middle, size: size) &* weighted
            }
        }
        return sum
    }
}

extension JSONValue {
    /// A whole number that is not negative.
    var unsigned: UInt64? {
        switch self {
        case .integer(let number): UInt64(exactly: number)
        case .unsigned(let number): number
        case .null, .boolean, .number, .string, .array, .object: nil
        }
    }
}
