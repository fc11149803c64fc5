/// How long to wait before something is tried again that may fail for long, as writing to a full disk: ever longer.
struct RetryPause {
    private var last: UInt64 = 0
    private var milliseconds = 0

    static let shortest = 200
    static let longest = 2_000
    /// After so many nanoseconds without a try it is another matter.
    private static let memory: UInt64 = 10_000_000_000

    /// Milliseconds.
    mutating func next(now: UInt64) -> Int {
        milliseconds = last == 0 || now - last > Self.memory ? Self.shortest : min(2 * milliseconds, Self.longest)
        last = now
        return milliseconds
    }
}
