import ArgumentParser
import Cluster
import Control

struct StopProgram: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Stop the program that runs, on all nodes; its plurix run ends with 69.",
        discussion: "A step that computes ends at once; nothing of it is committed. Ends with 75 and names the nodes"
            + " when no node has done it within 20 s, and with 69 when its end cannot be saved.")

    @OptionGroup var common: CommonOptions

    private struct Outcome: Encodable {
        var cluster: String
        /// Whether a program was stopped: false when none ran, or it was faster.
        var stopped: Bool
        var program: String?
        /// Where its steps have ended.
        var nodes: [String]
        /// Nodes that are not reached now, as "n1 (paused)": they end their steps when they are.
        var later: [String] = []
    }

    /// A stop is one transaction of any node, which ends its own step for that.
    private static let patience = Duration.seconds(20)
    /// How often is looked whether anything is in the way.
    private static let lookInterval = Duration.seconds(1)

    func run() async throws {
        let cluster = try common.cluster()
        let arbiter = try await cluster.servingArbiter()
        guard let running = try await arbiter.sendPatiently(ArbiterStop(), limit: ClusterHandle.patience).stopped else {
            return try report(Outcome(cluster: common.name, stopped: false, nodes: []))
        }
        let end = ContinuousClock.now + Self.patience
        var nextLook = ContinuousClock.now + Self.lookInterval
        var trouble: String?
        while true {
            let job = try await arbiter.sendPatiently(ArbiterJob(job: running.job), limit: ClusterHandle.patience)
            switch job.state {
            case .starting, .running, .saving: break
            case .finished: return try report(running, isStopped: false, await cluster.status())
            case .failed: return try report(running, isStopped: true, await cluster.status())
            }
            if ContinuousClock.now >= nextLook {
                nextLook += Self.lookInterval
                // What is in the way twice is not waited for.
                let now = try await cluster.status().trouble
                if let now, trouble != nil { throw Self.delay(of: running.program, now) }
                trouble = now
            }
            guard ContinuousClock.now < end else {
                if let trouble { throw Self.delay(of: running.program, trouble) }
                let participants = RunProgress.participants(job.parts, try? await cluster.status())
                throw Self.delay(of: running.program, participants, cluster.directory.hint)
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Why a program does not stop: nobody has done what it takes.
    static func delay(
        of program: String, _ participants: [RunProgress.Participant], _ hint: (String) -> String
    ) -> Failure {
        Failure(
            .timeout, "\(program) does not stop yet: \(RunProgress.words(participants))",
            advice: RunProgress.wayOut(participants, hint), at: program)
    }

    /// Why a program does not stop: something keeps the cluster from its work, and it ends only when its end is saved.
    static func delay(of program: String, _ trouble: String) -> Failure {
        Failure(
            .unavailable, "\(program) does not stop before its end can be saved: \(trouble)",
            advice: "it stops by itself when saving goes on", at: program)
    }

    private func report(_ running: RunningProgram, isStopped: Bool, _ status: ClusterStatus) throws {
        let participants = status.nodes.filter { node in running.nodes.contains { node.name == "n\($0)" } }
        try report(
            Outcome(
                cluster: common.name, stopped: isStopped, program: running.program,
                nodes: participants.filter { $0.state == .joined }.map(\.name),
                later: participants.filter { $0.state == .paused || $0.state == .silent }
                    .map { "\($0.name) (\($0.state.rawValue))" }))
    }

    private func report(_ outcome: Outcome) throws {
        if common.json { return try Terminal.show(json: outcome) }
        guard let program = outcome.program else {
            return Terminal.show("no program runs on cluster \(outcome.cluster)")
        }
        guard outcome.stopped else { return Terminal.show("\(program) had just finished") }
        let places = outcome.nodes.isEmpty ? "" : " on \(outcome.nodes.joined(separator: ", "))"
        let later = outcome.later.isEmpty ? "" : "; when back: \(outcome.later.joined(separator: ", "))"
        Terminal.show("\(program) is stopped\(places)\(later)")
    }
}
