import Cluster
import Control
import Wire

/// Says how far a run is while the program itself has nothing to say.
struct RunProgress {
    /// A node that takes part.
    struct Participant {
        var name: String
        /// How far its part is.
        var part: JobState
        /// How the node is, where that is known.
        var node: NodeState?
        var silentMilliseconds: UInt64 = 0
    }

    private let program: String
    /// The cluster's commits when it began.
    private let start: UInt64
    private var saidAt = ContinuousClock.now
    private var lookedAt = ContinuousClock.now
    private var said = ""

    /// A run that takes no longer says nothing.
    private static let interval = Duration.seconds(2)
    /// How often the same is said again where nobody watches.
    private static let repetition = Duration.seconds(10)

    /// - Parameter start: the cluster's commit time when it began.
    init(_ program: String, from start: UInt64) {
        self.program = program
        self.start = GlobalTime(raw: start).counter
    }

    /// Whether it is time to look at the cluster.
    var isDue: Bool { ContinuousClock.now - lookedAt >= Self.interval }

    /// - Parameter status: nil where the cluster does not answer.
    mutating func say(_ parts: [ArbiterJob.Part], _ status: ClusterStatus?) {
        lookedAt = .now
        let words = status?.trouble ?? Self.words(Self.participants(parts, status)) + Self.damage(status)
        let isNews = words != said
        guard isNews || Terminal.isWatched || ContinuousClock.now - saidAt >= Self.repetition else { return }
        let commits = GlobalTime(raw: status?.commitTime ?? 0).counter
        let count = commits > start ? " (\(commits - start) commits so far)" : ""
        Terminal.progress("\(program): \(words)\(count)")
        said = words
        saidAt = .now
    }

    /// Who works may wait for what is lost.
    static func damage(_ status: ClusterStatus?) -> String { status?.damage.map { "; \($0)" } ?? "" }

    /// "n1, n3 work, n2 is silent for 3 s".
    static func words(_ participants: [Participant]) -> String {
        var groups: [(verb: Verb, names: [String])] = []
        for participant in participants {
            let verb = verb(participant)
            if let place = groups.firstIndex(where: { $0.verb == verb }) {
                groups[place].names.append(participant.name)
            } else {
                groups.append((verb, [participant.name]))
            }
        }
        return groups.map { group in
            "\(group.names.joined(separator: ", ")) \(group.names.count == 1 ? group.verb.one : group.verb.many)"
        }.joined(separator: ", ")
    }

    /// What to do about participants that do not even stop: those that do not answer first.
    static func wayOut(_ participants: [Participant], _ hint: (String) -> String) -> String {
        let mute = participants.filter { $0.node != .joined && $0.node != nil && $0.node != .dead }
        let meant = mute.isEmpty ? participants.filter { $0.node != .dead } : mute
        let ways = meant.map { hint($0.node == .paused ? "resume \($0.name)" : "kill \($0.name)") }
        return ways.isEmpty ? "see \(hint("status"))" : "wait, or help with \(ways.joined(separator: ", "))"
    }

    private struct Verb: Equatable {
        var one: String
        var many: String
    }

    private static func verb(_ participant: Participant) -> Verb {
        func being(_ words: String) -> Verb { Verb(one: "is \(words)", many: "are \(words)") }
        if participant.part == .finished { return being("done") }
        switch participant.node {
        case .silent: return being("silent for \(participant.silentMilliseconds / 1000) s")
        case .paused, .dead, .refused: return being(participant.node?.rawValue ?? "")
        case .starting, .joining: return being("not joined")
        case .joined, nil: break
        }
        switch participant.part {
        case .starting: return Verb(one: "starts", many: "start")
        case .running, .saving, .finished: return Verb(one: "works", many: "work")
        case .failed: return Verb(one: "has failed", many: "have failed")
        }
    }
}

extension RunProgress {
    /// The parts of a job together with the nodes that do them.
    static func participants(_ parts: [ArbiterJob.Part], _ status: ClusterStatus?) -> [Participant] {
        parts.map { part in
            let node = status?.nodes.first { $0.name == "n\(part.node)" }
            return Participant(
                name: "n\(part.node)", part: part.state, node: node?.state,
                silentMilliseconds: node?.silentMilliseconds ?? 0)
        }
    }
}
