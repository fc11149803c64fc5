// What the arbiter's process answers about its store.

/// A checkpoint, as commands show it.
public struct CheckpointReport: Codable, Equatable, Sendable {
    /// Its commit time: the epoch in the high 20 bits, the counter in the low 44.
    public var time: UInt64
    public var epoch: UInt32
    public var counter: UInt64
    /// When it was taken, microseconds since 1970.
    public var created: UInt64
    /// As people gave them, in that order. None has a space in it.
    public var labels: [String]
    /// Whether it stays when a newer one comes; else it is only the newest state.
    public var isKept: Bool

    public init(time: UInt64, epoch: UInt32, counter: UInt64, created: UInt64, labels: [String], isKept: Bool) {
        self.time = time
        self.epoch = epoch
        self.counter = counter
        self.created = created
        self.labels = labels
        self.isKept = isKept
    }
}

/// Takes a checkpoint of a commit time that is not before the request, and keeps it. Answered when it is on disk; the
/// cluster goes on meanwhile.
public struct ArbiterCheckpoint: ControlRequest {
    public static let operation = "checkpoint"

    public struct Reply: Codable, Sendable {
        public var checkpoint: CheckpointReport
        /// Pages that were written for it: those that changed since the last one.
        public var pages: Int
        /// Bytes that were written for it.
        public var bytes: Int
        /// Barriers that it took.
        public var flushes: Int
        /// From the request until it was on disk.
        public var milliseconds: Double

        public init(checkpoint: CheckpointReport, pages: Int, bytes: Int, flushes: Int, milliseconds: Double) {
            self.checkpoint = checkpoint
            self.pages = pages
            self.bytes = bytes
            self.flushes = flushes
            self.milliseconds = milliseconds
        }
    }

    /// A checkpoint with a label stays until it is forgotten by name; nil for none.
    public var label: String?
    /// Of a memory of which all pages are known to be sound, or none at all; nil, as earlier builds ask, for no.
    public var isWhole: Bool?

    public init(label: String?, isWhole: Bool? = nil) {
        self.label = label
        self.isWhole = isWhole
    }
}

/// The checkpoints that there are, oldest first; the last one is the newest state, kept or not.
public struct ArbiterCheckpoints: ControlRequest {
    public static let operation = "checkpoints"
    public typealias Reply = [CheckpointReport]

    public init() {}
}

/// Forgets checkpoints, labelled or not: their place on the disk is free for others.
public struct ArbiterForget: ControlRequest {
    public static let operation = "forget"
    /// Those that were forgotten.
    public typealias Reply = [CheckpointReport]

    /// Labels, `EPOCH:COUNTER` or numbers of commit times.
    public var names: [String]

    public init(_ names: [String]) {
        self.names = names
    }
}

/// Makes another store out of the state at the time of a checkpoint, for a cluster of its own, while this one goes on.
public struct ArbiterFork: ControlRequest {
    public static let operation = "fork"

    public struct Reply: Codable, Sendable {
        /// Commit time of the fork's newest state.
        public var time: UInt64

        public init(time: UInt64) {
            self.time = time
        }
    }

    /// A label, `EPOCH:COUNTER` or the number of a commit time; nil for the newest.
    public var at: String?
    /// Absolute path of a directory that is empty or missing.
    public var into: String
    /// Identifier of the cluster that gets it.
    public var cluster: UInt64

    public init(at: String?, into: String, cluster: UInt64) {
        self.at = at
        self.into = into
        self.cluster = cluster
    }
}
