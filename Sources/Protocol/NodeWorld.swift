import Wire

/// A frame of memory outside of the window: an arriving page, or a kept pre-image. The world's own number for it.
public struct FrameHandle: Equatable, Sendable {
    public let number: UInt32
    @inline(__always) public init(_ number: UInt32) { self.number = number }
}

/// A part of a page's committed content (never what the running transaction wrote), or of a kept frame when `handle` is
/// given.
public struct PageContent: Sendable {
    public var page: PageNumber
    public var handle: FrameHandle?
    public var offset: Int
    public var count: Int

    public init(page: PageNumber, handle: FrameHandle?, offset: Int, count: Int) {
        self.page = page
        self.handle = handle
        self.offset = offset
        self.count = count
    }
}

/// Whole pages, each its committed content or a kept frame.
public struct PageRun: Sendable {
    /// At most `Limits.trainPages`.
    public private(set) var count = 0
    private var pages = Limits.PerTrainPage<UInt32>(repeating: 0)
    private var handles = Limits.PerTrainPage<FrameHandle?>(repeating: nil)

    init() {}

    mutating func append(_ page: PageNumber, _ handle: FrameHandle?) {
        pages[count] = page.index
        handles[count] = handle
        count += 1
    }

    public subscript(_ place: Int) -> PageContent {
        // By spans: else each look copies both arrays.
        PageContent(
            page: PageNumber(pages.span[place]), handle: handles.span[place], offset: 0, count: Limits.pageBytes)
    }
}

/// The world of a node's protocol core: its link and its memory, given as a parameter.
///
/// The core decides, the world does: in the image it is page tables and a network card, in the simulation an array
/// and a queue. Memory must be asked synchronously (“has the running transaction touched this page?” decides whether
/// a commit dooms it), therefore effects are calls on the world and not a list of actions. The core reads no clock:
/// the time of each event comes with it, in nanoseconds.
public protocol NodeWorld: ~Copyable {
    /// The largest Ethernet frame that the link carries, bytes.
    var maximumFrameBytes: Int { get }
    /// Sends a frame of `byteCount` bytes that `fill` writes. False when it could not be sent; it is then simply lost.
    mutating func transmit(_ byteCount: Int, _ fill: (inout MutableRawSpan) -> Void) -> Bool
    /// The same for a frame with a part of a page: the world copies `content` to `target` before it calls `fill`.
    mutating func transmit(_ byteCount: Int, _ content: PageContent, at target: Int,
                           _ fill: (inout MutableRawSpan) -> Void) -> Bool

    /// Pages that one frame to the arbiter may carry; less than 2 where such frames do not pass.
    var trainPages: Int { get }
    /// Sends a train of these pages. False when the frame could not be sent: the pages then go one by one.
    mutating func transmit(_ run: PageRun, _ writer: inout TrainWriter) -> Bool

    /// Whether the running transaction has read or written the page.
    func isAccessed(_ page: PageNumber) -> Bool
    /// Makes the whole shared memory unreachable for the running transaction, at once (opacity).
    mutating func doom()

    /// A frame for a page that is arriving, and whatever its installation will need; nil when memory is short (the page
    /// is then asked for again later).
    mutating func stage(for page: PageNumber) -> FrameHandle?
    /// Copies `count` bytes of `bytes` from `start` on to `offset` of a staged frame.
    mutating func fill(_ handle: FrameHandle, at offset: Int, with bytes: RawSpan, from start: Int, count: Int)
    /// Clears `count` bytes of a staged frame.
    mutating func clear(_ handle: FrameHandle, at offset: Int, count: Int)
    /// Makes a staged frame the read-only copy of a page.
    mutating func install(_ handle: FrameHandle, as page: PageNumber)
    /// Gives a frame back.
    mutating func discard(_ handle: FrameHandle)
    /// Unmaps a page and gives its frames back.
    mutating func drop(_ page: PageNumber)
    /// Unmaps a page and keeps its last committed content.
    mutating func retain(_ page: PageNumber) -> FrameHandle
    /// The page that the running transaction has written becomes the committed copy; returns the content before.
    mutating func publish(_ page: PageNumber) -> FrameHandle
    /// A command of the host; its payload is in `frame`. The world runs it as a transaction and answers with `reply`.
    mutating func accept(_ command: Command, from frame: RawSpan)
    /// An epoch has undone every commit later than `time`: what waits for them to be saved, and what devices hold of
    /// them, goes back too [P3]. Called before anything that the new epoch saved is announced.
    mutating func rollback(to time: GlobalTime)
    /// Something worth keeping in the flight recorder.
    mutating func record(_ event: ProtocolEvent)
}

/// A link without trains.
extension NodeWorld where Self: ~Copyable {
    public var trainPages: Int { 0 }
    public mutating func transmit(_ run: PageRun, _ writer: inout TrainWriter) -> Bool { false }
}

/// What the flight recorder keeps of the protocol.
public enum ProtocolEvent: Sendable {
    case joined(incarnation: UInt32, applied: GlobalTime)
    case refused(JoinRefusal.Reason)
    case keyMismatch
    case committed(GlobalTime, pages: Int)
    case applied(GlobalTime, committer: Station)
    case doomed(PageNumber, by: GlobalTime)
    case tokenGranted(number: UInt32, to: Station)
    case tokenTaken(number: UInt32)
    case frozen(epoch: UInt32)
    case epochOpened(epoch: UInt32, at: GlobalTime)
    case asked(PageNumber, of: Station)
    case installed(PageNumber, GlobalTime)
    case rejoining
}
