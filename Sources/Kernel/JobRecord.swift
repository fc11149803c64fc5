import Heap

/// How far a job is. The raw values lie in the shared memory.
public enum JobPhase: UInt32, Sendable {
    /// No job yet.
    case none = 0
    /// The leading node sets up the common state; the others wait.
    case preparing = 1
    /// Every participant works at its part.
    case running = 2
    /// All parts are done; the leading node writes the result.
    case finishing = 3
    /// The result is complete.
    case finished = 4
    /// A part failed; its page says how.
    case failed = 5
    /// Ended by command.
    case stopped = 6

    /// Is there something to do for the job's nodes?
    public var isActive: Bool {
        switch self {
        case .preparing, .running, .finishing: true
        case .none, .finished, .failed, .stopped: false
        }
    }
}

/// Page 2: the job, read by every participant with every step and therefore seldom written.
///
/// | offset | record |
/// |---|---|
/// | 0 | job number: 0 none, growing |
/// | 8 | phase (32 bits) |
/// | 12 | number of the node that failed (32), 0 none |
/// | 16 | mask of participants |
/// | 24 | mask of participants that died |
/// | 32 | input: offset in the window; 40 its bytes |
/// | 48 | bytes of the name (32); 52 number of arguments (32); 56 their bytes (32) |
/// | 60 | format of what the program keeps (32); 0 until its first step |
/// | 64 | name, at most 64 bytes |
/// | 1024 | arguments, at most 2,048 bytes: each two bytes of length, then its text |
///
/// The same view serves the node (over its memory) and the host (over the copy of page 2).
public struct JobRecord<Source: PageSource> {
    let source: Source

    public init(_ source: Source) {
        self.source = source
    }

    public var number: UInt64 { source[JobPlaces.number] }
    /// Nil if the page holds a phase of another format.
    public var phase: JobPhase? { JobPhase(rawValue: source[JobPlaces.phase]) }
    /// The node whose part failed; 0 if none.
    public var failedNode: UInt32 { source[JobPlaces.failedNode] }
    /// The nodes that take part, dead ones included: bit 0 is node 1.
    public var participants: UInt64 { source[JobPlaces.participants] }
    /// The participants that died.
    public var dead: UInt64 { source[JobPlaces.dead] }
    /// The participants that live.
    public var living: UInt64 { participants & ~dead }
    /// The bytes that the host placed for the job.
    public var input: SharedBytes {
        SharedBytes(
            start: SharedAddress(source[JobPlaces.inputOffset]), count: source[JobPlaces.inputByteCount])
    }
    /// The format of what the program keeps in the shared memory; 0 until its first step.
    public var programFormat: UInt32 { source[JobPlaces.programFormat] }
    var programName: SharedBytes {
        SharedBytes(start: JobPlaces.name, count: UInt64(source[JobPlaces.nameByteCount]))
    }
    /// The bytes of the program's name, for whoever has no memory but a copy of the page.
    public var nameBytes: [UInt8] {
        (0..<UInt64(min(source[JobPlaces.nameByteCount], UInt32(JobPlaces.nameLimit)))).map { offset in
            source[JobPlaces.name.place(offset) as Shared<UInt8>]
        }
    }

    /// Does this node have work to do for the job?
    func includes(_ node: UInt32) -> Bool { living & SystemLayout.mask(of: node) != 0 }

    /// The node that prepares and finishes: the lowest living participant; 0 if none lives.
    public var leader: UInt32 {
        living == 0 ? 0 : UInt32(living.trailingZeroBitCount) + 1
    }

    /// How many participants there are, dead ones included.
    public var participantCount: UInt32 { UInt32(participants.nonzeroBitCount) }

    /// A node's place among the participants, from 0.
    func rank(of node: UInt32) -> UInt32 {
        UInt32((participants & (SystemLayout.mask(of: node) - 1)).nonzeroBitCount)
    }

    /// The node at a place among the participants.
    func node(at rank: UInt32) -> UInt32 {
        precondition(rank < participantCount, "rank outside of the job")
        var rest = participants
        for _ in 0..<rank { rest &= rest - 1 }
        return UInt32(rest.trailingZeroBitCount) + 1
    }
}

/// Where the fields of the job record lie.
enum JobPlaces {
    static let nameLimit = 64
    static let argumentLimit = 2048

    static var number: Shared<UInt64> { place(0) }
    static var phase: Shared<UInt32> { place(8) }
    static var failedNode: Shared<UInt32> { place(12) }
    static var participants: Shared<UInt64> { place(16) }
    static var dead: Shared<UInt64> { place(24) }
    static var inputOffset: Shared<UInt64> { place(32) }
    static var inputByteCount: Shared<UInt64> { place(40) }
    static var nameByteCount: Shared<UInt32> { place(48) }
    static var argumentCount: Shared<UInt32> { place(52) }
    static var argumentByteCount: Shared<UInt32> { place(56) }
    static var programFormat: Shared<UInt32> { place(60) }
    static var name: SharedAddress { SharedAddress(page: SystemLayout.jobPage, 64) }
    static var arguments: SharedAddress { SharedAddress(page: SystemLayout.jobPage, 1024) }

    private static func place<Value>(_ offset: UInt64) -> Shared<Value> {
        Shared(page: SystemLayout.jobPage, offset)
    }
}
