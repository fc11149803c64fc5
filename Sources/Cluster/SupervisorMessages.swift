import Control

/// What `plurix status --json` prints.
public struct ClusterStatus: Codable, Sendable {
    public struct Processes: Codable, Sendable {
        public var supervisor: Int32?
        public var segment: Int32?
        public var arbiter: Int32?
    }

    public struct Program: Codable, Sendable {
        public var program: String
        /// Names of the nodes that take part.
        public var nodes: [String]
        /// How long nobody has asked for its result, seconds; whoever waits for it asks all the time.
        public var unattendedSeconds: Int
        /// What nobody asks for so long is stopped, seconds.
        public var patienceSeconds: Int
    }

    public struct Node: Codable, Sendable {
        public var name: String
        public var state: NodeState
        public var nic: ClusterDescription.Nic
        /// Process of the node's QEMU; nil once it is gone.
        public var processIdentifier: Int32?
        /// Guest time from the entry point until its own entry in the node table was committed.
        public var joinMilliseconds: Double
        public var joinPageRequests: UInt64
        /// Host time from the start of QEMU until joined.
        public var upMilliseconds: Double
        public var commitTime: UInt64
        public var commits: UInt64
        public var aborts: UInt64
        public var pagesFetched: UInt64
        public var framesSent: UInt64
        public var framesReceived: UInt64
        public var framesRejected: UInt64
        /// How long the arbiter has heard nothing of it.
        public var silentMilliseconds: UInt64
        /// Why it was refused or died, where that is known.
        public var notice: String?
    }

    public var cluster: String
    public var processes: Processes
    public var epoch: UInt32
    public var commitTime: UInt64
    /// Everything up to here can no longer be undone: it is in the store.
    public var savedTime: UInt64
    public var storeDirectory: String
    /// The store survives the cluster's processes, but no power cut, and goes with the cluster.
    public var isVolatile: Bool
    /// Why nothing is saved for now.
    public var storeTrouble: String?
    public var nodes: [Node]
    /// The program that runs.
    public var running: Program?
    /// The state that the cluster goes back to, while it does.
    public var restoring: String?
    /// What keeps the cluster from its work, and what to do; what is told of the nodes may be old then.
    public var trouble: String?
    /// Pages that were saved before the page server began, and of which it does not know yet whether they can be read
    /// back; nil when it is not known how many.
    public var unreadPages: Int?
    /// Pages that were saved cannot be read back, and what to do; all else goes on.
    public var damage: String?
    /// Refusals, opened epochs and undone commits, newest last.
    public var notices: [String]
}

/// The whole state of the cluster.
struct SupervisorStatus: ControlRequest {
    static let operation = "status"
    typealias Reply = ClusterStatus
}

/// Starts the machine of a node.
struct StartNode: ControlRequest {
    static let operation = "startNode"

    struct Reply: Codable, Sendable {
        /// The number that the node got.
        var node: Int
    }

    /// Nil for the lowest number that is free.
    var node: Int?
    /// An image other than the cluster's; for tests of the refusal.
    var image: String?
    /// A key other than the cluster's; for tests of the refusal.
    var key: ClusterKey?
    /// Largest Ethernet frame other than the cluster's; for tests.
    var maximumFrameBytes: Int?
}

/// Does something to a node's machine.
struct ChangeNode: ControlRequest {
    static let operation = "changeNode"
    typealias Reply = Done

    enum Change: String, Codable, Sendable {
        /// In order: what it alone holds is saved first.
        case remove
        /// As a power failure would.
        case kill
        case pause
        case resume
    }

    var node: Int
    var change: Change
}

/// Lets the cluster go back to a checkpoint: its machines and its arbiter end, its store is exchanged, and the same
/// nodes are started.
struct RestoreCluster: ControlRequest {
    static let operation = "restore"
    typealias Reply = RestoreOutcome

    /// A label, `EPOCH:COUNTER` or the number of a commit time.
    var at: String
}

/// What became of a cluster that went back.
public struct RestoreOutcome: Codable, Sendable {
    /// Its memory is as it was then.
    public var checkpoint: CheckpointReport
    /// Where the store is that the cluster had until now.
    public var oldStore: String
    /// Nodes that were started anew.
    public var nodes: [Int]
}

/// Ends all machines and the other processes; the supervisor ends last, after the answer.
struct ShutDown: ControlRequest {
    static let operation = "shutDown"
    typealias Reply = Done
}
