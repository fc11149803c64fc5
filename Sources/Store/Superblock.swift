import Wire

/// Who a store is, and up to where its log was seen on the disk: one of two blocks that are written in turn.
///
/// The log itself says what it holds. A superblock vouches for it: a log that ends before the *floor* was damaged, one
/// that ends behind it ends where the last writer was interrupted.
struct Superblock: Equatable, Sendable {
    static let magic: UInt64 = 0x5453_5849_5255_4C50
    /// The newest one; older ones are read, and gone on with as they are.
    static let format: UInt32 = 2
    static let byteCount = 128

    var cluster: UInt64
    /// Of this store alone: a copy that becomes a cluster of its own gets another.
    var identity: UInt64
    /// Of the tags of all records.
    var key: LogKey
    var geometry: Geometry
    /// Counts the superblocks that were written; the higher one counts.
    var generation: UInt64 = 0
    var floor = LogPosition()

    /// The bytes of the block as number `slot`. A block in the other one's place is no superblock.
    func bytes(slot: Int) -> [UInt8] {
        var writer = WordWriter()
        for word in words { writer.append(word) }
        writer.append(Self.tag(writer.bytes.span.bytes, slot: slot))
        return writer.bytes
    }

    private var words: [UInt64] {
        [
            Self.magic, UInt64(key.format) | UInt64(geometry.pageBytes) << 32, cluster, identity, key.hash.low,
            key.hash.high,
            UInt64(geometry.pageCount) | UInt64(geometry.segmentBytes) << 32, generation,
            floor.segment, UInt64(floor.offset), floor.sequence, floor.chain, UInt64(geometry.reserveBytes), 0, 0,
        ]
    }

    /// What the bytes say; nil when they are not what was written there.
    ///
    /// - Throws: `.newerFormat`. Its tag is at the same place in every format.
    static func parse(_ bytes: [UInt8], slot: Int) throws(StoreError) -> Superblock? {
        guard bytes.count == byteCount else { return nil }
        let span = bytes.span.bytes
        func word(_ index: Int) -> UInt64 { span.load(UInt64.self, at: 8 * index) }
        guard word(0) == magic, word(15) == tag(span.extracting(0..<120), slot: slot) else { return nil }
        let format = UInt32(truncatingIfNeeded: word(1))
        guard (1...Self.format).contains(format) else { throw .newerFormat(format) }
        let geometry = Geometry(
            pageBytes: Int(word(1) >> 32), pageCount: Int(word(6) & 0xFFFF_FFFF), segmentBytes: Int(word(6) >> 32),
            reserveBytes: Int(truncatingIfNeeded: word(12)))
        let floor = LogPosition(
            segment: word(8), offset: Int(truncatingIfNeeded: word(9)), sequence: word(10), chain: word(11))
        guard geometry.isPossible, floor.isPossible, word(7) < LogPosition.countLimit else { return nil }
        return Superblock(
            cluster: word(2), identity: word(3),
            key: LogKey(hash: SipHash.Key(low: word(4), high: word(5)), format: format), geometry: geometry,
            generation: word(7), floor: floor)
    }

    /// The store's own key stands in the block, so this one is fixed: it only finds damage.
    static func tag(_ bytes: RawSpan, slot: Int) -> UInt64 {
        var hash = SipHash(key: SipHash.Key(low: 0x504c_5552_4958, high: 0x5355_5045_5242 + UInt64(slot)))
        return hash.finish(bytes, from: 0).low
    }
}

/// The sizes that a store has for life.
public struct Geometry: Equatable, Sendable {
    /// Bytes of a page, a multiple of 8.
    public var pageBytes: Int
    /// Pages of the shared memory: numbers 0..<pageCount.
    public var pageCount: Int
    /// The longest segment.
    public var segmentBytes: Int
    /// Space that is held back for cleaning a full disk.
    public var reserveBytes: Int

    /// Segments of 8 MiB hold 2,000 pages: one of them is read in some milliseconds, and seldom is much of one in use
    /// while the rest is not.
    public static let usualSegmentBytes = 8 << 20

    public init(
        pageBytes: Int = Limits.pageBytes, pageCount: Int, segmentBytes: Int = usualSegmentBytes,
        reserveBytes: Int = 1 << 20
    ) {
        self.pageBytes = pageBytes
        self.pageCount = pageCount
        self.segmentBytes = segmentBytes
        self.reserveBytes = reserveBytes
    }

    /// As many checkpoints stay by their label, and as many by retention: a list of them begins each segment.
    public var mostCheckpoints: Int { max(8, segmentBytes >> 10) }

    /// Pages of the largest shared memory: 16 GiB of those of 4 KiB.
    public static let maximumPages = 1 << 22

    /// Whether pages fit segments, and all of them the memory of who opens the store.
    var isPossible: Bool {
        pageBytes > 0 && pageBytes % 8 == 0 && pageBytes <= 1 << 20 && (0...Self.maximumPages).contains(pageCount)
            && segmentBytes >= 4 * (pageBytes + 256) && segmentBytes < 1 << 31 && (0...1 << 26).contains(reserveBytes)
    }
}

/// A place between two records of the log. The place before the first is all zeros but for the sequence.
struct LogPosition: Equatable, Sendable {
    /// Number of the segment, 0 before the first.
    var segment: UInt64 = 0
    /// In that segment, bytes.
    var offset = 0
    /// Of the next record.
    var sequence: UInt64 = 1
    /// Digest of all records of the segment up to here.
    var chain: UInt64 = 0

    /// Nobody counts segments, records or superblocks so far: what says so is none, and counting on does not overflow.
    static let countLimit: UInt64 = 1 << 62

    var isPossible: Bool {
        segment < Self.countLimit && (0..<1 << 31).contains(offset) && (1..<Self.countLimit).contains(sequence)
    }
}

extension Superblock {
    /// What the tags of a segment's records depend on: in the head, and where a segment is not known, on this store.
    func place(in segment: UInt64, of segments: SegmentTable) -> RecordPlace {
        let identity = segments.place(of: segment).map { segments[$0].identity } ?? identity
        return RecordPlace(key: key, identity: identity, segment: segment)
    }
}
