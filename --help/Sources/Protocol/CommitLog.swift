import Planted
import Wire

/// The last commits: who changed which pages when. Records may arrive early, late, twice and in pieces; they are kept
/// by the counter of their time, in a ring whose size bounds how far behind a node may fall before it must rejoin.
///
/// Page numbers lie in one arena that is written round and round. A record is gone when its words were overwritten.
public struct CommitLog: Sendable {
    public struct Entry: Sendable {
        public var time = GlobalTime.zero
        public var digest: UInt64 = 0
        public var tokenNumber: UInt32 = 0
        public var committerIncarnation: UInt32 = 0
        public var committer = Station.nobody
        /// Pages of the write set.
        public var total = 0
        /// Pieces still missing, one bit each.
        var missing: UInt64 = 0
        /// Where the pages begin, counted from the first word ever written.
        var start: UInt64 = 0
        var isUsed = false

        /// Whether all pieces are here (PROTOCOL 16).
        public var isComplete: Bool { missing == 0 }
    }

    private var entries: [Entry]
    private var words: [UInt32]
    private var position: UInt64 = 0

    /// - Parameters: entries and words: how many commits and page numbers are kept; powers of two.
    public init(entries: Int, words: Int) {
        precondition(entries & (entries - 1) == 0 && words & (words - 1) == 0, "sizes are powers of two")
        self.entries = [Entry](repeating: Entry(), count: entries)
        self.words = [UInt32](repeating: 0, count: words)
    }

    public var capacity: Int { entries.count }

    private func slot(_ counter: UInt64) -> Int { Int(truncatingIfNeeded: counter) & (entries.count - 1) }
    private func isIntact(_ entry: Entry) -> Bool { position - entry.start <= UInt64(words.count) }

    /// The record with this counter, complete or not; nil when it is not (or no longer) here.
    public func entry(_ counter: UInt64) -> Entry? {
        let entry = entries[slot(counter)]
        guard entry.isUsed, entry.time.counter == counter, isIntact(entry) else { return nil }
        return entry
    }

    /// The page at a place of a record's write set.
    @inline(__always)
    public func page(_ place: Int, of entry: Entry) -> PageNumber {
        PageNumber(words[Int(truncatingIfNeeded: entry.start &+ UInt64(place)) & (words.count - 1)])
    }

    /// Whether a record of `total` pages fits without losing the records from `counter` on.
    public func hasRoom(_ total: Int, protecting counter: UInt64, upTo last: UInt64) -> Bool {
        guard last &+ 1 &- counter < UInt64(entries.count) - 64 else { return false }
        guard last >= counter, let oldest = entry(counter) else { return total <= words.count / 2 }
        return position + UInt64(total) - oldest.start <= UInt64(words.count) - UInt64(words.count / 8)
    }

    private mutating func open(_ time: GlobalTime, digest: UInt64, tokenNumber: UInt32, committer: Station,
                               incarnation: UInt32, total: Int, missing: UInt64) {
        entries[slot(time.counter)] = Entry(
            time: time, digest: digest, tokenNumber: tokenNumber, committerIncarnation: incarnation,
            committer: committer, total: total, missing: missing, start: position, isUsed: true)
        position += UInt64(total)
    }

    private mutating func store(_ page: PageNumber, at place: Int, of start: UInt64) {
        words[Int(truncatingIfNeeded: start &+ UInt64(place)) & (words.count - 1)] = page.index
    }

    /// Appends an own commit, whole. Its record must be the next after the last applied one.
    public mutating func append(_ time: GlobalTime, tokenNumber: UInt32, committer: Station, incarnation: UInt32,
                                pages: [UInt32], count: Int) {
        var digest = SipHash(key: Self.digestKey)
        for place in 0..<count { digest.absorb(UInt64(pages[place])) }
        let value = RecordPiece.pieces(of: count) == 1 ? 0 : digest.finish(RawSpan(), from: 0).low
        open(time, digest: value, tokenNumber: tokenNumber, committer: committer, incarnation: incarnation,
             total: count, missing: 0)
        let start = entries[slot(time.counter)].start
        for place in 0..<count { store(PageNumber(pages[place]), at: place, of: start) }
    }

    /// Takes in a piece of a record. Repeated pieces change nothing. False for one that contradicts its record, that is
    /// older than what the slot holds, or that is larger than the log.
    public mutating func insert(_ piece: RecordPiece, from frame: RawSpan, at offset: Int) -> Bool {
        let counter = piece.time.counter
        let place = slot(counter)
        let total = Int(piece.total)
        guard counter > 0, total <= words.count / 2 else { return false }
        let old = entries[place]
        let isSame = old.isUsed && old.time == piece.time && isIntact(old)
        if isSame {
            guard old.total == total, old.digest == piece.digest, old.committer == piece.committer else { return false }
            guard old.missing & (1 << UInt64(piece.index)) != 0 else { return true }
        } else {
            if old.isUsed && isIntact(old) && old.time.counter > counter { return false }
            let all: UInt64 = piece.count == 64 ? .max : (1 << UInt64(piece.count)) - 1
            open(piece.time, digest: piece.digest, tokenNumber: piece.tokenNumber, committer: piece.committer,
                 incarnation: piece.committerIncarnation, total: total, missing: all)
        }
        let start = entries[place].start
        for index in 0..<Int(piece.pages) {
            store(RecordPiece.page(index, of: frame, at: offset), at: (planted(56) ? 0 : piece.firstIndex) + index, of: start)
        }
        entries[place].missing &= ~(1 << UInt64(piece.index))
        return entries[place].missing != 0 || verify(place)
    }

    /// Checks the digest of a record that has just become complete; one that does not fit is forgotten.
    private mutating func verify(_ place: Int) -> Bool {
        let entry = entries[place]
        guard entry.digest != 0 || RecordPiece.pieces(of: entry.total) > 1 else { return true }
        var digest = SipHash(key: Self.digestKey)
        for index in 0..<entry.total { digest.absorb(UInt64(page(index, of: entry).index)) }
        if digest.finish(RawSpan(), from: 0).low == entry.digest { return true }
        entries[place].isUsed = false
        return false
    }

    /// Forgets every record later than `time`: they are undone.
    public mutating func removeAll(after time: GlobalTime) {
        for place in entries.indices where entries[place].isUsed && entries[place].time > time {
            entries[place].isUsed = false
        }
    }

    /// Forgets everything.
    public mutating func removeAll() {
        for place in entries.indices { entries[place].isUsed = false }
    }

    /// The head of a record's piece, as it goes out.
    public func piece(_ index: Int, of entry: Entry) -> RecordPiece {
        let first = index * RecordPiece.maximumPages
        return RecordPiece(
            time: entry.time, digest: entry.digest, tokenNumber: entry.tokenNumber, committer: entry.committer,
            committerIncarnation: entry.committerIncarnation, index: UInt8(index),
            count: UInt8(RecordPiece.pieces(of: entry.total)), total: UInt32(entry.total),
            pages: UInt16(min(RecordPiece.maximumPages, entry.total - first)))
    }

    /// Writes a piece with its pages at `offset` of a frame.
    public func emit(_ piece: RecordPiece, of entry: Entry, into frame: inout MutableRawSpan, at offset: Int) {
        piece.emit(into: &frame, at: offset)
        for index in 0..<Int(piece.pages) {
            frame.store(page(piece.firstIndex + index, of: entry).index,
                        at: offset + RecordPiece.headBytes + 4 * index)
        }
    }

    /// How many records from `counter` to `last` go into one frame's `limit` bytes, and the bytes they take: whole
    /// records of one piece each. None when the first is not here, incomplete, or of several pieces.
    public func run(from counter: UInt64, to last: UInt64, limit: Int) -> (count: UInt64, bytes: Int) {
        var count: UInt64 = 0
        var bytes = 0
        while counter + count <= last, let entry = entry(counter + count), entry.isComplete,
            RecordPiece.pieces(of: entry.total) == 1 {
            let more = RecordPiece.headBytes + 4 * entry.total
            guard bytes + more <= limit else { break }
            bytes += more
            count += 1
        }
        return (count, bytes)
    }

    /// Writes a run of records, one behind the other, at `offset` of a frame.
    public func emitRun(from counter: UInt64, count: UInt64, into frame: inout MutableRawSpan, at offset: Int) {
        var at = offset
        for next in counter..<counter + count {
            guard let entry = entry(next) else { preconditionFailure("a run's records are here") }
            let piece = piece(0, of: entry)
            emit(piece, of: entry, into: &frame, at: at)
            at += piece.byteCount
        }
    }

    /// Digests need no secret: each frame is authenticated; they only tie the pieces of one commit together.
    private static let digestKey = SipHash.Key(low: 0x506c_7572_6978, high: 0x636f_6d6d_6974)
}
