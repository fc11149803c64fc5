/// The end of a cluster, as other commands see it that are at work with it meanwhile.
extension RunDirectory {
    /// Held by the command that takes the cluster down: who is killed at it lets go of it.
    public var endingLock: String { lock(of: "down") }

    /// Whether somebody takes the cluster down right now.
    public var isEnding: Bool { ProcessLock.isHeld(endingLock) }

    /// What a command says that the cluster was taken away from; nil while it is there.
    public var takenDown: Failure? {
        guard isEnding || !hasState else { return nil }
        return Failure(
            .unavailable, "the cluster \"\(name)\" was taken down while this command worked with it",
            advice: "start it again with \(hint("up"))")
    }

    /// Waits until nobody takes the cluster down any more, for so long at most, or until the task is cancelled.
    public func waitForEnding(_ limit: Duration) async {
        let end = ContinuousClock.now + limit
        while isEnding, ContinuousClock.now < end {
            do { try await Task.sleep(for: .milliseconds(10)) } catch { return }
        }
    }
}
