import Wire

extension LogState {
    /// What a record changes. False for one that cannot follow those before it.
    mutating func apply(_ head: RecordHead, _ payload: RawSpan, offset: Int) -> Bool {
        var reader = WordReader(payload)
        switch head.kind {
        case .page, .copy: return applyPage(head, offset)
        case .summary: return applySummary(&reader) && reader.isAtEnd
        case .registers:
            registersBefore = nil
            return registers.read(&reader) && reader.isAtEnd
        case .begin:
            abandon()
            open = OpenCheckpoint(begin: head.sequence, firstSegment: self.head)
        case .end:
            guard let count = reader.word(), let checkpoint = Checkpoint.parse(&reader), checkpoint.time == head.time
            else { return false }
            return end(checkpoint, count) && reader.isAtEnd
        case .dropped:
            guard let numbers = Self.words(&reader) else { return false }
            return drop(numbers) && reader.isAtEnd
        case .forgotten:
            guard let times = Self.words(&reader) else { return false }
            return forget(times) && reader.isAtEnd
        case .retention:
            guard let kept = Retention.parse(&reader) else { return false }
            retention = kept
        case .rewind: return rewind(to: head.time)
        case .seal: break
        }
        return true
    }

    private static func words(_ reader: inout WordReader) -> [UInt64]? {
        guard let count = reader.count(of: 8) else { return nil }
        return (0..<count).compactMap { _ in reader.word() }
    }

    private mutating func applyPage(_ record: RecordHead, _ offset: Int) -> Bool {
        guard Int(record.page) < index.pageCount else { return false }
        let entry = PageEntry(
            page: record.page, offset: UInt32(offset), version: record.time, checkpoint: record.checkpoint)
        if record.kind == .copy {
            insert(entry, in: head)
            return true
        }
        guard open?.begin == record.checkpoint else { return false }
        open?.pages.append((head, entry))
        return true
    }

    private mutating func end(_ checkpoint: Checkpoint, _ count: UInt64) -> Bool {
        guard let done = open, done.pages.count == Int(truncatingIfNeeded: count) else { return false }
        let pages = done.pages
        open = nil
        var new = checkpoint
        if let old = checkpoints.last {
            guard old.time < new.time || old.time == new.time && pages.isEmpty else { return false }
            if old.time == new.time {
                new.isKept = new.isKept || old.isKept
                if new.label.isEmpty { new.label = old.label }
            }
            if old.time == new.time || !old.isKept { checkpoints.removeLast() }
        }
        checkpoints.append(new)
        for page in pages {
            guard page.entry.version <= new.time else { return false }
            insert(page.entry, in: page.segment)
        }
        for page in pages { sweep(page.entry.page) }
        return true
    }

    private mutating func forget(_ times: [UInt64]) -> Bool {
        for time in times {
            guard let place = place(of: GlobalTime(raw: time)) else { return false }
            if place == checkpoints.count - 1 {
                checkpoints[place].isKept = false
                checkpoints[place].label = ""
            } else {
                checkpoints.remove(at: place)
            }
        }
        unswept = 0
        return true
    }

    private mutating func rewind(to time: GlobalTime) -> Bool {
        guard place(of: time) != nil else { return false }
        abandon()
        checkpoints.removeAll { $0.time > time }
        registersBefore = registers
        registers = Registers()
        cuts.removeAll { $0.time >= time }
        cuts.append(Cut(segment: head, time: time))
        for page in 0..<UInt32(index.pageCount) {
            // The newer versions go first: the newest that is left must not be judged by them.
            index.remove(page, unless: { version, _ in version <= time }, { _ in })
        }
        recount()
        unswept = 0
        return true
    }

    // MARK: The summary at the beginning of each segment

    var summary: [UInt8] {
        var writer = WordWriter()
        registers.emit(into: &writer)
        writer.append(UInt64(checkpoints.count))
        for checkpoint in checkpoints { checkpoint.emit(into: &writer) }
        writer.append(UInt64(retention.count))
        writer.append(retention.age)
        writer.append(UInt64(abandoned.count))
        for one in abandoned {
            writer.append(one.begin)
            writer.append(one.lastSegment)
        }
        writer.append(UInt64(cuts.count))
        for cut in cuts {
            writer.append(cut.segment)
            writer.append(cut.time.raw)
        }
        writer.append(open?.begin ?? 0)
        writer.append(open?.firstSegment ?? 0)
        writer.append(UInt64(segments.all.count))
        for segment in segments.all { segment.emit(into: &writer) }
        return writer.bytes
    }

    private mutating func applySummary(_ reader: inout WordReader) -> Bool {
        registers = Registers()
        guard registers.read(&reader), let checkpointCount = reader.count(of: 32) else { return false }
        checkpoints = []
        for _ in 0..<checkpointCount {
            let before = checkpoints.last?.time
            guard let checkpoint = Checkpoint.parse(&reader), before.map({ $0 < checkpoint.time }) ?? true
            else { return false }
            checkpoints.append(checkpoint)
        }
        guard let kept = Retention.parse(&reader), let gone = reader.count(of: 16) else { return false }
        retention = kept
        abandoned = []
        for _ in 0..<gone {
            guard let begin = reader.word(), let last = reader.word() else { return false }
            abandoned.append(Abandoned(begin: begin, lastSegment: last))
        }
        guard let cutCount = reader.count(of: 16) else { return false }
        cuts = []
        for _ in 0..<cutCount {
            guard let segment = reader.word(), let time = reader.word() else { return false }
            cuts.append(Cut(segment: segment, time: GlobalTime(raw: time)))
        }
        guard let begin = reader.word(), let firstSegment = reader.word() else { return false }
        if begin == 0 {
            open = nil
        } else if open?.begin != begin {
            open = OpenCheckpoint(begin: begin, firstSegment: firstSegment)
        }
        return readSegments(&reader)
    }

    private mutating func readSegments(_ reader: inout WordReader) -> Bool {
        guard let count = reader.count(of: 8 * Segment.wordCount) else { return false }
        segments = SegmentTable()
        for _ in 0..<count {
            guard let segment = Segment.parse(&reader), segment.number > segments.all.last?.number ?? 0,
                segment.number < head
            else { return false }
            segments.append(segment)
        }
        return true
    }
}
