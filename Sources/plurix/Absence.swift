import Cluster
import Control

/// For how long whoever asks for a program has had no answer: the arbiter, or who starts it again, was killed.
struct Absence {
    private let arbiter: String
    private let store: String
    private var since: ContinuousClock.Instant
    /// Whether the arbiter knows the program: until then one that is there, and does not begin it, is not asked again.
    var hasBegun = false

    /// An arbiter that is away so long does not come back: its supervisor would have started it again.
    private static let patience: Duration = .seconds(30)

    /// - Parameters:
    ///   - arbiter: The path of its socket.
    ///   - store: The path of its store.
    init(of arbiter: String, store: String, now: ContinuousClock.Instant) {
        self.arbiter = arbiter
        self.store = store
        since = now
    }

    mutating func ends(now: ContinuousClock.Instant) { since = now }

    /// Whether one asks again after a failure. One that is about the store is of an arbiter that is there, and stands
    /// still until its store can be written: a run waits for that as long as it takes.
    mutating func isForgiven(_ failure: Failure, now: ContinuousClock.Instant) -> Bool {
        if failure.kind == .unavailable, failure.place == store {
            ends(now: now)
            return true
        }
        let isGone = failure.kind == .unavailable && !isHeard(failure)
        let isSilent = failure.kind == .unavailable || failure.kind == .timeout && failure.place == arbiter
        return (hasBegun ? isSilent : isGone) && now - since < Self.patience
    }

    /// Whether a failure is what the arbiter says, and not that it says nothing.
    func isHeard(_ failure: Failure) -> Bool {
        ![arbiter, BackgroundProcess.supervisor.rawValue].contains(failure.place)
    }
}
