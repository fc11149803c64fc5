import Control

/// Somebody who waits until something is so with the arbiter.
struct LoopWait: Sendable {
    /// When nobody waits any longer, nanoseconds.
    let end: UInt64
    /// Looked at whenever the loop has done something.
    let isSo: @Sendable (ArbiterLoop) -> Bool
    /// Told whether it became so in time, or why the loop does nothing for it.
    let answer: @Sendable (Result<Bool, Failure>) -> Void
}

/// Those who wait, in the order in which they came.
struct LoopWaits {
    private var all: [LoopWait] = []

    mutating func add(_ wait: LoopWait) { all.append(wait) }

    /// When one of them is answered at the latest, nanoseconds.
    var deadline: UInt64 { all.lazy.map(\.end).min() ?? .max }

    /// Answers those for whom it is so, or too late.
    mutating func settle(_ loop: ArbiterLoop, now: UInt64) {
        all.removeAll { wait in
            let isSo = wait.isSo(loop)
            guard isSo || wait.end <= now else { return false }
            wait.answer(.success(isSo))
            return true
        }
    }

    /// Answers all of them.
    mutating func fail(_ failure: Failure) {
        for wait in all { wait.answer(.failure(failure)) }
        all = []
    }
}
