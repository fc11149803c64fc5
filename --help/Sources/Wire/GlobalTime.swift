/// The logical time of the cluster: the epoch in the high 20 bits, a counter of commits in the low 44.
///
/// Each commit advances the counter by one; it goes on through epochs, so the counter alone orders one history and the
/// whole integer names a commit for ever (PROTOCOL 5: identity is epoch and time). Compared as one integer.
public struct GlobalTime: Equatable, Comparable, Hashable, Sendable {
    public let raw: UInt64

    @inline(__always) public init(raw: UInt64) { self.raw = raw }

    public init(epoch: UInt32, counter: UInt64) {
        precondition(epoch <= Limits.maximumEpoch, "epochs have run out")
        precondition(counter <= Limits.maximumCounter, "commit times have run out")
        raw = UInt64(epoch) << Limits.counterBits | counter
    }

    /// Before the first commit.
    public static let zero = GlobalTime(raw: 0)

    public var epoch: UInt32 { UInt32(truncatingIfNeeded: raw >> Limits.counterBits) }
    public var counter: UInt64 { raw & Limits.maximumCounter }

    /// The time of the commit that follows this one when it is made in `epoch`.
    public func next(in epoch: UInt32) -> GlobalTime { GlobalTime(epoch: epoch, counter: counter + 1) }

    public static func < (a: GlobalTime, b: GlobalTime) -> Bool { a.raw < b.raw }
}
