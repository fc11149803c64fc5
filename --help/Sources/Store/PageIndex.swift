import Wire

/// Where each version of each page is that some checkpoint needs. In memory only: the log is what it is made from.
struct PageIndex: Sendable {
    struct Version: Equatable, Sendable {
        var version: GlobalTime
        var segment: UInt64
        var offset: UInt32
        /// The next older version of the page, 0 for none; of an unused entry, the next unused one.
        fileprivate var older: UInt32
    }

    /// Entry 0 is none; the versions of a page are a list, newest first.
    private var entries = [Version(version: .zero, segment: 0, offset: 0, older: 0)]
    private var newest: [UInt32]
    private var unused: UInt32 = 0

    init(pageCount: Int) {
        newest = [UInt32](repeating: 0, count: pageCount)
    }

    var pageCount: Int { newest.count }

    /// The newest version that is no newer than `time`; nil for a page that had never been written then.
    func find(_ page: UInt32, at time: GlobalTime) -> Version? {
        var place = newest[Int(page)]
        while place != 0, entries[Int(place)].version > time { place = entries[Int(place)].older }
        return place == 0 ? nil : entries[Int(place)]
    }

    /// Calls `body` with each version of the page, newest first.
    func forEach(_ page: UInt32, _ body: (Version) -> Void) {
        var place = newest[Int(page)]
        while place != 0 {
            body(entries[Int(place)])
            place = entries[Int(place)].older
        }
    }

    /// Adds a version, or moves it when it is there already; returns the segment where it was then.
    mutating func insert(_ page: UInt32, _ version: GlobalTime, segment: UInt64, offset: UInt32) -> UInt64? {
        var before: UInt32 = 0
        var place = newest[Int(page)]
        while place != 0, entries[Int(place)].version > version {
            before = place
            place = entries[Int(place)].older
        }
        if place != 0, entries[Int(place)].version == version {
            let old = entries[Int(place)].segment
            entries[Int(place)].segment = segment
            entries[Int(place)].offset = offset
            return old
        }
        let new = take(Version(version: version, segment: segment, offset: offset, older: place))
        if before == 0 { newest[Int(page)] = new } else { entries[Int(before)].older = new }
        return nil
    }

    /// Removes the versions of a page that `isNeeded` refuses, given each and the next newer one's version, and hands
    /// each to `body`.
    mutating func remove(
        _ page: UInt32, unless isNeeded: (GlobalTime, GlobalTime?) -> Bool, _ body: (Version) -> Void
    ) {
        var before: UInt32 = 0
        var newer: GlobalTime?
        var place = newest[Int(page)]
        while place != 0 {
            let entry = entries[Int(place)]
            if isNeeded(entry.version, newer) {
                before = place
            } else {
                if before == 0 { newest[Int(page)] = entry.older } else { entries[Int(before)].older = entry.older }
                entries[Int(place)].older = unused
                unused = place
                body(entry)
            }
            newer = entry.version
            place = entry.older
        }
    }

    private mutating func take(_ entry: Version) -> UInt32 {
        guard unused != 0 else {
            entries.append(entry)
            return UInt32(entries.count - 1)
        }
        let place = unused
        unused = entries[Int(place)].older
        entries[Int(place)] = entry
        return place
    }
}
