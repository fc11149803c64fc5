import Wire

/// What a log was found to say.
struct Recovered: Sendable {
    var state: LogState
    /// Where the sound records end. What is written next begins a new segment behind this one.
    var position: LogPosition
    /// No segment that is there has this number or a higher one.
    var nextNumber: UInt64
    /// Segments that were read from their beginning to where they end.
    var walked: [UInt64] = []
    /// Bytes of them.
    var walkedBytes = 0
    /// Segments that are no part of the log.
    var leftovers: [Leftover] = []
    var findings: [Finding] = []
}

/// Reads a log: from the superblock's floor on record by record, before that what the seals of the segments say.
struct Recovery: Sendable {
    let superblock: Superblock
    /// Take a damaged end for an unfinished one: what was flushed behind it is lost.
    let isLossAccepted: Bool
    private var result: Recovered
    private var segments: [UInt64] = []
    /// Segments that another store wrote, before this one was forked from it.
    private var foreign: [(segment: UInt64, identity: UInt64)] = []

    init(_ superblock: Superblock, isLossAccepted: Bool = false) {
        self.superblock = superblock
        self.isLossAccepted = isLossAccepted
        result = Recovered(
            state: LogState(pageCount: superblock.geometry.pageCount), position: LogPosition(), nextNumber: 1)
    }

    mutating func run<Medium: Disk & ~Copyable>(_ disk: inout Medium) throws(StoreError) -> Recovered {
        let files = try names(&disk)
        segments = files.compactMap { if case .segment(let number) = $0 { number } else { nil } }.sorted()
        result.nextNumber = max(superblock.floor.segment, segments.last ?? 0) + 1
        try walk(&disk)
        try finish(&disk)
        return result
    }

    private func names<Medium: Disk & ~Copyable>(_ disk: inout Medium) throws(StoreError) -> [DiskFile] {
        do throws(DiskError) { return try disk.files() } catch { throw .disk(error, .superblock(0)) }
    }

    // MARK: From the floor to the end

    private mutating func walk<Medium: Disk & ~Copyable>(_ disk: inout Medium) throws(StoreError) {
        var next: SegmentReader?
        if superblock.floor.segment > 0 {
            let floor = try SegmentReader(superblock.floor.segment, superblock.key, &disk)
            // Without its summary nothing is known of the log before it.
            guard let floor, floor.header.identity == superblock.identity, try floor.record(at: floor.start) != nil
            else { throw .damaged(.segment(superblock.floor.segment), offset: 0) }
            result.position.sequence = floor.header.predecessor.sequence
            next = floor
        } else {
            next = try successor(&disk)
        }
        while let reader = next {
            try read(reader, &disk)
            result.walked.append(reader.header.number)
            next = try successor(&disk)
            if next == nil { try end(reader.unused(from: result.position), &disk) }
        }
        if result.walked.isEmpty { try end([], &disk) }
    }

    /// The segment that follows where the log is now.
    private func successor<Medium: Disk & ~Copyable>(_ disk: inout Medium) throws(StoreError) -> SegmentReader? {
        for number in segments where number > result.position.segment {
            let header = try SegmentReader.header(number, superblock.key, &disk)
            guard let header, header.identity == superblock.identity, header.predecessor == result.position,
                let reader = try SegmentReader(number, superblock.key, &disk)
            else { continue }
            // Without its summary a segment says nothing, and nothing may be built on it: it was never finished.
            var first = reader.start
            first.sequence = result.position.sequence
            if try reader.record(at: first) != nil { return reader }
        }
        return nil
    }

    private mutating func read<Medium: Disk & ~Copyable>(
        _ reader: SegmentReader, _ disk: inout Medium
    ) throws(StoreError) {
        let number = reader.header.number
        result.state.head = number
        result.state.headLive = 0
        let sequence = result.position.sequence
        result.position = reader.start
        result.position.sequence = sequence
        var seal = 0
        while seal == 0, let head = try reader.record(at: result.position) {
            let offset = result.position.offset
            let isFirst = offset == SegmentHeader.byteCount
            let payload = reader.payload(of: head, at: offset)
            guard isFirst == (head.kind == .summary), result.state.apply(head, payload, offset: offset)
            else { throw .damaged(.segment(number), offset: offset) }
            result.position = reader.position(behind: head, at: result.position)
            if head.kind == .seal { seal = offset }
            if isFirst && result.walked.isEmpty { try readOlderSegments(&disk) }
        }
        result.walkedBytes += result.position.offset
        result.state.closeHead(
            length: result.position.offset, seal: seal, chain: result.position.chain, identity: superblock.identity)
    }

    // MARK: The end

    /// Nothing sound follows. That is where the last writer was interrupted, unless something says that there was more.
    private mutating func end<Medium: Disk & ~Copyable>(
        _ rest: [UInt8], _ disk: inout Medium
    ) throws(StoreError) {
        let position = result.position
        let file = DiskFile.segment(max(position.segment, 1))
        if !isLossAccepted {
            guard position.sequence >= superblock.floor.sequence else {
                throw .damaged(file, offset: position.offset)
            }
            let place = RecordPlace(
                key: superblock.key, identity: superblock.identity, segment: position.segment)
            if try SegmentReader.vouches(for: position.sequence, rest, place, at: position.offset) {
                throw .damaged(file, offset: position.offset)
            }
        }
        // Zeros are room that was written ahead.
        if rest.contains(where: { $0 != 0 }) {
            result.findings.append(.unfinished(file, offset: position.offset, byteCount: rest.count))
        }
        for number in segments where number > position.segment {
            let bytes = try SegmentReader.bytes(of: number, &disk) ?? []
            let header = SegmentHeader.parse(bytes.span.bytes, number: number, key: superblock.key)
            let place = RecordPlace(
                key: superblock.key, identity: header?.identity ?? superblock.identity, segment: number)
            if !isLossAccepted, try SegmentReader.vouches(for: position.sequence, bytes, place, at: 0) {
                throw .damaged(file, offset: position.offset)
            }
            result.findings.append(.unfinished(.segment(number), offset: 0, byteCount: bytes.count))
        }
    }

    // MARK: Older segments

    /// What the first summary names: read from their seals, in the order in which they were written.
    private mutating func readOlderSegments<Medium: Disk & ~Copyable>(_ disk: inout Medium) throws(StoreError) {
        for segment in result.state.segments.all { try readPages(of: segment, &disk) }
    }

    private mutating func readPages<Medium: Disk & ~Copyable>(
        of segment: Segment, _ disk: inout Medium
    ) throws(StoreError) {
        let (entries, identity, isFromSeal) = try SegmentReader.entries(of: segment, superblock.key, &disk)
        if segment.seal != 0 && !isFromSeal { result.findings.append(.seal(.segment(segment.number))) }
        if identity != superblock.identity { foreign.append((segment.number, identity)) }
        let cut = result.state.cuts.filter { segment.number < $0.segment }.map(\.time).min()
        for entry in entries {
            guard Int(entry.page) < superblock.geometry.pageCount else {
                throw .damaged(.segment(segment.number), offset: Int(entry.offset))
            }
            if let cut, entry.version > cut { continue }
            if entry.checkpoint > 0 && result.state.abandoned.contains(where: { $0.begin == entry.checkpoint }) {
                continue
            }
            if let open = result.state.open, open.begin == entry.checkpoint {
                result.state.open?.pages.append((segment.number, entry))
            } else {
                result.state.insert(entry, in: segment.number)
            }
        }
    }

    // MARK: All of it

    /// Every version that a checkpoint needs must lie in a segment that is there.
    private mutating func finish<Medium: Disk & ~Copyable>(_ disk: inout Medium) throws(StoreError) {
        result.state.abandon()
        result.state.unswept = 0
        result.state.sweep(limit: .max)
        result.state.recount()
        result.state.segments.identify(superblock.identity)
        for (number, identity) in foreign { result.state.segments.identify(identity, number) }
        for page in 0..<UInt32(superblock.geometry.pageCount) {
            var lost: UInt64?
            result.state.index.forEach(page) {
                if result.state.segments.place(of: $0.segment) == nil { lost = $0.segment }
            }
            if let lost { throw .damaged(.segment(lost), offset: 0) }
        }
        for number in segments where result.state.segments.place(of: number) == nil {
            result.leftovers.append(Leftover(
                segment: number, namedUpTo: max(number, result.position.segment),
                byteCount: try SegmentReader.byteCount(of: number, &disk) ?? 0))
            if number < result.position.segment { result.findings.append(.leftover(.segment(number))) }
        }
    }
}
