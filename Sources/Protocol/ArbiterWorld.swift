import Wire

/// The world of the arbiter: its link, its image of the shared memory, and what it must not forget.
///
/// The image holds, for each page, one content: that of the newest saved version. Contents that have arrived but are
/// not saved yet are staged frames. `persist` and `save` return when a killed arbiter would find the fact again.
public protocol ArbiterWorld: ~Copyable {
    var maximumFrameBytes: Int { get }
    mutating func transmit(_ byteCount: Int, _ fill: (inout MutableRawSpan) -> Void) -> Bool
    /// The content is the page's in the image when the handle is nil.
    mutating func transmit(_ byteCount: Int, _ content: PageContent, at target: Int,
                           _ fill: (inout MutableRawSpan) -> Void) -> Bool

    mutating func stage() -> FrameHandle
    mutating func fill(_ handle: FrameHandle, at offset: Int, with bytes: RawSpan, from start: Int, count: Int)
    mutating func discard(_ handle: FrameHandle)

    /// The staged pages become part of the image, all at one time.
    mutating func save(_ time: GlobalTime, _ pages: [SavedPage])
    mutating func persist(_ fact: ArbiterFact)

    mutating func randomNumber() -> UInt64
    mutating func accept(_ reply: CommandReply, from node: Station)
    mutating func accept(_ report: Report, from node: Station)
    mutating func notify(_ notice: ArbiterNotice)
}

/// A page that has become part of the saved image.
public struct SavedPage: Sendable {
    public var page: PageNumber
    public var version: GlobalTime
    public var handle: FrameHandle
}

/// What survives a killed arbiter (PROTOCOL 7, 8, 15).
public enum ArbiterFact: Sendable {
    /// This run of the arbiter.
    case incarnation(UInt32)
    /// A poll for this epoch is about to be sent.
    case polled(epoch: UInt32)
    case opened(EpochRecord)
    /// A node was given this incarnation, never issued before.
    case admitted(Station, incarnation: UInt32)
    case died(Station)
}

/// What an arbiter starts from: nothing, or the facts that an earlier run persisted.
public struct ArbiterState: Sendable {
    public var incarnation: UInt32 = 0
    public var polledEpoch: UInt32 = 1
    public var chain: [EpochRecord] = [EpochRecord(epoch: 1, opened: .zero)]
    public var saved = GlobalTime.zero
    /// Version of each page in the image.
    public var imageVersions: [GlobalTime]
    public var lastIncarnation: UInt32 = 0
    /// Incarnation of each node that was admitted and is not known to be dead; 0 for the others.
    public var members: [UInt32]

    public init(sharedPages: Int) {
        imageVersions = [GlobalTime](repeating: .zero, count: sharedPages)
        members = [UInt32](repeating: 0, count: Limits.maximumNodes)
    }
}

/// What a person wants to know of the arbiter's decisions.
public enum ArbiterNotice: Sendable {
    case joined(Station, incarnation: UInt32)
    case refused(Station, JoinRefusal.Reason, build: BuildIdentifier)
    case unauthentic
    case polling(epoch: UInt32, Reason)
    case opened(EpochRecord, undone: UInt64)
    case undone(GlobalTime, by: Station)

    public enum Reason: Equatable, Sendable {
        case died(Station)
        case restarted(Station)
        case tokenMissing
        case recordMissing(UInt64)
        case pageMissing(PageNumber)
        /// An earlier run of the arbiter was killed in the middle of a poll.
        case interrupted
    }
}
