import Heap

/// What the node knows of itself when it runs a step: counts since it started, never rolled back.
public struct NodeReadings {
    /// Steps committed, read-only ones included. Commands and the node's own entries do not count: `bank`
    /// tells from it which of its steps was the last.
    public var commits: UInt64
    public var aborts: UInt64
    public var pagesFetched: UInt64
    /// Time since the node started; of its own clock, which may stand still while the guest is paused.
    public var nanoseconds: UInt64
    /// The memory has all that had left the cluster when the step before asked for that (`Step.strictly`).
    public var isStrict: Bool

    public init(commits: UInt64, aborts: UInt64, pagesFetched: UInt64, nanoseconds: UInt64, isStrict: Bool = false) {
        self.commits = commits
        self.aborts = aborts
        self.pagesFetched = pagesFetched
        self.nanoseconds = nanoseconds
        self.isStrict = isStrict
    }
}

/// What a program is given for one step. Only places in the shared memory: nothing in it survives the
/// step, and there is nothing in it to change.
public struct Context {
    /// `memory[place]` reads and writes.
    public let memory: SharedMemory
    /// Number of this node, from 1.
    public let node: UInt32
    /// How often this step has abandoned itself so far. Conflicts with other nodes do not count.
    public let attempt: UInt64
    /// Whether this step reads at or after everything that had left the cluster when `Step.strictly` was answered.
    /// Without it a step reads one consistent state that may be a little old (rule P2 of the specification).
    public var isStrict: Bool { readings.isStrict }
    /// What the node counted since it started.
    public let readings: NodeReadings

    private let job: JobRecord<SharedMemory>
    private let part: PartPlaces

    init(_ memory: SharedMemory, node: UInt32, attempt: UInt64, readings: NodeReadings) {
        self.memory = memory
        self.node = node
        self.attempt = attempt
        self.readings = readings
        job = JobRecord(memory)
        part = PartPlaces(SystemLayout.partPage(of: node))
    }

    /// This node's place among the job's nodes, from 0.
    public var rank: UInt32 { job.rank(of: node) }

    /// How many nodes take part in the job.
    public var count: UInt32 { job.participantCount }

    /// Whether the node at another rank takes part still. One that died does not come back to this job.
    public func isLiving(_ rank: UInt32) -> Bool { job.includes(job.node(at: rank)) }

    /// The bytes of the file that the job was given.
    public var input: SharedBytes { job.input }

    /// Transactions that this node committed for the job so far. Read-only ones count, though they leave
    /// no trace in the memory.
    public var commits: UInt64 {
        let start = memory[part.startCommits]
        // A node that died and came back counts from 0 again.
        return readings.commits >= start ? readings.commits - start : readings.commits
    }

    /// A value of this node's own: zero at first, at most 1,024 bytes, written by no other node.
    public func own<Value>(_: Value.Type = Value.self) -> Shared<Value> {
        precondition(UInt64(MemoryLayout<Value>.size) <= PartPlaces.stateByteCount, "own state too large")
        return part.programState.place(0)
    }

    /// The own value of the node at another rank; nil if that node died before it began.
    public func own<Value: BitwiseCopyable>(of rank: UInt32, _: Value.Type = Value.self) -> Value? {
        let places = PartPlaces(SystemLayout.partPage(of: job.node(at: rank)))
        guard memory[places.jobNumber] == job.number else { return nil }
        return memory[places.programState.place(0)]
    }

    /// A value that all nodes of the job share: zero at first, at most 1,024 bytes. All steps that touch
    /// it conflict, so it is for what `prepare` sets up.
    public func common<Value>(_: Value.Type = Value.self) -> Shared<Value> {
        precondition(UInt64(MemoryLayout<Value>.size) <= CommonPage.stateByteCount, "common state too large")
        return CommonPage.programState.place(0)
    }

    /// A number with a name, zero at first, that outlives the job.
    public func named(_ name: StaticString) throws(HeapError) -> Shared<UInt64> {
        try NamedValues.place(name, in: memory)
    }

    /// Makes shared data, in pages of this node's own. They hold old bytes, and last until the next job.
    public var allocator: NodeAllocator {
        NodeAllocator(memory, pages: SystemLayout.pageAllocator(memory), record: part.allocator)
    }

    /// What the user sees of this node, once the transaction can no longer be undone.
    public var output: OutputStream {
        OutputStream(memory, record: part.printStream, allocator: allocator)
    }

    /// Prints a line.
    public func print(_ text: StaticString) throws(HeapError) {
        try output.write(text)
        try output.write("\n")
    }

    /// Prints a line that ends in a number.
    public func print(_ text: StaticString, _ number: UInt64) throws(HeapError) {
        try output.write(text)
        try output.write(number)
        try output.write("\n")
    }

    /// The result of the job, for `finish` to write.
    public var result: JSONWriter {
        JSONWriter(OutputStream(memory, record: CommonPage.resultStream, allocator: allocator))
    }

    /// A random number below `limit`, from SplitMix64 (Steele, Lea, Flood 2014) seeded by job and node.
    /// Its state is in the shared memory: a step that runs again draws the same numbers.
    public func random(below limit: UInt64) -> UInt64 {
        precondition(limit > 0, "nothing to choose from")
        memory[part.random] &+= 0x9e37_79b9_7f4a_7c15
        return mix(memory[part.random]) % limit
    }

    var arguments: Arguments {
        Arguments(
            memory,
            bytes: SharedBytes(
                start: JobPlaces.arguments, count: UInt64(memory[JobPlaces.argumentByteCount])),
            count: Int(memory[JobPlaces.argumentCount]))
    }
}

/// The output function of SplitMix64: spreads a number over all 64 bits.
public func mix(_ number: UInt64) -> UInt64 {
    var mixed = number
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
}
