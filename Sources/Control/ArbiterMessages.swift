// What the arbiter's process answers on its control socket.

/// How far a node has come, as the arbiter sees it.
public enum NodeState: String, Codable, Sendable {
    /// Its machine was started; no valid frame of it was seen yet.
    case starting
    /// It asked to join and was not admitted yet.
    case joining
    /// Its entry in the node table is committed: it can commit.
    case joined
    /// It was turned away (wrong key, other build); `notice` says why.
    case refused
    /// It was joined, and nothing was heard of it for longer than the heartbeat allows.
    case silent
    /// Its machine was suspended by `plurix pause`.
    case paused
    /// Its machine is gone.
    case dead
}

/// What the arbiter knows of a node.
public struct NodeReport: Codable, Sendable {
    /// 1 for `n1`.
    public var number: Int
    public var state: NodeState
    public var incarnation: UInt32
    /// The node's applied global time.
    public var commitTime: UInt64
    public var commits: UInt64
    public var aborts: UInt64
    public var pagesFetched: UInt64
    public var framesSent: UInt64
    public var framesReceived: UInt64
    /// Frames that the node dropped: bad tag, other epoch, replayed, malformed.
    public var framesRejected: UInt64
    /// Guest time from the entry point until its entry in the node table was committed.
    public var joinMicroseconds: UInt64
    /// Page requests that the join took.
    public var joinPageRequests: UInt64
    /// When the arbiter saw it joined, in microseconds since 1970; 0 before.
    public var joinedAt: UInt64
    /// How long nothing was heard of it.
    public var silentMilliseconds: UInt64
    /// Why it was refused or died, where that is known.
    public var notice: String?

    public init(
        number: Int, state: NodeState, incarnation: UInt32 = 0, commitTime: UInt64 = 0, commits: UInt64 = 0,
        aborts: UInt64 = 0, pagesFetched: UInt64 = 0, framesSent: UInt64 = 0, framesReceived: UInt64 = 0,
        framesRejected: UInt64 = 0, joinMicroseconds: UInt64 = 0, joinPageRequests: UInt64 = 0,
        joinedAt: UInt64 = 0, silentMilliseconds: UInt64 = 0, notice: String? = nil
    ) {
        self.number = number
        self.state = state
        self.incarnation = incarnation
        self.commitTime = commitTime
        self.commits = commits
        self.aborts = aborts
        self.pagesFetched = pagesFetched
        self.framesSent = framesSent
        self.framesReceived = framesReceived
        self.framesRejected = framesRejected
        self.joinMicroseconds = joinMicroseconds
        self.joinPageRequests = joinPageRequests
        self.joinedAt = joinedAt
        self.silentMilliseconds = silentMilliseconds
        self.notice = notice
    }
}

/// The cluster as the arbiter sees it.
public struct ArbiterStatus: ControlRequest {
    public static let operation = "status"

    public struct Reply: Codable, Sendable {
        public var epoch: UInt32
        /// The newest global time that was heard of.
        public var commitTime: UInt64
        /// Everything up to here can no longer be undone.
        public var savedTime: UInt64
        public var nodes: [NodeReport]
        public var running: RunningProgram?
        /// Why nothing is saved for now, and what to do; nil while saving goes on.
        public var storeTrouble: String?
        /// The store is not where its path leads: nobody finds it after the cluster's end.
        public var isStoreMisplaced: Bool
        /// Pages that an earlier arbiter has saved, and of which this one does not know yet whether they are sound; nil
        /// for one of an earlier build, which reads all before it serves.
        public var unreadPages: Int?
        /// Pages that were saved cannot be read back; nil while none is known.
        public var damage: Failure?
        /// Refusals, opened epochs and undone commits, newest last.
        public var notices: [String]

        public init(
            epoch: UInt32, commitTime: UInt64, savedTime: UInt64, nodes: [NodeReport],
            running: RunningProgram? = nil, storeTrouble: String? = nil, isStoreMisplaced: Bool = false,
            unreadPages: Int? = nil, damage: Failure? = nil, notices: [String] = []
        ) {
            self.unreadPages = unreadPages
            self.damage = damage
            self.isStoreMisplaced = isStoreMisplaced
            self.storeTrouble = storeTrouble
            self.running = running
            self.epoch = epoch
            self.commitTime = commitTime
            self.savedTime = savedTime
            self.nodes = nodes
            self.notices = notices
        }
    }

    public init() {}
}

/// The supervisor says which machines run. The arbiter learns of new nodes, of pauses and of deaths by it: a number
/// that was listed as running and is no longer is dead.
public struct ArbiterMachines: ControlRequest {
    public static let operation = "machines"
    public typealias Reply = Done

    public var running: [Int]
    public var paused: [Int]
    /// The cluster goes back to an earlier state: no program begins.
    public var isRestoring: Bool

    public init(running: [Int], paused: [Int], isRestoring: Bool = false) {
        self.running = running
        self.paused = paused
        self.isRestoring = isRestoring
    }
}

/// The machine of a node is gone for good: libvirt said so. Nothing of that incarnation counts from now on.
public struct ArbiterDied: ControlRequest {
    public static let operation = "died"
    public typealias Reply = Done

    public var node: Int

    public init(node: Int) {
        self.node = node
    }
}

/// A node is to leave in order: answered when everything that it alone holds is saved, so that its machine may go.
public struct ArbiterRetire: ControlRequest {
    public static let operation = "retire"
    public typealias Reply = Done

    public var node: Int

    public init(node: Int) {
        self.node = node
    }
}

/// Tells all nodes that have joined to record what their transactions read and write, for a checker outside, or to stop
/// that. Answered when they do. To ask again changes nothing for those that record already, but reaches nodes that have
/// joined since.
public struct ArbiterRecordHistory: ControlRequest {
    public static let operation = "recordHistory"

    /// A node that has answered.
    public struct Node: Codable, Sendable {
        public var number: Int
        /// Up to this time its commits may be missing, after it they are recorded; the other way round when it stops.
        public var commitTime: UInt64
        /// From the command to the answer: so far the node's clock may be behind the host's.
        public var delayNanoseconds: UInt64

        public init(number: Int, commitTime: UInt64, delayNanoseconds: UInt64) {
            self.number = number
            self.commitTime = commitTime
            self.delayNanoseconds = delayNanoseconds
        }
    }

    /// An epoch that was opened.
    public struct Opening: Codable, Sendable {
        public var epoch: UInt32
        /// The newest commit that stayed.
        public var opened: UInt64

        public init(epoch: UInt32, opened: UInt64) {
            self.epoch = epoch
            self.opened = opened
        }
    }

    public struct Reply: Codable, Sendable {
        public var nodes: [Node]
        /// Everything up to here can no longer be undone.
        public var savedTime: UInt64
        /// Newest first.
        public var openings: [Opening]
        /// How long machines have stood still since this arbiter began, all together; their clocks stood still too.
        public var pausedNanoseconds: UInt64
        /// The host's monotonic clock before the first node was told, and after the last one had answered.
        public var beginNanoseconds: UInt64
        public var endNanoseconds: UInt64

        public init(
            nodes: [Node], savedTime: UInt64, openings: [Opening], pausedNanoseconds: UInt64,
            beginNanoseconds: UInt64, endNanoseconds: UInt64
        ) {
            self.nodes = nodes
            self.savedTime = savedTime
            self.openings = openings
            self.pausedNanoseconds = pausedNanoseconds
            self.beginNanoseconds = beginNanoseconds
            self.endNanoseconds = endNanoseconds
        }
    }

    public var isOn: Bool

    public init(isOn: Bool) {
        self.isOn = isOn
    }
}

/// Ends a background process in order.
public struct Stop: ControlRequest {
    public static let operation = "stop"
    public typealias Reply = Done

    public init() {}
}
