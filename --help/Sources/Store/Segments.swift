import Wire

/// A segment of the log that is written to no more.
struct Segment: Equatable, Sendable {
    var number: UInt64
    /// Bytes that count; what lies behind them was never finished.
    var length: Int
    /// Where its seal begins; 0 when it has none, because its writer was interrupted.
    var seal: Int
    /// Digest of all its records.
    var chain: UInt64
    /// The store that wrote it: this one, or the one it was forked from. Known from the segment's header.
    var identity: UInt64 = 0
    /// Pages of it that some checkpoint needs.
    var liveCount = 0

    static let wordCount = 3

    func emit(into writer: inout WordWriter) {
        writer.append(number)
        writer.append(UInt64(length) | UInt64(seal) << 32)
        writer.append(chain)
    }

    static func parse(_ reader: inout WordReader) -> Segment? {
        guard let number = reader.word(), let lengths = reader.word(), let chain = reader.word() else { return nil }
        let segment = Segment(
            number: number, length: Int(lengths & 0xFFFF_FFFF), seal: Int(lengths >> 32), chain: chain)
        return segment.length < 1 << 31 && segment.seal <= segment.length ? segment : nil
    }
}

/// A page record as the seal of its segment names it.
struct PageEntry: Equatable, Sendable {
    var page: UInt32
    /// Where its record begins in the segment.
    var offset: UInt32
    var version: GlobalTime
    /// The begin of the checkpoint that it was written for; 0 for a copy, which belongs to one that has ended.
    var checkpoint: UInt64

    static let byteCount = 24
}

/// The payload of a seal: what a reader must know of a segment without reading all of it.
struct Seal: Equatable, Sendable {
    /// Digest of the records before the seal.
    var chain: UInt64
    var entries: [PageEntry]

    static func byteCount(_ entries: Int) -> Int { 16 + entries * PageEntry.byteCount }

    func emit(into writer: inout WordWriter) {
        writer.append(chain)
        writer.append(UInt64(entries.count))
        for entry in entries {
            writer.append(UInt64(entry.page) | UInt64(entry.offset) << 32)
            writer.append(entry.version.raw)
            writer.append(entry.checkpoint)
        }
    }

    static func parse(_ payload: RawSpan) -> Seal? {
        var reader = WordReader(payload)
        guard let chain = reader.word(), let count = reader.count(of: PageEntry.byteCount) else { return nil }
        var entries: [PageEntry] = []
        entries.reserveCapacity(count)
        for _ in 0..<count {
            guard let place = reader.word(), let version = reader.word(), let checkpoint = reader.word()
            else { return nil }
            entries.append(PageEntry(
                page: UInt32(truncatingIfNeeded: place), offset: UInt32(place >> 32),
                version: GlobalTime(raw: version), checkpoint: checkpoint))
        }
        return reader.isAtEnd ? Seal(chain: chain, entries: entries) : nil
    }
}

/// The closed segments that are part of the store, by rising number.
struct SegmentTable: Equatable, Sendable {
    private(set) var all: [Segment] = []

    func place(of number: UInt64) -> Int? {
        var low = 0
        var high = all.count
        while low < high {
            let middle = (low + high) / 2
            if all[middle].number < number { low = middle + 1 } else { high = middle }
        }
        return low < all.count && all[low].number == number ? low : nil
    }

    subscript(place: Int) -> Segment { all[place] }

    mutating func append(_ segment: Segment) {
        precondition(segment.number > all.last?.number ?? 0, "segments are numbered upward")
        all.append(segment)
    }

    mutating func remove(_ number: UInt64) -> Bool {
        guard let place = place(of: number) else { return false }
        all.remove(at: place)
        return true
    }

    mutating func count(_ change: Int, at place: Int) { all[place].liveCount += change }
    /// Says who wrote a segment, or all of them.
    mutating func identify(_ identity: UInt64, _ number: UInt64? = nil) {
        for place in all.indices where number == nil || all[place].number == number { all[place].identity = identity }
    }
    mutating func resetCounts() {
        for place in all.indices { all[place].liveCount = 0 }
    }
}
