import Control

/// What a store was made of that a damaged one still held.
public struct SalvageReport: Encodable, Sendable {
    /// What it begins with.
    public var checkpoint: CheckpointReport
    /// Nothing was saved after that.
    public var isNewest: Bool
    /// Checkpoints that cannot be read back, older and newer ones, by rising time: those that were not whole, and those
    /// of which nothing but the name is left.
    public var lost: [CheckpointReport]
    /// The new store.
    public var storeDirectory: String
}
