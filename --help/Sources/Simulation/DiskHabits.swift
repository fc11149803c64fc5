import Store

/// How the arbiter's disk is, and how the arbiter uses it.
struct DiskHabits {
    /// Every call is done at once, as if the arbiter waited for it.
    var isImmediate = true
    var page = StoredPage()
    var segmentBytes = 8 << 20
    var reserveBytes = 0
    /// Bytes between two superblocks.
    var settleInterval = 16 << 20
    var cleaningBudget = 4096
    var retention = Retention()
    /// How long a step of the store's thread takes, nanoseconds.
    var latency: (low: UInt64, high: UInt64) = (0, 0)
    /// How often a round is durable in the same moment.
    var atOncePerMille = 0
    /// How often a step takes very long.
    var delayPerMille = 0
    var longestDelay: UInt64 = 0

    /// A store that cannot be written is tried again after this.
    static let retryInterval = 50 * Scenario.millisecond
}
