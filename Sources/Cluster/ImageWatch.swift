import Control

/// Waits until the arbiter has seen all of the memory that it began with. It serves meanwhile, and nodes join.
public struct ImageWatch: Sendable {
    private let cluster: ClusterHandle
    private let limit: Duration

    public init(_ cluster: ClusterHandle, limit: Duration) {
        self.cluster = cluster
        self.limit = limit
    }

    private static let repetition = Duration.seconds(2)

    /// - Parameter progress: Told how many pages are still to be read, now and then.
    /// - Returns: What is to be said of pages that cannot be read back; nil when all can.
    /// - Throws: `.timeout` when that is not known in time.
    public func wait(_ progress: (Int) -> Void) async throws(Failure) -> Failure? {
        let deadline = ContinuousClock.now + limit
        var saidAt = ContinuousClock.now
        while true {
            let arbiter = try await cluster.arbiter()
            do throws(Failure) {
                let status = try await arbiter.sendPatiently(ArbiterStatus(), limit: ClusterHandle.patience)
                let unread = status.unreadPages ?? 0
                if unread == 0 { return status.damage }
                if ContinuousClock.now - saidAt >= Self.repetition {
                    saidAt = .now
                    progress(unread)
                }
                guard ContinuousClock.now < deadline else {
                    throw Failure(
                        .timeout, "\(unread) pages of the saved memory were not read yet",
                        advice: "give it more time with --timeout", at: "arbiter")
                }
            } catch {
                // An arbiter that waits for its disk says so.
                let isStalled = error.kind == .unavailable && error.place != arbiter.path
                guard isStalled, ContinuousClock.now < deadline else { throw error }
            }
            // Cancellation is seen by the next request.
            try? await Task.sleep(for: .milliseconds(20))
        }
    }
}
