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
    /// Present when a participant died and the others came to the result without it.
    var failure: Failure?
}

/// Starts a program, follows it, and brings its result when it can no longer be undone.
struct ProgramRun {
    private let cluster: ClusterHandle
    private let request: ProgramRequest
    private let interruption: Interruption

    /// An arbiter that is away so long does not come back: its supervisor would have started it again.
    private static let patience: Duration = .seconds(30)

    /// - Parameter interruption: stops the program when it is noted.
    init(_ cluster: ClusterHandle, _ request: ProgramRequest, _ interruption: Interruption) {
        self.cluster = cluster
        self.request = request
        self.interruption = interruption
    }

    /// - Parameter output: gets each line that the program printed, once it can no longer be undone.
    func result(on nodes: [Int], output: (String) -> Void) async throws -> ProgramReport {
        try checkSize()
        let arbiter = try await cluster.arbiter()
        let job = try await arbiter.send(
            ArbiterStart(
                program: request.program, arguments: request.arguments, nodes: nodes, input: request.input)
        ).job
        var printed = 0
        var lastAnswer = ContinuousClock.now
        var pause = Duration.milliseconds(2)
        var isStopping = false
        while true {
            if interruption.isNoted, !isStopping {
                isStopping = true
                Terminal.progress("stopping \(request.program)")
                _ = try await arbiter.sendPatiently(ArbiterCancel(job: job))
            }
            if let reply = try await progress(arbiter, job, since: lastAnswer) {
                lastAnswer = .now
                for piece in reply.output.dropFirst(printed) {
                    for line in piece.text.split(separator: "\n") { output("n\(piece.node): \(line)") }
                }
                printed = max(printed, reply.output.count)
                if let report = try report(reply) { return report }
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(50))
        }
    }

    /// Nil while a killed arbiter is being started again.
    private func progress(
        _ arbiter: ControlClient, _ job: Int, since lastAnswer: ContinuousClock.Instant
    ) async throws(Failure) -> ArbiterJob.Reply? {
        do throws(Failure) { return try await arbiter.send(ArbiterJob(job: job)) } catch {
            guard error.kind == .unavailable, ContinuousClock.now - lastAnswer < Self.patience else { throw error }
            // Its supervisor may have been killed too.
            try await cluster.ensureSupervisor()
            return nil
        }
    }

    private func checkSize() throws {
        guard let input = request.input else { return }
        let size = try FileManager.default.attributesOfItem(atPath: input)[.size] as? UInt64 ?? 0
        let limit = Command.maximumInputByteCount(pageCount: cluster.description.sharedPages)
        guard size <= UInt64(limit) else {
            throw Failure(
                .input,
                "\(input) has \(size) bytes, and a shared memory of \(cluster.description.sharedMebibytes) MiB takes"
                    + " \(limit): start a cluster with a larger --shared")
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
    /// Why the program failed; where it trapped, with function and line.
    private func failure(_ reply: ArbiterJob.Reply) -> Failure {
        var failure = reply.failure ?? Failure(.fault, "\(request.program) failed for an unknown reason")
        for part in reply.parts where part.failure != nil {
            let trap = Epitaph.lastTrap(inFile: cluster.directory.serialLog(part.node))
            // An older trap of another run names another place.
            guard let trap, let place = trap.instruction, failure.message.contains(String(place, radix: 16)) else {
                continue
            }
            let symbolizer = Symbolizer(image: cluster.description.image)
            for line in trap.story(symbolizer) { failure.message += "\n  \(line)" }
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
