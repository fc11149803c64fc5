import Wire

/// What a node knows of each page of the shared memory.
public struct PageRecord: Sendable {
    /// The newest applied commit that names the page; zero when none is known. Of a present page, its exact version.
    public var version = GlobalTime.zero
    /// Who made it; nobody means: ask the arbiter.
    public var owner = Station.nobody
    /// Whether a valid copy is here.
    public var isPresent = false

    public init() {}
}

/// A kept page version that is no longer the current one, but not yet saved either (PROTOCOL 11).
public struct PreImage: Sendable {
    public var page: PageNumber
    public var version: GlobalTime
    public var handle: FrameHandle
}

/// The kept versions, oldest first by the time they were replaced.
///
/// A version must be kept by who holds it until the arbiter's saved time reaches it: from then on the arbiter has it,
/// or a newer one that every later epoch includes. So the list is short: what changed within one saving round.
public struct PreImages: Sendable {
    private var images: [PreImage]
    public private(set) var count = 0

    public init(capacity: Int) {
        let empty = PreImage(page: PageNumber(0), version: .zero, handle: FrameHandle(0))
        images = [PreImage](repeating: empty, count: capacity)
    }

    public var isFull: Bool { count == images.count }
    public func hasRoom(_ more: Int) -> Bool { count + more <= images.count }
    public subscript(_ place: Int) -> PreImage { images[place] }

    /// Keeps a version. The caller has made sure that there is room.
    public mutating func append(_ image: PreImage) {
        precondition(!isFull, "pre-images beyond the limit")
        images[count] = image
        count += 1
    }

    /// The kept frame of exactly this version.
    public func find(_ page: PageNumber, _ version: GlobalTime) -> FrameHandle? {
        for place in 0..<count where images[place].page == page && images[place].version == version {
            return images[place].handle
        }
        return nil
    }

    /// Removes every image that `isDone` accepts and hands each to `body`.
    public mutating func remove(where isDone: (PreImage) -> Bool, _ body: (PreImage) -> Void) {
        var kept = 0
        for place in 0..<count {
            if isDone(images[place]) {
                body(images[place])
            } else {
                images[kept] = images[place]
                kept += 1
            }
        }
        count = kept
    }

    /// Takes the oldest image out.
    public mutating func removeOldest() -> PreImage? {
        guard count > 0 else { return nil }
        let oldest = images[0]
        for place in 1..<max(1, count) { images[place - 1] = images[place] }
        count -= 1
        return oldest
    }
}

/// A page that was asked for and has not arrived, or has arrived from a later time than this node's (PROTOCOL 17).
public struct Fetch: Sendable {
    public enum State: Sendable { case idle, asked, waiting }
    public var state = State.idle
    public var page = PageNumber(0)
    var question = Question()
    public var target = Station.nobody
    public var deadline: UInt64 = 0
    /// A program waits for it; else it is read-ahead and is not asked for twice.
    public var isDemand = false
    public var handle: FrameHandle? = nil
    var pieces = PagePieces()

    /// Of what has arrived.
    public var version: GlobalTime { pieces.version }

    public init() {}
}
