import Wire

/// What a damaged log says behind its damage: nothing that a store could be made of, but the names of what is lost.
extension Store where Medium: ~Copyable {
    /// Of a store that was opened to salvage it: the checkpoints of which only records tell that the log does not lead
    /// to any more, as far as these can be read. By rising time.
    public mutating func lostCheckpoints() throws(StoreError) -> [Checkpoint] {
        var sightings = Sightings(checkpoints: state.checkpoints)
        for number in try segmentsBehindTheEnd() {
            guard let bytes = try SegmentReader.bytes(of: number, &disk),
                let header = SegmentHeader.parse(bytes.span.bytes, number: number, key: superblock.key),
                header.identity == superblock.identity
            else { continue }
            let place = RecordPlace(key: superblock.key, identity: header.identity, segment: number)
            let isEnd = number == log.position.segment
            try sightings.search(bytes.span.bytes, place, from: isEnd ? log.position.offset : SegmentHeader.byteCount)
        }
        return sightings.checkpoints.filter { state.place(of: $0.time) == nil }
    }

    /// Of a store that cannot even be opened to salvage it: all checkpoints of which records tell. By rising time.
    public static func namedCheckpoints(_ disk: consuming Medium) throws(StoreError) -> [Checkpoint] {
        var store = try unread(disk)
        return try store.lostCheckpoints()
    }

    private mutating func segmentsBehindTheEnd() throws(StoreError) -> [UInt64] {
        do throws(DiskError) {
            return try disk.files().compactMap { if case .segment(let number) = $0 { number } else { nil } }
                .filter { $0 >= log.position.segment }.sorted()
        } catch {
            throw .disk(error, .superblock(0))
        }
    }
}

/// Checkpoints as single records tell of them, of which others may be missing in between.
private struct Sightings {
    /// By rising time.
    private(set) var checkpoints: [Checkpoint]

    /// Looks for records at every place where one may begin; the tag of each says whether it is one.
    mutating func search(_ bytes: RawSpan, _ place: RecordPlace, from start: Int) throws(StoreError) {
        var offset = start
        while offset + RecordHead.byteCount <= bytes.byteCount {
            guard let head = try place.parse(bytes, from: offset, at: offset) else {
                offset += 8
                continue
            }
            let payload = offset + RecordHead.byteCount
            note(head, bytes.extracting(payload..<payload + head.length), place.segment)
            offset += head.byteCount
        }
    }

    private mutating func note(_ head: RecordHead, _ payload: RawSpan, _ segment: UInt64) {
        var reader = WordReader(payload)
        switch head.kind {
        case .summary:
            var state = LogState(pageCount: 0)
            state.head = segment
            // It names all that were there at its time.
            if state.apply(head, payload, offset: SegmentHeader.byteCount) { checkpoints = state.checkpoints }
        case .end:
            if reader.word() != nil, let checkpoint = Checkpoint.parse(&reader) { add(checkpoint) }
        case .forgotten:
            guard let count = reader.count(of: 8) else { return }
            for _ in 0..<count {
                if let time = reader.word() { checkpoints.removeAll { $0.time.raw == time } }
            }
        case .rewind: checkpoints.removeAll { $0.time > head.time }
        case .registers, .begin, .page, .copy, .dropped, .retention, .seal: break
        }
    }

    /// One that nobody keeps goes with the next.
    private mutating func add(_ checkpoint: Checkpoint) {
        var new = checkpoint
        if let last = checkpoints.last {
            guard last.time <= new.time else { return }
            if last.time == new.time {
                new.isKept = new.isKept || last.isKept
                if new.label.isEmpty { new.label = last.label }
            }
            if last.time == new.time || !last.isKept { checkpoints.removeLast() }
        }
        checkpoints.append(new)
    }
}
