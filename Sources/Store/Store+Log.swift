import Wire

/// The end of the log: what was appended and not handed to the disk yet, and where it goes.
struct LogWriter: Sendable {
    /// Bytes of the head that the disk was given.
    var submitted = 0
    /// What follows them.
    var buffer: [UInt8] = []
    /// Behind the buffer. While there is no head: the end of the last closed segment.
    var position = LogPosition()
    /// Pages of the head.
    var entries: [PageEntry] = []
    /// All records before this one are on the disk.
    var flushedSequence: UInt64 = 1
    var nextNumber: UInt64 = 1
    /// Files that were written to since they were flushed.
    var dirty: [DiskFile] = []
    var areNamesDirty = false

    /// Handed to the disk in portions of this size.
    static let portion = 1 << 20
}

extension Store where Medium: ~Copyable {
    /// Appends a record to the log. It is in memory only, until `submit`.
    ///
    /// - Parameter checkpoint: Of a page, the sequence number of the begin of its checkpoint.
    mutating func append(
        _ kind: RecordHead.Kind, page: UInt32 = 0, time: GlobalTime = .zero, checkpoint: UInt64 = 0, _ payload: RawSpan
    ) throws(StoreError) {
        guard stopped == nil else { throw .readOnly }
        do throws(StoreError) {
            try makeRoom(for: kind, RecordHead.byteCount + payload.byteCount)
            put(kind, page: page, time: time, checkpoint: checkpoint, payload)
            if log.buffer.count >= LogWriter.portion { try submitLog() }
        } catch {
            // More than fits was refused before anything changed.
            if error != .tooLarge { stop(error) }
            throw error
        }
    }

    mutating func append(_ kind: RecordHead.Kind, time: GlobalTime = .zero, _ payload: WordWriter) throws(StoreError) {
        try append(kind, time: time, payload.bytes.span.bytes)
    }

    /// Hands what was appended to the disk: a killed process leaves it behind.
    public mutating func submit() throws(StoreError) {
        try attempt { store throws(StoreError) in try store.submitLog() }
    }

    /// Makes everything that was appended survive a power cut. One barrier, however much was appended by how many.
    public mutating func flush() throws(StoreError) {
        try attempt { store throws(StoreError) in try store.flushLog() }
    }

    /// Flushes, and says in a superblock how far the log goes: nothing before that can be missed without notice. One
    /// barrier more.
    public mutating func settle() throws(StoreError) {
        try attempt { store throws(StoreError) in
            try store.flushLog()
            try store.writeSuperblock()
        }
    }

    /// Any error in writing ends it.
    mutating func attempt(_ body: (inout Self) throws(StoreError) -> Void) throws(StoreError) {
        guard stopped == nil else { throw .readOnly }
        do throws(StoreError) { try body(&self) } catch {
            stop(error)
            throw error
        }
    }

    // MARK: Segments

    /// Begins a segment when there is none or the record would leave no room for the seal.
    private mutating func makeRoom(for kind: RecordHead.Kind, _ byteCount: Int) throws(StoreError) {
        let seal = RecordHead.byteCount + Seal.byteCount(log.entries.count + 1)
        if state.head != 0 && log.position.offset + byteCount + seal <= geometry.segmentBytes { return }
        let summary = state.summary
        let empty = SegmentHeader.byteCount + 2 * RecordHead.byteCount + summary.count + Seal.byteCount(1)
        // 64 bytes: what closing the head may add to the summary.
        guard empty + byteCount + 64 <= geometry.segmentBytes else { throw .tooLarge }
        // A log that names so many segments must be cleaned first, and there must be room to say which of them go: of
        // each 8 bytes, of the 24 that name it. So it is with checkpoints, which may be why they are needed.
        guard kind == .dropped || kind == .forgotten || summary.count <= geometry.segmentBytes / 8 * 5 else {
            throw .tooLarge
        }
        if state.head != 0 { try closeHead() }
        try beginSegment()
    }

    /// Ends the head with the list of its pages.
    mutating func closeHead() throws(StoreError) {
        var seal = WordWriter()
        Seal(chain: log.position.chain, entries: log.entries).emit(into: &seal)
        let offset = log.position.offset
        put(.seal, seal.bytes.span.bytes)
        try submitLog()
        state.closeHead(
            length: log.position.offset, seal: offset, chain: log.position.chain, identity: superblock.identity)
        log.submitted = 0
        log.entries.removeAll(keepingCapacity: true)
    }

    /// Begins a new segment with everything that the log says up to here but the pages.
    mutating func beginSegment() throws(StoreError) {
        let number = log.nextNumber
        try diskCreate(.segment(number))
        log.nextNumber += 1
        let header = SegmentHeader(number: number, identity: superblock.identity, predecessor: log.position)
        let bytes = header.bytes(key: superblock.key)
        // Its memory stays: it would else grow again, by copying itself, in each segment.
        log.buffer.removeAll(keepingCapacity: true)
        log.buffer += bytes
        log.submitted = 0
        log.entries.removeAll(keepingCapacity: true)
        let place = RecordPlace(key: superblock.key, identity: superblock.identity, segment: number)
        log.position = LogPosition(
            segment: number, offset: bytes.count, sequence: log.position.sequence,
            chain: place.chain(0, SegmentHeader.tag(of: bytes.span.bytes)))
        let summary = state.summary
        state.head = number
        put(.summary, summary.span.bytes)
    }

    /// Puts a record behind the others in memory, and lets it take effect.
    private mutating func put(
        _ kind: RecordHead.Kind, page: UInt32 = 0, time: GlobalTime = .zero, checkpoint: UInt64 = 0, _ payload: RawSpan
    ) {
        let position = log.position
        let head = RecordHead(
            kind: kind, length: payload.byteCount, page: page, sequence: position.sequence,
            unflushed: UInt32(clamping: position.sequence - log.flushedSequence),
            begun: checkpoint == 0 ? 0 : UInt32(position.sequence - checkpoint), time: time)
        let start = log.buffer.count
        log.buffer.append(contentsOf: repeatElement(0, count: RecordHead.byteCount))
        log.buffer.append(payload)
        let place = RecordPlace(key: superblock.key, identity: superblock.identity, segment: position.segment)
        var span = log.buffer.mutableSpan
        var bytes = span.mutableBytes
        place.emit(head, into: &bytes, from: start, at: position.offset)
        log.position.chain = place.chain(position.chain, bytes.load(UInt64.self, at: start + 40))
        log.position.offset += head.byteCount
        log.position.sequence += 1
        if kind == .page || kind == .copy {
            log.entries.append(PageEntry(
                page: page, offset: UInt32(position.offset), version: time, checkpoint: head.checkpoint))
        }
        // The summary says what is the case already.
        if kind != .summary {
            let isSound = state.apply(head, payload, offset: position.offset)
            precondition(isSound, "a record that cannot follow those before it")
        }
    }

    // MARK: The disk

    mutating func submitLog() throws(StoreError) {
        guard !log.buffer.isEmpty else { return }
        let file = DiskFile.segment(log.position.segment)
        if !log.dirty.contains(file) { log.dirty.append(file) }
        try diskWrite(log.buffer, to: file, at: log.submitted)
        log.submitted += log.buffer.count
        log.buffer.removeAll(keepingCapacity: true)
    }

    mutating func flushLog() throws(StoreError) {
        try submitLog()
        guard !log.dirty.isEmpty || log.areNamesDirty else { return }
        for file in log.dirty { try diskFlush(file) }
        if log.areNamesDirty { try diskFlushNames() }
        log.dirty.removeAll()
        log.areNamesDirty = false
        log.flushedSequence = log.position.sequence
        flushCount += 1
    }

    /// Writes where the log ends into the older superblock. The log must have been flushed.
    ///
    /// - Parameter isForced: Write it though it says the same as the newer one.
    mutating func writeSuperblock(isForced: Bool = false) throws(StoreError) {
        precondition(isFlushed, "only what was flushed is vouched for")
        guard superblock.floor != log.position || isForced else { return }
        var next = superblock
        next.floor = log.position
        next.generation += 1
        let slot = Int(next.generation % 2)
        try diskWrite(next.bytes(slot: slot), to: .superblock(slot), at: 0)
        try diskFlush(.superblock(slot))
        flushCount += 1
        // Only now: after an error the same block is written again, and never the only good one.
        olderFloor = superblock.floor
        superblock = next
        recoveredBytes = 0
    }

    /// Writes no more, and forgets what did not reach the disk.
    mutating func stop(_ error: StoreError) {
        stopped = error
        cleaning = nil
        do throws(StoreError) {
            try reload()
        } catch {
            // It cannot be read at the moment either. Every read is checked, so what is remembered can only be refused.
            findings.append(.damaged(.segment(log.position.segment), offset: 0))
        }
    }
}
