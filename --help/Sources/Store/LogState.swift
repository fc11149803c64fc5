import Wire

/// What the log says, up to one record. Writing a record and reading it again change this value in the same way; so
/// what a store knows while it runs is what it finds when it is opened.
struct LogState: Sendable {
    var registers = Registers()
    /// What a fork's were before its own, while these have not come.
    var registersBefore: Registers?
    /// By rising time; the last is the newest state and always stays.
    var checkpoints: [Checkpoint] = []
    var retention = Retention()
    var segments = SegmentTable()
    var index: PageIndex
    /// The checkpoint that is being written.
    var open: OpenCheckpoint?
    /// Checkpoints that began and never ended, in that order: their pages count for nothing.
    var abandoned: [Abandoned] = []
    /// By rising segment, and rising time: a fork that goes back further says all that earlier ones said.
    var cuts: [Cut] = []
    /// The segment that is written to, 0 when there is none, and how many of its pages some checkpoint needs.
    var head: UInt64 = 0
    var headLive = 0
    /// Pages from here on may have versions that no checkpoint needs any more; `pageCount` when none has.
    var unswept: Int

    struct OpenCheckpoint: Equatable, Sendable {
        /// Sequence number of its begin.
        var begin: UInt64
        /// Pages were written to this segment and later ones; those of an earlier segment are needed by others.
        var firstSegment: UInt64
        var pages: [(segment: UInt64, entry: PageEntry)] = []

        static func == (a: OpenCheckpoint, b: OpenCheckpoint) -> Bool {
            a.begin == b.begin && a.firstSegment == b.firstSegment
        }
    }

    struct Abandoned: Equatable, Sendable {
        var begin: UInt64
        /// None of its pages is in a later segment.
        var lastSegment: UInt64
    }

    /// A fork: of what earlier segments hold, only versions up to this time count.
    struct Cut: Equatable, Sendable {
        var segment: UInt64
        var time: GlobalTime
    }

    init(pageCount: Int) {
        index = PageIndex(pageCount: pageCount)
        unswept = pageCount
    }

    var newest: Checkpoint? { checkpoints.last }

    // MARK: Checkpoints

    /// The first checkpoint at or after a time.
    private static func place(from time: GlobalTime, in checkpoints: [Checkpoint]) -> Int {
        var low = 0
        var high = checkpoints.count
        while low < high {
            let middle = (low + high) / 2
            if checkpoints[middle].time < time { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func place(of time: GlobalTime) -> Int? {
        let place = Self.place(from: time, in: checkpoints)
        return place < checkpoints.count && checkpoints[place].time == time ? place : nil
    }

    // MARK: What is needed

    /// Frees the versions of a page that no checkpoint sees: none lies between it and the next newer version.
    mutating func sweep(_ page: UInt32) {
        var gone: [UInt64] = []
        let checkpoints = checkpoints
        index.remove(page, unless: { version, newer in
            let place = Self.place(from: version, in: checkpoints)
            guard place < checkpoints.count else { return false }
            return newer.map { checkpoints[place].time < $0 } ?? true
        }, { gone.append($0.segment) })
        for segment in gone { count(-1, in: segment) }
    }

    /// Sweeps on, `limit` pages at most.
    mutating func sweep(limit: Int) {
        let end = min(index.pageCount, unswept + limit)
        while unswept < end {
            sweep(UInt32(unswept))
            unswept += 1
        }
    }

    mutating func insert(_ entry: PageEntry, in segment: UInt64) {
        let old = index.insert(entry.page, entry.version, segment: segment, offset: entry.offset)
        if let old { count(-1, in: old) }
        count(1, in: segment)
    }

    private mutating func count(_ change: Int, in segment: UInt64) {
        if segment == head {
            headLive += change
        } else if let place = segments.place(of: segment) {
            segments.count(change, at: place)
        }
    }

    /// Counts anew what is needed of each segment.
    mutating func recount() {
        segments.resetCounts()
        headLive = 0
        for page in 0..<UInt32(index.pageCount) {
            var places: [UInt64] = []
            index.forEach(page) { places.append($0.segment) }
            for segment in places { count(1, in: segment) }
        }
    }

    // MARK: Segments

    /// Nothing more is written to the head.
    mutating func closeHead(length: Int, seal: Int, chain: UInt64, identity: UInt64) {
        segments.append(Segment(
            number: head, length: length, seal: seal, chain: chain, identity: identity, liveCount: headLive))
        head = 0
        headLive = 0
    }

    /// Of the open checkpoint nothing will ever count.
    mutating func abandon() {
        guard let gone = open else { return }
        let last = max(head, segments.all.last?.number ?? 0)
        if !gone.pages.isEmpty { abandoned.append(Abandoned(begin: gone.begin, lastSegment: last)) }
        open = nil
    }

    mutating func drop(_ numbers: [UInt64]) -> Bool {
        for number in numbers where !segments.remove(number) { return false }
        // The head has pages too.
        let first = segments.all.first?.number ?? (head == 0 ? .max : head)
        forgetAbandoned()
        cuts.removeAll { $0.segment <= first }
        return true
    }

    /// Forgets the abandoned checkpoints of whose segments none is there any more. Each began where the one before it
    /// was abandoned, or later: that none of its pages is in an earlier segment is known without being noted.
    private mutating func forgetAbandoned() {
        var kept: [Abandoned] = []
        var place = 0
        for one in abandoned {
            let begin = kept.last?.lastSegment ?? 0
            while place < segments.all.count, segments[place].number < begin { place += 1 }
            let isThere = place < segments.all.count && segments[place].number <= one.lastSegment
            if isThere || head != 0 && head <= one.lastSegment { kept.append(one) }
        }
        abandoned = kept
    }
}
