import Wire

/// A segment in memory, checked record by record.
struct SegmentReader: Sendable {
    let header: SegmentHeader
    private let bytes: [UInt8]
    private let place: RecordPlace

    /// Nil when the file is not there, or is not that segment.
    init?<Medium: Disk & ~Copyable>(
        _ number: UInt64, _ key: LogKey, _ disk: inout Medium
    ) throws(StoreError) {
        guard let bytes = try Self.bytes(of: number, &disk),
            let header = SegmentHeader.parse(bytes.span.bytes, number: number, key: key)
        else { return nil }
        self.bytes = bytes
        self.header = header
        place = RecordPlace(key: key, identity: header.identity, segment: number)
    }

    /// As many bytes as there are, `limit` at most; nil when the file is not there.
    static func bytes<Medium: Disk & ~Copyable>(
        of number: UInt64, limit: Int = .max, _ disk: inout Medium
    ) throws(StoreError) -> [UInt8]? {
        guard let count = try byteCount(of: number, &disk) else { return nil }
        let file = DiskFile.segment(number)
        do throws(DiskError) { return try disk.bytes(of: file, at: 0, count: min(count, limit)) } catch {
            throw .disk(error, file)
        }
    }

    /// Nil when the file is not there.
    static func byteCount<Medium: Disk & ~Copyable>(
        of number: UInt64, _ disk: inout Medium
    ) throws(StoreError) -> Int? {
        do throws(DiskError) { return try disk.byteCount(of: .segment(number)) } catch {
            if error == .missing { return nil }
            throw .disk(error, .segment(number))
        }
    }

    /// Nil when the file is not there, or is not that segment.
    static func header<Medium: Disk & ~Copyable>(
        _ number: UInt64, _ key: LogKey, _ disk: inout Medium
    ) throws(StoreError) -> SegmentHeader? {
        let bytes = try bytes(of: number, limit: SegmentHeader.byteCount, &disk) ?? []
        return SegmentHeader.parse(bytes.span.bytes, number: number, key: key)
    }

    /// Before the first record.
    var start: LogPosition {
        LogPosition(
            segment: header.number, offset: SegmentHeader.byteCount, sequence: header.predecessor.sequence,
            chain: place.chain(0, SegmentHeader.tag(of: bytes.span.bytes)))
    }

    /// The sound record at a position; nil when there is none.
    func record(at position: LogPosition) throws(StoreError) -> RecordHead? {
        guard position.offset <= bytes.count,
            let head = try place.parse(bytes.span.bytes, from: position.offset, at: position.offset),
            head.sequence == position.sequence
        else { return nil }
        return head
    }

    @_lifetime(borrow self)
    func payload(of head: RecordHead, at offset: Int) -> RawSpan {
        let start = offset + RecordHead.byteCount
        return bytes.span.bytes.extracting(start..<start + head.length)
    }

    func position(behind head: RecordHead, at position: LogPosition) -> LogPosition {
        let tag = bytes.span.bytes.load(UInt64.self, at: position.offset + 40)
        return LogPosition(
            segment: position.segment, offset: position.offset + head.byteCount, sequence: position.sequence + 1,
            chain: place.chain(position.chain, tag))
    }

    /// What lies behind the last sound record.
    func unused(from position: LogPosition) -> [UInt8] { Array(bytes[min(position.offset, bytes.count)...]) }

    /// Whether some record among the bytes was written after the record of this sequence number was flushed.
    static func vouches(
        for sequence: UInt64, _ bytes: [UInt8], _ place: RecordPlace, at offset: Int
    ) throws(StoreError) -> Bool {
        let span = bytes.span.bytes
        for start in stride(from: 0, through: span.byteCount - RecordHead.byteCount, by: 8)
        where span.load(UInt32.self, at: start) == RecordHead.mark {
            if let head = try place.parse(span, from: start, at: offset + start), head.vouched > sequence {
                return true
            }
        }
        return false
    }

    // MARK: Closed segments

    /// The pages of a closed segment, and who wrote it. Its seal is enough; when that is missing or damaged, all of its
    /// records are read.
    static func entries<Medium: Disk & ~Copyable>(
        of segment: Segment, _ key: LogKey, _ disk: inout Medium
    ) throws(StoreError) -> (entries: [PageEntry], identity: UInt64, isFromSeal: Bool) {
        let file = DiskFile.segment(segment.number)
        if segment.seal > 0 {
            guard let header = try closedHeader(segment, key, &disk) else { throw .damaged(file, offset: 0) }
            if let seal = try seal(of: segment, header, key, &disk) { return (seal.entries, header.identity, true) }
        }
        guard let reader = try SegmentReader(segment.number, key, &disk) else { throw .damaged(file, offset: 0) }
        let (entries, end) = try reader.entries(upTo: segment.seal > 0 ? segment.seal : segment.length)
        guard segment.seal > 0 || end.chain == segment.chain else { throw .damaged(file, offset: end.offset) }
        return (entries, reader.header.identity, false)
    }

    private static func closedHeader<Medium: Disk & ~Copyable>(
        _ segment: Segment, _ key: LogKey, _ disk: inout Medium
    ) throws(StoreError) -> SegmentHeader? {
        guard let count = try byteCount(of: segment.number, &disk), count >= segment.length else { return nil }
        return try header(segment.number, key, &disk)
    }

    private static func seal<Medium: Disk & ~Copyable>(
        of segment: Segment, _ header: SegmentHeader, _ key: LogKey, _ disk: inout Medium
    ) throws(StoreError) -> Seal? {
        guard segment.length > segment.seal else { return nil }
        let file = DiskFile.segment(segment.number)
        let bytes: [UInt8]
        do throws(DiskError) {
            bytes = try disk.bytes(of: file, at: segment.seal, count: segment.length - segment.seal)
        } catch {
            throw .disk(error, file)
        }
        let place = RecordPlace(key: key, identity: header.identity, segment: segment.number)
        let span = bytes.span.bytes
        guard let head = try place.parse(span, from: 0, at: segment.seal), head.kind == .seal,
            let seal = Seal.parse(span.extracting(RecordHead.byteCount..<head.byteCount))
        else { return nil }
        // A sound seal of another chain: a segment of another copy of this store.
        guard place.chain(seal.chain, span.load(UInt64.self, at: 40)) == segment.chain else {
            throw .damaged(file, offset: segment.seal)
        }
        return seal
    }

    /// The pages of all records before `end`.
    ///
    /// - Throws: `.damaged` when one of the records is not sound.
    func entries(upTo end: Int) throws(StoreError) -> (entries: [PageEntry], end: LogPosition) {
        var entries: [PageEntry] = []
        var position = start
        while position.offset < end {
            guard let head = try record(at: position), position.offset + head.byteCount <= end else {
                throw .damaged(.segment(header.number), offset: position.offset)
            }
            if head.kind == .page || head.kind == .copy {
                entries.append(PageEntry(
                    page: head.page, offset: UInt32(position.offset), version: head.time, checkpoint: head.checkpoint))
            }
            position = self.position(behind: head, at: position)
        }
        return (entries, position)
    }
}
