import Store

/// Where an arbiter keeps what must not be lost, and for how long.
public struct StoreSettings: Sendable {
    /// Path of the store's directory. A store is made there when there is none.
    public var directory: String
    /// Nothing is ever flushed: a killed process loses nothing, a power cut everything.
    public var isVolatile: Bool
    /// Which checkpoints stay.
    public var retention: Retention
    /// From one periodic checkpoint to the next, nanoseconds; 0 for none.
    public var checkpointInterval: UInt64

    public init(
        directory: String, isVolatile: Bool = false, retention: Retention = Retention(), checkpointInterval: UInt64 = 0
    ) {
        self.directory = directory
        self.isVolatile = isVolatile
        self.retention = retention
        self.checkpointInterval = checkpointInterval
    }
}
