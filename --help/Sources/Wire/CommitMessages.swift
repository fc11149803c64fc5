/// One piece of a commit's record: the head; the page numbers (4 bytes each) follow it.
///
/// A commit whose write set does not fit one frame travels in several pieces, numbered, under one time and one digest
/// (PROTOCOL 16). The same layout serves the committer's broadcast, catch-up and token grants.
public struct RecordPiece: Equatable, Sendable {
    public static let headBytes = 40
    /// Pages in one piece, so that it fits a standard frame: 72 + 8 + 40 + 4 × 320 ≤ 1514.
    public static let maximumPages = 320
    /// Pieces of one commit: one bit each in a 64-bit set.
    public static let maximumPieces = 64

    public var time: GlobalTime
    /// Digest over the whole write set; zero when there is one piece.
    public var digest: UInt64
    public var tokenNumber: UInt32
    public var committerIncarnation: UInt32
    public var committer: Station
    public var index: UInt8
    public var count: UInt8
    /// Pages of the whole commit.
    public var total: UInt32
    /// Pages in this piece.
    public var pages: UInt16

    public init(time: GlobalTime, digest: UInt64, tokenNumber: UInt32, committer: Station, committerIncarnation: UInt32,
                index: UInt8, count: UInt8, total: UInt32, pages: UInt16) {
        self.time = time
        self.digest = digest
        self.tokenNumber = tokenNumber
        self.committer = committer
        self.committerIncarnation = committerIncarnation
        self.index = index
        self.count = count
        self.total = total
        self.pages = pages
    }

    public var byteCount: Int { Self.headBytes + 4 * Int(pages) }
    /// Where this piece's pages begin in the whole write set.
    public var firstIndex: Int { Int(index) * Self.maximumPages }

    /// Pieces that a write set of `total` pages needs.
    public static func pieces(of total: Int) -> Int { max(1, (total + maximumPages - 1) / maximumPages) }

    public func emit(into frame: inout MutableRawSpan, at offset: Int) {
        frame.store(time.raw, at: offset)
        frame.store(digest, at: offset + 8)
        frame.store(tokenNumber, at: offset + 16)
        frame.store(committerIncarnation, at: offset + 20)
        frame.store(committer.number, at: offset + 24)
        frame.store(index, at: offset + 25)
        frame.store(count, at: offset + 26)
        frame.store(UInt8(0), at: offset + 27)
        frame.store(total, at: offset + 28)
        frame.store(pages, at: offset + 32)
        frame.store(UInt16(0), at: offset + 34)
        frame.store(UInt32(0), at: offset + 36)
    }

    /// The piece at `offset`, if the frame holds all of it and its numbers fit together.
    public static func parse(_ frame: RawSpan, at offset: Int) -> RecordPiece? {
        guard offset >= 0, offset <= frame.byteCount - headBytes else { return nil }
        let piece = RecordPiece(
            time: GlobalTime(raw: frame.load(UInt64.self, at: offset)), digest: frame.load(UInt64.self, at: offset + 8),
            tokenNumber: frame.load(UInt32.self, at: offset + 16),
            committer: Station(frame.load(UInt8.self, at: offset + 24)),
            committerIncarnation: frame.load(UInt32.self, at: offset + 20),
            index: frame.load(UInt8.self, at: offset + 25), count: frame.load(UInt8.self, at: offset + 26),
            total: frame.load(UInt32.self, at: offset + 28), pages: frame.load(UInt16.self, at: offset + 32))
        guard offset + piece.byteCount <= frame.byteCount, piece.committer.isNode, Int(piece.count) <= maximumPieces,
            Int(piece.total) <= maximumPages * maximumPieces, Int(piece.count) == pieces(of: Int(piece.total)),
            piece.index < piece.count
        else { return nil }
        let expected = min(maximumPages, Int(piece.total) - piece.firstIndex)
        guard Int(piece.pages) == expected else { return nil }
        return piece
    }

    /// The page at `index` of the piece that begins at `offset`.
    @inline(__always)
    public static func page(_ index: Int, of frame: RawSpan, at offset: Int) -> PageNumber {
        PageNumber(frame.load(UInt32.self, at: offset + headBytes + 4 * index))
    }
}

/// The list of pieces that a commit, a reply to a record request, or a token grant carries from `offset` on.
public enum RecordList {
    /// Calls `body` with each piece and its offset; false when the bytes are not a list of sound pieces.
    public static func forEach(_ frame: RawSpan, at offset: Int, _ body: (RecordPiece, Int) -> Void) -> Bool {
        var at = offset
        while at < frame.byteCount {
            guard let piece = RecordPiece.parse(frame, at: at) else { return false }
            body(piece, at)
            at += piece.byteCount
        }
        return true
    }
}

/// Asks for commit records from `first` on (a counter, as global times of old epochs are not known to who asks).
public struct RecordRequest: Message {
    public static let kind = FrameHeader.Kind.recordRequest
    public var first: UInt64
    public var count: UInt32

    public init(first: UInt64, count: UInt32) {
        self.first = first
        self.count = count
    }

    public var byteCount: Int { 16 }
    public func emit(into frame: inout MutableRawSpan) {
        frame.store(first, at: Payload.at(0))
        frame.store(UInt64(count), at: Payload.at(8))
    }
    public static func parse(_ frame: RawSpan) -> RecordRequest? {
        guard Payload.count(frame) == 16, let count = UInt32(exactly: frame.load(UInt64.self, at: Payload.at(8))),
            count >= 1, frame.load(UInt64.self, at: Payload.at(0)) <= Limits.maximumCounter
        else { return nil }
        return RecordRequest(first: frame.load(UInt64.self, at: Payload.at(0)), count: count)
    }
}

/// Something that should be there is not: told to the arbiter, which alone may declare it lost (PROTOCOL 10).
public struct Missing: Message {
    public static let kind = FrameHeader.Kind.missing
    public enum Thing: UInt8, Sendable { case token = 1, record, page }
    public var thing: Thing
    /// The counter of the record, the index of the page, or 0.
    public var detail: UInt64

    public init(thing: Thing, detail: UInt64) {
        self.thing = thing
        self.detail = detail
    }

    public var byteCount: Int { 16 }
    public func emit(into frame: inout MutableRawSpan) {
        frame.store(detail, at: Payload.at(0))
        frame.store(UInt64(thing.rawValue), at: Payload.at(8))
    }
    public static func parse(_ frame: RawSpan) -> Missing? {
        guard Payload.count(frame) == 16, let number = UInt8(exactly: frame.load(UInt64.self, at: Payload.at(8))),
            let thing = Thing(rawValue: number)
        else { return nil }
        return Missing(thing: thing, detail: frame.load(UInt64.self, at: Payload.at(0)))
    }
}
