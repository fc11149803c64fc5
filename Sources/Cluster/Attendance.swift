import Control

/// Whether a background process that lives does its work: somebody may have stopped it, as with a debugger, or it
/// hangs. Either is said once when it begins and once when it ends.
///
/// One that hangs is not killed: it may wait for a disk, and be in the middle of a copy. Who knows better is told how;
/// it is started again then, and loses nothing that is saved.
struct Attendance {
    private enum State: Equatable { case atWork, stopped, silent }

    /// Which process it is about.
    private var number: Int32
    private var state = State.atWork
    private var stoppedSince: ContinuousClock.Instant?

    /// A debugger stops a process for moments.
    private static let moment = Duration.seconds(1)

    init(of number: Int32) {
        self.number = number
    }

    /// What keeps it from its work; nil when nothing does.
    private(set) var trouble: Failure?

    /// Somebody has looked whether it is stopped.
    ///
    /// - Parameter name: what a reader knows it by; files are read for it, so only when it is needed.
    /// - Returns: What is to be noted.
    mutating func looked(
        at number: Int32, _ name: @autoclosure () -> String, isStopped: Bool, now: ContinuousClock.Instant
    ) -> String? {
        if number != self.number { self = Attendance(of: number) }
        guard isStopped else {
            stoppedSince = nil
            return state == .stopped ? change(to: .atWork, name()) : nil
        }
        let since = stoppedSince ?? now
        stoppedSince = since
        guard state != .stopped, now - since >= Self.moment else { return nil }
        let name = name()
        trouble = Failure(
            .unavailable, "\(name) is stopped", advice: "let it go on: kill -CONT \(number)", at: name)
        return change(to: .stopped, name)
    }

    /// Somebody has asked it something, and waited for an answer as long as `patience`.
    ///
    /// - Parameter log: where more is to be found.
    /// - Returns: What is to be noted.
    mutating func asked(
        _ number: Int32, _ name: String, hasAnswered: Bool, within patience: Duration, log: String
    ) -> String? {
        // Another one by now, or it is known why.
        guard number == self.number, stoppedSince == nil else { return nil }
        if hasAnswered { return state == .silent ? change(to: .atWork, name) : nil }
        guard state == .atWork else { return nil }
        trouble = Failure(
            .unavailable, "\(name) has answered nothing for \(patience.components.seconds) s",
            advice: "see \(log); if it hangs, kill -KILL \(number) lets it be started anew, and what is saved stays",
            at: name)
        return change(to: .silent, name)
    }

    private mutating func change(to state: State, _ name: String) -> String {
        self.state = state
        if state == .atWork { trouble = nil }
        return trouble?.description ?? "\(name) goes on"
    }
}
