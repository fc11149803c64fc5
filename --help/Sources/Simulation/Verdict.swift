/// What came of a run.
public struct Verdict: Sendable {
    public var seed: UInt64
    public var failures: [Failure]
    /// Frames delivered.
    public var events: Int
    /// Commits of the surviving history.
    public var commits: Int
    public var aborts: Int
    public var undone: Int
    public var epochs: Int
    /// How often an epoch was begun, by its reason.
    public var reasons: [String: Int]
    public var framesSent: Int
    /// By kind of message (`FrameHeader.Kind`), as its raw number.
    public var framesOfKind: [Int]
    /// Virtual nanoseconds.
    public var duration: UInt64
    /// SHA-256 over everything that happened.
    public var trace: String

    public var isSound: Bool { failures.isEmpty }

    public var description: String {
        isSound
            ? "seed \(seed) OK events \(events) commits \(commits) trace \(trace)"
            : "seed \(seed) FAILED events \(events) commits \(commits) trace \(trace)\n  "
                + failures.map(\.description).joined(separator: "\n  ")
    }
}
