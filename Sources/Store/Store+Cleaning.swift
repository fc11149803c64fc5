import Wire

/// A segment that is no part of the log any more.
struct Leftover: Equatable, Sendable {
    var segment: UInt64
    /// No summary behind this segment names it; the file may go when both superblocks lead to a later one.
    var namedUpTo: UInt64
    var byteCount: Int
}

/// A segment that is being emptied.
struct Cleaning: Sendable {
    var segment: Segment
    var entries: [PageEntry]
    var next = 0
}

extension Store where Medium: ~Copyable {
    /// Does a part of what is to be tidied up: looks for versions that nobody needs, lets go of segments that hold no
    /// other, and moves what is needed out of those that hold little else. A checkpoint that is being written is not
    /// disturbed.
    ///
    /// - Parameter budget: About as many bytes are read and written, and at most two barriers passed.
    /// - Returns: False when there is nothing left to do.
    public mutating func clean(budget: Int) throws(StoreError) -> Bool {
        guard stopped == nil else { throw .readOnly }
        if state.unswept < geometry.pageCount {
            state.sweep(limit: max(1, budget / 64))
            return true
        }
        if try deleteLeftovers() { return true }
        if try dropUnneeded() { return true }
        if try empty(budget) { return true }
        if try leadPastLeftovers() { return true }
        if !hasReserve && geometry.reserveBytes > 0 {
            try attempt { store throws(StoreError) in try store.makeReserve() }
        }
        return false
    }

    /// Deletes the files that neither superblock leads to.
    private mutating func deleteLeftovers() throws(StoreError) -> Bool {
        let floor = min(superblock.floor.segment, olderFloor.segment)
        let gone = leftovers.filter { $0.namedUpTo < floor }
        guard !gone.isEmpty else { return false }
        try attempt { store throws(StoreError) in
            for one in gone { try store.diskDelete(.segment(one.segment)) }
        }
        leftovers.removeAll { gone.contains($0) }
        return true
    }

    /// Leads both superblocks past the leftovers, for which a new segment is begun if it must be. In time that happens
    /// by itself; it is done at once, and only once, when space was asked for. Done after each emptying, it would go on
    /// for ever: the head that it closes is the next one to be emptied.
    private mutating func leadPastLeftovers() throws(StoreError) -> Bool {
        guard isSpaceWanted else { return false }
        guard let last = leftovers.map(\.namedUpTo).max() else {
            // While a checkpoint is open there may be more to come.
            if state.open == nil {
                leadPast = nil
                isSpaceWanted = false
            }
            return false
        }
        let target = leadPast ?? last
        leadPast = target
        try attempt { store throws(StoreError) in
            if store.log.position.segment <= target {
                if store.state.head != 0 { try store.closeHead() }
                try store.beginSegment()
            }
            try store.flushLog()
            try store.writeSuperblock(isForced: true)
        }
        if min(superblock.floor.segment, olderFloor.segment) > target {
            leadPast = nil
            isSpaceWanted = false
        }
        return true
    }

    /// Says of the segments with nothing in them that is needed that they are none of the log's.
    private mutating func dropUnneeded() throws(StoreError) -> Bool {
        let gone = state.segments.all.filter { $0.liveCount == 0 && isClosedToCheckpoint($0.number) }
        guard !gone.isEmpty else { return false }
        var writer = WordWriter()
        writer.append(UInt64(gone.count))
        for segment in gone { writer.append(segment.number) }
        try append(.dropped, writer)
        leftovers += gone.map {
            Leftover(segment: $0.number, namedUpTo: log.position.segment, byteCount: $0.length)
        }
        return true
    }

    /// Pages of the checkpoint that is being written are needed, though no checkpoint has them yet.
    private func isClosedToCheckpoint(_ segment: UInt64) -> Bool {
        state.open.map { segment < $0.firstSegment } ?? true
    }

    // MARK: Emptying

    /// So many are left alone, however little is in them: each restart leaves a short one.
    static var spareSegments: Int { 2 }

    private mutating func empty(_ budget: Int) throws(StoreError) -> Bool {
        if cleaning == nil { cleaning = try nextVictim() }
        guard var victim = cleaning else { return false }
        var moved = 0
        while moved < budget, victim.next < victim.entries.count {
            let entry = victim.entries[victim.next]
            victim.next += 1
            guard let version = state.index.find(entry.page, at: entry.version), version.version == entry.version,
                version.segment == victim.segment.number, version.offset == entry.offset
            else { continue }
            guard let record = try readable(entry.page, version) else {
                cleaning = nil
                return true
            }
            let payload = record.span.bytes.extracting(RecordHead.byteCount..<record.count)
            try append(.copy, page: entry.page, time: entry.version, payload)
            moved += record.count
        }
        cleaning = victim.next < victim.entries.count ? victim : nil
        if cleaning == nil, let place = state.segments.place(of: victim.segment.number),
            state.segments[place].liveCount > 0 {
            // Something of it is needed that its own list does not name.
            unreadable.append(victim.segment.number)
            findings.append(.damaged(.segment(victim.segment.number), offset: victim.segment.seal))
        }
        return true
    }

    /// The record of a page; nil for one that cannot be read, with which its segment then stays.
    private mutating func readable(
        _ page: UInt32, _ version: PageIndex.Version
    ) throws(StoreError) -> [UInt8]? {
        do throws(StoreError) { return try record(of: page, version) } catch {
            unreadable.append(version.segment)
            findings.append(.damaged(.segment(version.segment), offset: Int(version.offset)))
            return nil
        }
    }

    /// Pages that a segment has room for.
    private var capacity: Int {
        let fixed = SegmentHeader.byteCount + 2 * RecordHead.byteCount + state.summary.count + Seal.byteCount(0)
        let pageBytes = RecordHead.byteCount + geometry.pageBytes + PageEntry.byteCount
        return max(1, (geometry.segmentBytes - fixed) / pageBytes)
    }

    /// Twice as many closed segments as what is needed would fill, and the spare ones.
    private var enoughSegments: Int {
        let capacity = capacity
        let needed = state.segments.all.reduce(0) { $0 + $1.liveCount }
        return 2 * ((needed + capacity - 1) / capacity) + Self.spareSegments
    }

    /// Whether there are many more files than enough segments: lives that end early leave a short one each, and write
    /// too little for somebody to tidy up in them.
    var isCrowded: Bool { state.segments.all.count + leftovers.count > enoughSegments + Self.crowd }

    private static var crowd: Int { 8 }

    /// The closed segment of which the least is needed, while there are more than enough: half of the disk is waste at
    /// most, and what is moved has room in less than half a segment, so that every one that is emptied brings the end
    /// nearer.
    private mutating func nextVictim() throws(StoreError) -> Cleaning? {
        let closed = state.segments.all
        guard closed.count > enoughSegments else { return nil }
        let capacity = capacity
        let candidates = closed.filter {
            2 * $0.liveCount < capacity && isClosedToCheckpoint($0.number) && !unreadable.contains($0.number)
        }
        guard let victim = candidates.min(by: { $0.liveCount < $1.liveCount }) else { return nil }
        do throws(StoreError) {
            let entries = try SegmentReader.entries(of: victim, superblock.key, &disk).entries
            return Cleaning(segment: victim, entries: entries)
        } catch {
            unreadable.append(victim.number)
            findings.append(.damaged(.segment(victim.number), offset: 0))
            return nil
        }
    }
}
