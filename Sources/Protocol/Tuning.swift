/// Times (nanoseconds) and counts of the protocol, each with its reason. No safety rule depends on any of them.
public struct Tuning: Sendable {
    public static let millisecond: UInt64 = 1_000_000

    /// A lost request is sent again after this; doubled with each try up to `retryMaximum`.
    public var retry: UInt64 = 8 * millisecond
    public var retryMaximum: UInt64 = 64 * millisecond
    /// How long a gap may be mere reordering before the records are asked for.
    public var reorder: UInt64 = 500_000
    /// Sign of life; bounds staleness of an idle cluster.
    public var heartbeat: UInt64 = 100 * millisecond
    /// In this time nine of them come, on a link that loses some: who hears none hears nothing.
    static let nineSigns: UInt64 = 950 * millisecond
    public var report: UInt64 = 250 * millisecond
    /// Tries after which the arbiter is told that something is missing.
    public var triesUntilMissing: UInt8 = 5
    /// A node that runs transactions keeps a token that others want at most this long: many commits a hand-over.
    public var tokenHold: UInt64 = 400_000
    /// One that it took for a transaction which is then doomed is kept this long for the next try: a token passed on
    /// without a commit is a hand-over for nothing.
    public var wantedHold: UInt64 = 10 * millisecond
    /// Losses in a row after which a transaction takes the token before it runs, and keeps it until it commits.
    public var lossesUntilUrgent: UInt32 = 2
    /// But no longer than this.
    public var urgentHold: UInt64 = 200 * millisecond
    /// Epoch questions and hints are sent at most this often.
    public var epochHint: UInt64 = 20 * millisecond

    public init() {}
}
