// What the arbiter's process answers about programs.

/// A program that runs.
public struct RunningProgram: Codable, Sendable {
    public var job: Int
    public var program: String
    /// Numbers of the nodes that take part.
    public var nodes: [Int]
    /// How long nobody has asked for it, seconds: whoever waits for its result asks all the time.
    public var unattendedSeconds: Int
    /// What nobody asks for so long is stopped, seconds.
    public var patienceSeconds: Int

    public init(job: Int, program: String, nodes: [Int], unattendedSeconds: Int = 0, patienceSeconds: Int = 0) {
        self.job = job
        self.program = program
        self.nodes = nodes
        self.unattendedSeconds = unattendedSeconds
        self.patienceSeconds = patienceSeconds
    }
}

/// Asks for the number of a job that is about to be begun.
public struct ArbiterReserve: ControlRequest {
    public static let operation = "reserve"

    public struct Reply: Codable, Sendable {
        /// Larger than that of any job before.
        public var job: Int

        public init(job: Int) {
            self.job = job
        }
    }

    public init() {}
}

/// Starts a program on nodes that have joined. One that has a number begins once however often it is asked for, also of
/// an arbiter that was started anew meanwhile.
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
    /// The number that it was given before; nil for any.
    public var job: Int?
    /// Nothing is begun later, for who wanted it waits no more: microseconds since 1970.
    public var validUntil: UInt64?

    public init(
        program: String, arguments: [String], nodes: [Int], input: String? = nil, job: Int? = nil,
        validUntil: UInt64? = nil
    ) {
        self.job = job
        self.validUntil = validUntil
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
        /// Empty for a job that this arbiter does not know: one before it had not begun it, or it is about to be seen.
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
