import Wire

/// What a node knows of the epoch's one commit token.
struct Token: Sendable {
    var isHeld = false
    /// The highest number taken here or seen in a commit: lower grants are old [P14].
    var number: UInt32 = 0
    /// No commit before this node has applied it [P13].
    var time = GlobalTime.zero
    /// Who probably has it.
    var holder = Station.nobody
    /// Who waits for it, while it is here.
    var queue = TokenQueue()
    /// When it came.
    var takenAt: UInt64 = 0

    /// This node waits for it.
    var isWanted = false
    var isAsked = false
    var requestDeadline: UInt64 = .max
    var requestTries: UInt8 = 0
    /// Of those, in how many the holder was silent [P25].
    var triesInSilence: UInt8 = 0

    /// The last grant of this node, until there is evidence that it arrived; only the identical one is sent again.
    var grant: Grant? = nil

    struct Grant: Sendable {
        var number: UInt32
        var target: Station
        var targetIncarnation: UInt32
        var time: GlobalTime
        var queue: TokenQueue
        var deadline: UInt64
        var tries: UInt8
    }
}
