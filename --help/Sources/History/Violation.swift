import Wire

/// What the memory promises, as far as a history can show that it was broken.
public enum Rule: String, CaseIterable, Sendable {
    /// Two commits that write have two times.
    case uniqueTimes = "unique commit times"
    /// Everything that a transaction reads is the state at one time, also when it aborts.
    case snapshot = "one consistent snapshot"
    /// A transaction that commits reads the state at its commit time.
    case serial = "serial in the order of commit times"
    /// What is read was written by the commit that is its version.
    case written = "what is read was written"
    /// A key has one value at each version.
    case oneValue = "one value a version"
    /// Nothing is read before it can have been written.
    case causality = "nothing is read before it is written"
    /// A writer that was acknowledged before another one began has the smaller time.
    case realTime = "acknowledged before begun, so the smaller time"
    /// A node never goes back behind what it has committed or read.
    case nodeOrder = "a node goes forward"
    /// The commits that are named as undone are those after the point at which a later epoch opened.
    case undone = "undone is what the epochs have undone"
    /// Nothing that was saved is undone.
    case saved = "what is saved stays"
    /// Every commit is recorded.
    case complete = "every commit is recorded"
    /// There is an order in which the transactions could have run one after the other.
    case someOrder = "some serial order exists"
}

/// A rule that was broken, and the transactions that show it.
public struct Violation: Sendable {
    public var rule: Rule
    /// Places in the history's transactions, ascending.
    public var transactions: [Int]
    public var sentence: String
}

/// What a checker found.
public struct Verdict: Sendable {
    /// Counts of what was checked.
    public struct Counts: Equatable, Sendable {
        public var transactions = 0
        public var writers = 0
        public var readers = 0
        public var aborted = 0
        public var unknown = 0
        public var undone = 0
        public var reads = 0
        public var writes = 0
        public var keys = 0
        /// Transactions with reads or writes that the history does not list.
        public var partlyListed = 0
        public init() {}
    }

    public var counts = Counts()
    /// How many violations of each rule there are.
    public var violations: [Rule: Int] = [:]
    /// The one that the fewest transactions show; nil when all is right.
    public var smallest: Violation?
    /// Whether a general search for a serial order was made too.
    public var isSearched = false

    public var isRight: Bool { violations.isEmpty }
}
