import Cluster
import Control
import Synchronization

/// How far a run is, for whoever ends it from outside.
final class RunTrace: Sendable {
    enum Phase {
        /// The nodes are about to record, and the program is not begun before they do.
        case preparing
        case running
        /// The program has ended, and the nodes are about to end what they record.
        case recorded
    }

    struct State {
        var phase = Phase.running
        /// Nil until the arbiter has begun it.
        var job: Int?
        var parts: [ArbiterJob.Part] = []
    }

    private let held = Mutex(State())

    var state: State { held.withLock { $0 } }

    func note(_ phase: Phase) { held.withLock { $0.phase = phase } }
    func note(job: Int) { held.withLock { $0.job = job } }
    func note(_ parts: [ArbiterJob.Part]) { held.withLock { $0.parts = parts } }
}

/// The end of a `plurix run` that somebody has interrupted. Its program is told to stop; where it cannot within some
/// moments, or nobody answers, the command ends without it.
struct RunEnd {
    private let program: String
    private let cluster: ClusterHandle
    private let trace: RunTrace

    /// As long as the command may last then.
    static let seconds = 2
    private static let patience = Duration.milliseconds(seconds * 1000 - 300)
    /// As long as an answer may take that is to be told of by then.
    private static let hearing = Duration.milliseconds(700)

    init(of program: String, on cluster: ClusterHandle, _ trace: RunTrace) {
        self.program = program
        self.cluster = cluster
        self.trace = trace
    }

    /// What others find out meanwhile: none of them is waited for.
    private final class Findings: Sendable {
        struct Found {
            var isTold = false
            var trouble: Failure?
            var status: ClusterStatus?
        }

        let found = Mutex(Found())
    }

    /// Waits for an interruption, and then until the program should have stopped.
    ///
    /// - Returns: what is left of it.
    /// - Throws: when the task is cancelled, as it is when the run has come to its end.
    func failure(after interruption: Interruption) async throws -> Failure {
        try await interruption.wait()
        if trace.state.phase != .recorded { Terminal.progress("stopping \(program)") }
        let deadline = ContinuousClock.now + Self.patience
        let findings = Findings()
        Task { await tell(findings) }
        try await Task.sleep(until: deadline - Self.hearing)
        Task {
            // Without it less is said.
            let status = try? await cluster.status(limit: Self.hearing)
            findings.found.withLock { $0.status = status }
        }
        try await Task.sleep(until: deadline)
        let found = findings.found.withLock { $0 }
        let hint = cluster.directory.hint
        switch trace.state.phase {
        case .preparing: return Self.unbegun(program)
        case .recorded: return trace.state.job == nil ? Self.unbegun(program) : Self.unwritten(program)
        case .running: break
        }
        guard found.isTold else { return Self.unheard(program, found.trouble, hint) }
        let all = RunProgress.participants(trace.state.parts, found.status)
        let late = all.filter { $0.part != .finished }
        if let trouble = found.status?.trouble { return StopProgram.delay(of: program, trouble) }
        return StopProgram.delay(of: program, late.isEmpty ? all : late, hint)
    }

    /// Has the job stopped, as soon as there is one.
    private func tell(_ findings: Findings) async {
        let arbiter = BackgroundProcess.arbiter.client(in: cluster.directory)
        let deadline = ContinuousClock.now + Self.hearing
        do throws(Failure) {
            while trace.state.job == nil, trace.state.phase != .recorded, ContinuousClock.now < deadline {
                // Nobody cancels it.
                try? await Task.sleep(for: .milliseconds(10))
            }
            let state = trace.state
            guard state.phase == .running else { return }
            if let job = state.job {
                _ = try await arbiter.sendPatiently(ArbiterCancel(job: job), limit: Self.hearing)
                findings.found.withLock { $0.isTold = true }
            } else {
                // Why it has not begun it.
                _ = try await arbiter.send(ArbiterStatus(), limit: Self.hearing)
            }
        } catch {
            findings.found.withLock { $0.trouble = error }
        }
    }

    /// The nodes had not begun to record.
    static func unbegun(_ program: String) -> Failure {
        Failure(.unavailable, "\(program) was not begun", at: program)
    }

    /// The nodes have not told everything. The arbiter has them stop by itself.
    private static func unwritten(_ program: String) -> Failure {
        Failure(.unavailable, "\(program) has ended, and no history of it was written", at: program)
    }

    /// The arbiter was not told, or has not answered.
    static func unheard(_ program: String, _ trouble: Failure?, _ hint: (String) -> String) -> Failure {
        Failure(
            .timeout, "\(program) may run, or still begin: \(trouble?.message ?? "the arbiter has not begun it yet")",
            advice: search(trouble?.advice, hint), at: trouble?.place)
    }

    /// The command ends because of this, and the program need not.
    static func left(_ program: String, _ trouble: Failure, _ hint: (String) -> String) -> Failure {
        Failure(
            trouble.kind, "\(program) may still run in the cluster, of which nothing is heard: \(trouble.message)",
            advice: search(trouble.advice, hint), at: trouble.place)
    }

    /// How one finds a program again that nobody waits for.
    private static func search(_ advice: String?, _ hint: (String) -> String) -> String {
        (advice.map { "\($0); " } ?? "")
            + "see \(hint("status")) whether it runs, and \(hint("events")) how it ended; \(hint("stop")) stops it, and"
            + " so does the cluster when nobody has asked for it for a while"
    }
}
