import Wire

/// The head of a record of the log.
struct RecordHead: Equatable, Sendable {
    static let mark: UInt32 = 0x4352_5350
    static let byteCount = 48

    enum Kind: UInt16, Sendable {
        case summary = 1, registers, begin, page, end, copy, dropped, forgotten, retention, seal, rewind
    }

    var kind: Kind
    /// Bytes of the payload, a multiple of 8.
    var length: Int
    /// Of a page; else 0.
    var page: UInt32 = 0
    /// Counts all records, from 1.
    var sequence: UInt64
    /// So many of the records before this one were not flushed when this was written.
    var unflushed: UInt32
    /// Of a page, how many records before this one its checkpoint began; else 0.
    var begun: UInt32 = 0
    /// Of a page its version, of the end of a checkpoint its time; else 0.
    var time = GlobalTime.zero

    var byteCount: Int { Self.byteCount + length }
    /// All records before this one were on the disk when it was written.
    var vouched: UInt64 { sequence - min(UInt64(unflushed), sequence) }
    /// The sequence number of the checkpoint that a page belongs to: that of its begin.
    var checkpoint: UInt64 { begun == 0 ? 0 : sequence - UInt64(begun) }
}

/// Where records of a segment stand and whose they are. It goes into the tag of each, so that a record counts only at
/// the place where it was written.
struct RecordPlace: Sendable {
    /// Bytes from which on a payload counts as its digest.
    static let longPayload = 64

    var key: LogKey
    /// Of the store that wrote the segment.
    var identity: UInt64
    var segment: UInt64

    /// Puts a head and its tag in front of a payload that is there already.
    func emit(_ head: RecordHead, into bytes: inout MutableRawSpan, from start: Int, at offset: Int) {
        bytes.store(RecordHead.mark, at: start)
        bytes.store(head.kind.rawValue, at: start + 4)
        bytes.store(UInt16(0), at: start + 6)
        bytes.store(UInt32(head.length), at: start + 8)
        bytes.store(head.page, at: start + 12)
        bytes.store(head.sequence, at: start + 16)
        bytes.store(head.unflushed, at: start + 24)
        bytes.store(head.begun, at: start + 28)
        bytes.store(head.time.raw, at: start + 32)
        let tag = tag(bytes.bytes.extracting(start..<start + head.byteCount), at: offset)
        bytes.store(tag, at: start + 40)
    }

    /// The head of the record that begins at byte `start` of the bytes, which stand at `offset` of the segment; nil
    /// when no sound record stands there.
    ///
    /// - Throws: `.newerFormat` for a sound record of a kind that is not known.
    func parse(_ bytes: RawSpan, from start: Int, at offset: Int) throws(StoreError) -> RecordHead? {
        guard bytes.byteCount - start >= RecordHead.byteCount,
            bytes.load(UInt32.self, at: start) == RecordHead.mark
        else { return nil }
        let length = Int(bytes.load(UInt32.self, at: start + 8))
        guard length % 8 == 0, length <= bytes.byteCount - start - RecordHead.byteCount else { return nil }
        let record = bytes.extracting(start..<start + RecordHead.byteCount + length)
        guard record.load(UInt64.self, at: 40) == tag(record, at: offset) else { return nil }
        guard let kind = RecordHead.Kind(rawValue: record.load(UInt16.self, at: 4)),
            record.load(UInt16.self, at: 6) == 0
        else { throw .newerFormat(Superblock.format + 1) }
        let head = RecordHead(
            kind: kind, length: length, page: record.load(UInt32.self, at: 12),
            sequence: record.load(UInt64.self, at: 16), unflushed: record.load(UInt32.self, at: 24),
            begun: record.load(UInt32.self, at: 28), time: GlobalTime(raw: record.load(UInt64.self, at: 32)))
        return UInt64(head.begun) <= head.sequence && head.sequence < LogPosition.countLimit ? head : nil
    }

    /// Half of a SipHash-2-4-128 over the place, the head without the tag, and the payload: a long one as its digest,
    /// but not in the first format.
    ///
    /// Not CRC-32C: its 32 bits are few for stores that are read end to end every day, it knows no key, and without the
    /// processor's instruction, which Swift does not reach, it is no faster. The key matters: pages hold what programs
    /// put there, and bytes that look like a record must not become one when a damaged segment is searched.
    func tag(_ record: RawSpan, at offset: Int) -> UInt64 {
        var hash = SipHash(key: key.hash)
        hash.absorb(identity)
        hash.absorb(segment)
        hash.absorb(UInt64(offset))
        for word in 0..<5 { hash.absorb(record.load(UInt64.self, at: 8 * word)) }
        guard key.format > 1, record.byteCount - RecordHead.byteCount >= Self.longPayload else {
            return hash.finish(record, from: RecordHead.byteCount).low
        }
        let payload = record.extracting(RecordHead.byteCount..<record.byteCount)
        hash.absorb(XXHash64.hash(payload, seed: key.hash.low))
        return hash.finish(RawSpan(), from: 0).low
    }

    /// The digest of a segment after one more record, or its header, with this tag.
    func chain(_ chain: UInt64, _ tag: UInt64) -> UInt64 {
        var hash = SipHash(key: key.hash)
        hash.absorb(chain)
        hash.absorb(tag)
        return hash.finish(RawSpan(), from: 0).low
    }
}

/// What the tags of a log are made with.
struct LogKey: Equatable, Sendable {
    var hash: SipHash.Key
    /// Of the store: its superblock says it.
    var format: UInt32
}

/// The first bytes of a segment: which one it is, and behind which one it follows.
struct SegmentHeader: Equatable, Sendable {
    static let magic: UInt64 = 0x4753_5849_5255_4C50
    static let byteCount = 64

    var number: UInt64
    var identity: UInt64
    /// Where the log was when this segment was begun: the end of its predecessor, and the sequence number that its
    /// first record has.
    var predecessor: LogPosition

    func bytes(key: LogKey) -> [UInt8] {
        var writer = WordWriter()
        for word in [
            Self.magic, number, identity, predecessor.segment, UInt64(predecessor.offset), predecessor.chain,
            predecessor.sequence,
        ] { writer.append(word) }
        writer.append(Self.tag(writer.bytes.span.bytes, key))
        return writer.bytes
    }

    /// Nil when no sound header of this segment stands there.
    static func parse(_ bytes: RawSpan, number: UInt64, key: LogKey) -> SegmentHeader? {
        guard bytes.byteCount >= byteCount else { return nil }
        func word(_ index: Int) -> UInt64 { bytes.load(UInt64.self, at: 8 * index) }
        guard word(0) == magic, word(1) == number, word(7) == tag(bytes.extracting(0..<56), key) else { return nil }
        let predecessor = LogPosition(
            segment: word(3), offset: Int(truncatingIfNeeded: word(4)), sequence: word(6), chain: word(5))
        guard predecessor.isPossible, predecessor.segment < number, number < LogPosition.countLimit else { return nil }
        return SegmentHeader(number: number, identity: word(2), predecessor: predecessor)
    }

    private static func tag(_ bytes: RawSpan, _ key: LogKey) -> UInt64 {
        var hash = SipHash(key: key.hash)
        return hash.finish(bytes, from: 0).low
    }

    /// The tag of a header in its bytes: the chain of the segment begins with it.
    static func tag(of bytes: RawSpan) -> UInt64 { bytes.load(UInt64.self, at: 56) }
}

extension RecordPlace {
    /// Whether the sound record of this version of a page begins at byte `start` of the bytes.
    func isPage(
        _ page: UInt32, _ version: PageIndex.Version, _ geometry: Geometry, _ bytes: RawSpan, from start: Int
    ) throws(StoreError) -> Bool {
        guard let head = try parse(bytes, from: start, at: Int(version.offset)) else { return false }
        return head.page == page && head.time == version.version && head.length == geometry.pageBytes
            && (head.kind == .page || head.kind == .copy)
    }
}
