import Control

/// Says to whoever works with a cluster that a background process is being started again, when that takes longer than a
/// moment: whatever he waits for then, that is why.
public struct RestartWatch {
    /// Since when a process was seen to be away.
    private var since: [BackgroundProcess: ContinuousClock.Instant] = [:]
    private var told: Set<BackgroundProcess> = []

    private static let moment = Duration.seconds(1)
    private static let lookInterval = Duration.milliseconds(200)

    init() {}

    /// Watches until the task is cancelled, or the cluster ends.
    ///
    /// - Parameter say: gets one line each time that a process is away.
    @discardableResult
    public static func begin(
        in directory: RunDirectory, say: @escaping @Sendable (String) -> Void
    ) -> Task<Void, any Error> {
        Task {
            var watch = RestartWatch()
            while directory.exists, !directory.isEnding {
                for process in BackgroundProcess.allCases {
                    // A restore ends the arbiter in order.
                    let isThere = directory.isGoingBack || watch.isThere(process, in: directory)
                    guard watch.looked(at: process, isThere: isThere, now: .now) else { continue }
                    say("the \(process.title(in: directory)) is being started again")
                }
                try await Task.sleep(for: lookInterval)
            }
        }
    }

    /// One that was seen to be away is back when it serves.
    private func isThere(_ process: BackgroundProcess, in directory: RunDirectory) -> Bool {
        guard process.running(in: directory) != nil else { return false }
        return since[process] == nil || process.isServing(in: directory)
    }

    /// Somebody has looked whether a process is there.
    ///
    /// - Returns: Whether it is to be said that it is not.
    mutating func looked(at process: BackgroundProcess, isThere: Bool, now: ContinuousClock.Instant) -> Bool {
        guard !isThere else {
            since[process] = nil
            told.remove(process)
            return false
        }
        let begin = since[process] ?? now
        since[process] = begin
        return now - begin >= Self.moment && told.insert(process).inserted
    }
}
