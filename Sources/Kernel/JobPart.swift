import Heap

/// How far one node's part in the job is. The raw values lie in the shared memory.
public enum PartState: UInt32, Sendable {
    case idle = 0
    case running = 1
    case done = 2
    case failed = 3
}

/// Pages 3...66, one a node: its part in the job. Only that node writes it, so that steps of different
/// nodes do not conflict here.
///
/// | offset | part |
/// |---|---|
/// | 0 | job number that the page is about |
/// | 8 | state (32 bits) |
/// | 16 | state of the random generator |
/// | 24 | the node's commits, aborts, pages fetched when the part began (3 × 64 bits) |
/// | 48 | the same three, counted for this job alone, as of the end of the part |
/// | 72 | record of the print stream (16 bytes) |
/// | 88 | record of the node's allocator (16 bytes) |
/// | 128 | failure: vector, instruction, address (3 × 64 bits), bytes of the message (32) |
/// | 160 | message, at most 192 bytes |
/// | 1024 | state of the program, 1,024 bytes |
public struct JobPart<Source: PageSource> {
    let source: Source
    let places: PartPlaces

    /// The part of a node; for the host, over the copy of `SystemLayout.partPage(of: node)`.
    public init(of node: UInt32, in source: Source) {
        self.source = source
        places = PartPlaces(SystemLayout.partPage(of: node))
    }

    /// The job that all else here is about. A part of an older job says nothing about the current one.
    public var jobNumber: UInt64 { source[places.jobNumber] }
    /// Nil if the page holds a state of another format.
    public var state: PartState? { PartState(rawValue: source[places.state]) }
    /// What the node did for this job; written when its part ended.
    public var commits: UInt64 { source[places.commits] }
    public var aborts: UInt64 { source[places.aborts] }
    public var pagesFetched: UInt64 { source[places.pagesFetched] }
    /// What the node had done when its part began.
    public var startCommits: UInt64 { source[places.startCommits] }
    public var startAborts: UInt64 { source[places.startAborts] }
    public var startPagesFetched: UInt64 { source[places.startPagesFetched] }
    /// First page of what the program printed, to be read as `StreamBlock`s; 0 if nothing.
    public var printFirstPage: UInt32 { source[StreamRecord(places.printStream).firstPage] }
    public var printByteCount: UInt64 { source[StreamRecord(places.printStream).byteCount] }

    /// Why the part failed; nil unless it did.
    public var failure: PartFailure? {
        guard state == .failed else { return nil }
        let length = min(source[places.messageByteCount], PartPlaces.messageLimit)
        return PartFailure(
            vector: source[places.failureVector], instruction: source[places.failureInstruction],
            address: source[places.failureAddress],
            message: (0..<UInt64(length)).map { source[Shared(places.message + $0)] })
    }
}

/// Why a part failed, as the host reads it.
public struct PartFailure: Equatable, Sendable {
    /// Exception vector; `JobFailure.noVector` when the program gave up by itself.
    public let vector: UInt64
    /// Address of the instruction, 0 if there is none.
    public let instruction: UInt64
    /// Address that was accessed, for page faults.
    public let address: UInt64
    /// UTF-8.
    public let message: [UInt8]
}

/// Where the fields of one part lie.
struct PartPlaces {
    static let messageLimit: UInt32 = 192
    static let stateOffset: UInt64 = 1024
    static let stateByteCount: UInt64 = 1024

    private let page: UInt32

    init(_ page: UInt32) {
        self.page = page
    }

    var jobNumber: Shared<UInt64> { place(0) }
    var state: Shared<UInt32> { place(8) }
    var random: Shared<UInt64> { place(16) }
    var startCommits: Shared<UInt64> { place(24) }
    var startAborts: Shared<UInt64> { place(32) }
    var startPagesFetched: Shared<UInt64> { place(40) }
    var commits: Shared<UInt64> { place(48) }
    var aborts: Shared<UInt64> { place(56) }
    var pagesFetched: Shared<UInt64> { place(64) }
    var printStream: SharedAddress { SharedAddress(page: page, 72) }
    var allocator: SharedAddress { SharedAddress(page: page, 88) }
    var failureVector: Shared<UInt64> { place(128) }
    var failureInstruction: Shared<UInt64> { place(136) }
    var failureAddress: Shared<UInt64> { place(144) }
    var messageByteCount: Shared<UInt32> { place(152) }
    var message: SharedAddress { SharedAddress(page: page, 160) }
    var programState: SharedAddress { SharedAddress(page: page, Self.stateOffset) }
    /// Everything, to be cleared when a part begins.
    var all: SharedBytes {
        SharedBytes(start: SharedAddress(page: page), count: Self.stateOffset + Self.stateByteCount)
    }

    private func place<Value>(_ offset: UInt64) -> Shared<Value> { Shared(page: page, offset) }
}
