import Wire

/// The versions of every key that a history knows of, from writers and from readers.
struct VersionTable {
    struct Entry {
        var key: UInt32
        var time: GlobalTime
        var value: UInt64
        /// The transaction that wrote it; where no recorded one did, one that read it.
        var witness: Int32
        var isWritten: Bool
    }

    /// By key, then time; one for each version. (Two writers of one version have one time, which is found elsewhere.)
    private(set) var entries: [Entry] = []
    private var ranges: [UInt32: Range<Int>] = [:]
    /// Versions that were seen with two values: both witnesses.
    private(set) var contradictions: [(Entry, Entry)] = []

    var keyCount: Int { ranges.count }

    init(_ transactions: [Transaction]) {
        var all: [Entry] = []
        all.reserveCapacity(transactions.reduce(0) { $0 + $1.reads.count + $1.writes.count })
        for place in transactions.indices {
            if let time = transactions[place].commitTime {
                for write in transactions[place].writes {
                    all.append(
                        Entry(key: write.key, time: time, value: write.value, witness: Int32(place), isWritten: true))
                }
            }
            for read in transactions[place].reads {
                all.append(
                    Entry(key: read.key, time: read.version, value: read.value, witness: Int32(place),
                          isWritten: false))
            }
        }
        all.sort { a, b in
            if a.key != b.key { return a.key < b.key }
            if a.time != b.time { return a.time < b.time }
            if a.isWritten != b.isWritten { return a.isWritten }
            return a.witness < b.witness
        }
        for entry in all {
            guard let last = entries.last, last.key == entry.key, last.time == entry.time else {
                entries.append(entry)
                continue
            }
            if last.value != entry.value, !entry.isWritten { contradictions.append((last, entry)) }
        }
        var start = 0
        while start < entries.count {
            var end = start + 1
            while end < entries.count, entries[end].key == entries[start].key { end += 1 }
            ranges[entries[start].key] = start..<end
            start = end
        }
    }

    /// The newest version of the key at or before a time.
    func newest(_ key: UInt32, at time: GlobalTime) -> Entry? {
        guard let range = ranges[key] else { return nil }
        var low = range.lowerBound
        var high = range.upperBound
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].time <= time { low = middle + 1 } else { high = middle }
        }
        return low > range.lowerBound ? entries[low - 1] : nil
    }

    /// The newest version in the history that leads to `tip`.
    func newest(_ key: UInt32, leadingTo tip: GlobalTime, isInclusive: Bool, _ openings: Openings) -> Entry? {
        guard isInclusive || tip.raw > 0 else { return nil }
        var time = isInclusive ? tip : GlobalTime(raw: tip.raw - 1)
        while let entry = newest(key, at: time) {
            guard let cut = openings.cut(entry.time, from: tip) else { return entry }
            time = cut.stays
        }
        return nil
    }
}
