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

/// A program that runs.
public struct RunningProgram: Codable, Sendable {
    public var job: Int
    public var program: String
    /// Numbers of the nodes that take part.
    public var nodes: [Int]

    public init(job: Int, program: String, nodes: [Int]) {
        self.job = job
        self.program = program
        self.nodes = nodes
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
        /// Refusals, opened epochs and undone commits, newest last.
        public var notices: [String]

        public init(
            epoch: UInt32, commitTime: UInt64, savedTime: UInt64, nodes: [NodeReport],
            running: RunningProgram? = nil, storeTrouble: String? = nil, notices: [String] = []
        ) {
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

    public init(running: [Int], paused: [Int]) {
        self.running = running
        self.paused = paused
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
        /// How long the most paused machine has stood still since this arbiter began; its clock stood still too.
        public var longestPauseNanoseconds: UInt64
        /// The host's monotonic clock before the first node was told, and after the last one had answered.
        public var beginNanoseconds: UInt64
        public var endNanoseconds: UInt64

        public init(
            nodes: [Node], savedTime: UInt64, openings: [Opening], longestPauseNanoseconds: UInt64,
            beginNanoseconds: UInt64, endNanoseconds: UInt64
        ) {
            self.nodes = nodes
            self.savedTime = savedTime
            self.openings = openings
            self.longestPauseNanoseconds = longestPauseNanoseconds
            self.beginNanoseconds = beginNanoseconds
            self.endNanoseconds = endNanoseconds
        }
    }

    public var isOn: Bool

    public init(isOn: Bool) {
        self.isOn = isOn
    }
}

/// Starts a program on nodes that have joined.
public struct ArbiterStart: ControlRequest {
    public static let operation = "start"

    public struct Reply: Codable, Sendable {
        public var job: Int

        public init(job: Int) {
            self.job = job
        }
    }

    public var program: String
    public var arguments: [String]
    /// Numbers of the nodes that take part.
    public var nodes: [Int]
    /// A file whose bytes are placed in shared memory before the program starts.
    public var input: String?

    public init(program: String, arguments: [String], nodes: [Int], input: String? = nil) {
        self.program = program
        self.arguments = arguments
        self.nodes = nodes
        self.input = input
    }
}

/// How a job stands.
public enum JobState: String, Codable, Sendable {
    /// The input is being placed in shared memory, or the nodes were not all told yet.
    case starting
    case running
    /// All parts are done; the result is committed and not yet saved.
    case saving
    /// The result can no longer be undone.
    case finished
    case failed
}

/// Asks for the progress of a job, and for its result once it can no longer be undone.
public struct ArbiterJob: ControlRequest {
    public static let operation = "job"

    /// One node's share.
    public struct Part: Codable, Sendable {
        public var node: Int
        public var state: JobState
        public var commits: UInt64
        public var aborts: UInt64
        public var pagesFetched: UInt64
        /// Why this part failed.
        public var failure: String?
        /// Where, when an exception in the program ended it.
        public var trap: Trap?

        public init(
            node: Int, state: JobState, commits: UInt64, aborts: UInt64, pagesFetched: UInt64, failure: String? = nil,
            trap: Trap? = nil
        ) {
            self.trap = trap
            self.node = node
            self.state = state
            self.commits = commits
            self.aborts = aborts
            self.pagesFetched = pagesFetched
            self.failure = failure
        }
    }

    /// An exception in a program, for whoever can name its function and line.
    public struct Trap: Codable, Equatable, Sendable {
        /// The processor's number of the exception.
        public var vector: UInt64
        /// Address of the instruction in the node image.
        public var instruction: UInt64
        /// Address that was accessed, for page faults.
        public var address: UInt64

        public init(vector: UInt64, instruction: UInt64, address: UInt64) {
            self.vector = vector
            self.instruction = instruction
            self.address = address
        }
    }

    /// Text that a program printed in a transaction that can no longer be undone.
    public struct Output: Codable, Sendable {
        public var node: Int
        public var text: String

        public init(node: Int, text: String) {
            self.node = node
            self.text = text
        }
    }

    public struct Reply: Codable, Sendable {
        public var state: JobState
        public var parts: [Part]
        /// Everything that was printed since the job began, in whole lines. It only grows at its end.
        public var output: [Output]
        /// Present when `state` is `finished`, and when it is `failed` only because a participant died and the others
        /// came to a result without it.
        public var result: JSONValue?
        /// Present when `state` is `failed`: its kind is the exit code of `plurix run`.
        public var failure: Failure?
        /// From the start of the first part until the result could no longer be undone.
        public var elapsedMicroseconds: UInt64

        public init(
            state: JobState, parts: [Part], output: [Output] = [], result: JSONValue? = nil, failure: Failure? = nil,
            elapsedMicroseconds: UInt64 = 0
        ) {
            self.state = state
            self.parts = parts
            self.output = output
            self.result = result
            self.failure = failure
            self.elapsedMicroseconds = elapsedMicroseconds
        }
    }

    public var job: Int

    public init(job: Int) {
        self.job = job
    }
}

/// Gives a job up: its parts stop at the end of their transaction.
public struct ArbiterCancel: ControlRequest {
    public static let operation = "cancel"
    public typealias Reply = Done

    public var job: Int

    public init(job: Int) {
        self.job = job
    }
}

/// Gives the program up that runs, whoever has started it.
public struct ArbiterStop: ControlRequest {
    public static let operation = "stopProgram"

    public struct Reply: Codable, Sendable {
        /// What is stopped; nil when nothing runs.
        public var stopped: RunningProgram?

        public init(stopped: RunningProgram?) {
            self.stopped = stopped
        }
    }

    public init() {}
}

/// Ends a background process in order.
public struct Stop: ControlRequest {
    public static let operation = "stop"
    public typealias Reply = Done

    public init() {}
}
