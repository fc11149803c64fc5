/// A request for pages. Sent to the owner that the last commit names, to everyone when that is not known, and passed on
/// by the arbiter on the requester's behalf.
public struct PageRequest: Message {
    public static let kind = FrameHeader.Kind.pageRequest
    /// Fresh for each thing that is wanted, and the same however often that is asked for: a reply to an earlier want is
    /// not taken (PROTOCOL 17).
    public var nonce: UInt64
    public var page: PageNumber
    /// 1…16 consecutive pages; all but the first are read-ahead and may be left unanswered.
    public var count: UInt16
    public var requester: Station
    public var requesterIncarnation: UInt32
    /// The requester's applied time when it asked; who is behind it does not answer.
    public var applied: GlobalTime
    /// The exact version wanted, for the arbiter's saving; zero means the current one.
    public var wanted: GlobalTime

    public init(nonce: UInt64, page: PageNumber, count: UInt16, requester: Station, requesterIncarnation: UInt32,
                applied: GlobalTime, wanted: GlobalTime = .zero) {
        self.nonce = nonce
        self.page = page
        self.count = count
        self.requester = requester
        self.requesterIncarnation = requesterIncarnation
        self.applied = applied
        self.wanted = wanted
    }

    public var byteCount: Int { 40 }
    public func emit(into frame: inout MutableRawSpan) {
        frame.store(nonce, at: Payload.at(0))
        frame.store(page.index, at: Payload.at(8))
        frame.store(count, at: Payload.at(12))
        frame.store(requester.number, at: Payload.at(14))
        frame.store(UInt8(0), at: Payload.at(15))
        frame.store(requesterIncarnation, at: Payload.at(16))
        frame.store(UInt32(0), at: Payload.at(20))
        frame.store(applied.raw, at: Payload.at(24))
        frame.store(wanted.raw, at: Payload.at(32))
    }
    public static func parse(_ frame: RawSpan) -> PageRequest? {
        guard Payload.count(frame) == 40 else { return nil }
        let count = frame.load(UInt16.self, at: Payload.at(12))
        guard count >= 1, Int(count) <= Limits.maximumRequestPages else { return nil }
        return PageRequest(
            nonce: frame.load(UInt64.self, at: Payload.at(0)),
            page: PageNumber(frame.load(UInt32.self, at: Payload.at(8))),
            count: count, requester: Station(frame.load(UInt8.self, at: Payload.at(14))),
            requesterIncarnation: frame.load(UInt32.self, at: Payload.at(16)),
            applied: GlobalTime(raw: frame.load(UInt64.self, at: Payload.at(24))),
            wanted: GlobalTime(raw: frame.load(UInt64.self, at: Payload.at(32))))
    }
}

/// The head of a piece of a page; the bytes follow it. A page of zeros travels without bytes.
public struct PageReply: Message {
    public static let kind = FrameHeader.Kind.pageReply
    public static let headBytes = 32
    /// The nonce of a page that nobody asked for: a node pushes what a durable commit has written (PROTOCOL 27).
    public static let unasked: UInt64 = 0
    public var nonce: UInt64
    public var page: PageNumber
    /// The commit time that last changed the page.
    public var version: GlobalTime
    public var index: UInt8
    /// Pieces of the page: 1 on a jumbo segment, 3 at MTU 1500, 0 pieces never.
    public var count: UInt8
    /// Where the piece begins in the page, in bytes.
    public var offset: UInt16
    /// Bytes that follow.
    public var length: UInt16

    public init(nonce: UInt64, page: PageNumber, version: GlobalTime, index: UInt8, count: UInt8, offset: UInt16,
                length: UInt16) {
        self.nonce = nonce
        self.page = page
        self.version = version
        self.index = index
        self.count = count
        self.offset = offset
        self.length = length
    }

    /// The most bytes of a page in one frame of `maximumFrame` bytes, a multiple of 8.
    public static func pieceBytes(maximumFrame: Int) -> Int {
        min(Limits.pageBytes, (maximumFrame - Limits.headerBytes - headBytes) & ~7)
    }

    /// Frames of `maximumFrame` bytes that a page takes.
    public static func pieces(maximumFrame: Int) -> Int {
        let most = pieceBytes(maximumFrame: maximumFrame)
        return (Limits.pageBytes + most - 1) / most
    }

    /// Bytes of every piece of this page but the last: how the page is cut.
    public var stride: Int { index + 1 < count || index == 0 ? Int(length) : Int(offset) / Int(index) }

    /// Whether the pieces of this cut cover the page exactly: none of it twice, none of it never. Only what was never
    /// committed has no bytes.
    private var isExact: Bool {
        guard version > .zero else { return count == 1 && offset == 0 && length == 0 }
        if count == 1 { return offset == 0 && Int(length) == Limits.pageBytes }
        let stride = stride
        let start = Int(index) * stride
        guard stride > 0, (Int(count) - 1) * stride < Limits.pageBytes, Limits.pageBytes <= Int(count) * stride
        else { return false }
        return Int(offset) == start && Int(length) == min(stride, Limits.pageBytes - start)
    }

    public var byteCount: Int { Self.headBytes + Int(length) }
    /// Where the bytes lie in the frame.
    public static let dataOffset = Limits.headerBytes + headBytes

    public func emit(into frame: inout MutableRawSpan) {
        frame.store(nonce, at: Payload.at(0))
        frame.store(version.raw, at: Payload.at(8))
        frame.store(page.index, at: Payload.at(16))
        frame.store(index, at: Payload.at(20))
        frame.store(count, at: Payload.at(21))
        frame.store(offset, at: Payload.at(22))
        frame.store(length, at: Payload.at(24))
        frame.store(UInt16(0), at: Payload.at(26))
        frame.store(UInt32(0), at: Payload.at(28))
    }
    public static func parse(_ frame: RawSpan) -> PageReply? {
        guard Payload.count(frame) >= headBytes else { return nil }
        let reply = PageReply(
            nonce: frame.load(UInt64.self, at: Payload.at(0)),
            page: PageNumber(frame.load(UInt32.self, at: Payload.at(16))),
            version: GlobalTime(raw: frame.load(UInt64.self, at: Payload.at(8))),
            index: frame.load(UInt8.self, at: Payload.at(20)), count: frame.load(UInt8.self, at: Payload.at(21)),
            offset: frame.load(UInt16.self, at: Payload.at(22)), length: frame.load(UInt16.self, at: Payload.at(24)))
        guard Payload.count(frame) == reply.byteCount, reply.count >= 1, reply.count <= 8, reply.index < reply.count,
            reply.isExact
        else { return nil }
        return reply
    }
}

/// The asked station does not have the page (any more).
public struct PageAbsent: Message {
    public static let kind = FrameHeader.Kind.pageAbsent
    public var nonce: UInt64
    public var page: PageNumber

    public init(nonce: UInt64, page: PageNumber) {
        self.nonce = nonce
        self.page = page
    }

    public var byteCount: Int { 16 }
    public func emit(into frame: inout MutableRawSpan) {
        frame.store(nonce, at: Payload.at(0))
        frame.store(UInt64(page.index), at: Payload.at(8))
    }
    public static func parse(_ frame: RawSpan) -> PageAbsent? {
        guard Payload.count(frame) == 16, let page = UInt32(exactly: frame.load(UInt64.self, at: Payload.at(8)))
        else { return nil }
        return PageAbsent(nonce: frame.load(UInt64.self, at: Payload.at(0)), page: PageNumber(page))
    }
}
