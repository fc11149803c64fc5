import Wire

/// What the arbiter's process must be told of its cluster.
public struct ArbiterSettings: Sendable {
    public var cluster: UInt64
    public var key: SipHash.Key
    /// The build of the node image; nodes of another one are refused.
    public var build: BuildIdentifier
    /// Pages of the shared memory.
    public var sharedPages: UInt32
    /// The largest frame that the segment carries, bytes: `Limits.maximumFrameBytes`, or `Limits.standardFrameBytes`
    /// for a segment with the standard MTU.
    public var maximumFrameBytes: Int
    public var store: StoreSettings

    public init(
        cluster: UInt64, key: SipHash.Key, build: BuildIdentifier, sharedPages: UInt32,
        maximumFrameBytes: Int = Limits.maximumFrameBytes, store: StoreSettings
    ) {
        self.cluster = cluster
        self.key = key
        self.build = build
        self.sharedPages = sharedPages
        self.maximumFrameBytes = maximumFrameBytes
        self.store = store
    }
}
