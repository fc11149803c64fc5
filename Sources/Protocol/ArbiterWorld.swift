import Wire

/// The world of the arbiter: its link, its image of the shared memory, and what it must not forget.
///
/// The image holds, for each page, one content: that of the newest version at its time. Contents that have arrived but
/// are not part of it yet are staged frames. `persist` returns when the next arbiter would find the fact again,
/// whatever becomes of this one.
public protocol ArbiterWorld: ~Copyable {
    var maximumFrameBytes: Int { get }
    mutating func transmit(_ byteCount: Int, _ fill: (inout MutableRawSpan) -> Void) -> Bool
    /// The content is the page's in the image when the handle is nil. False when that cannot be had: who asked for it
    /// asks again.
    mutating func transmit(_ byteCount: Int, _ content: PageContent, at target: Int,
                           _ fill: (inout MutableRawSpan) -> Void) -> Bool

    mutating func stage() -> FrameHandle
    mutating func fill(_ handle: FrameHandle, at offset: Int, with bytes: RawSpan, from start: Int, count: Int)
    mutating func discard(_ handle: FrameHandle)

    /// A page of the round of saving that is under way is here. It may be written at once, but counts for nothing
    /// before the round ends; of a page that comes twice, the later version counts.
    mutating func gathered(_ page: SavedPage)
    /// The round ends: its pages become part of the image, all at one time.
    ///
    /// - Returns: Whether the image is durable already; if not, `Arbiter.becameDurable` is told when it is.
    mutating func save(_ time: GlobalTime, _ pages: [SavedPage]) -> Bool
    /// The round under way came to nothing.
    mutating func abandonSave()
    mutating func persist(_ fact: ArbiterFact)

    mutating func randomNumber() -> UInt64
    mutating func accept(_ reply: CommandReply, from node: Station)
    mutating func accept(_ report: Report, from node: Station)
    mutating func notify(_ notice: ArbiterNotice)
}

/// A page that has been gathered, to become part of the image.
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
        /// Of those who were members in an earlier run of the arbiter nobody lives, or nothing that they did is saved.
        case nobodyLeft
    }
}
