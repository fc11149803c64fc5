import Wire

/// Who has which unsaved version of a page, as nodes have answered a poll. There may be as many as the memory has
/// pages, and a round of saving looks each of its own up.
struct Holders: Sendable {
    struct Holder: Sendable {
        var page: PageNumber
        var version: GlobalTime
        var station: Station
    }

    /// By page and version, and of the same version in the order in which the answers came.
    private var sorted: [Holder] = []

    init(_ holders: [Holder] = []) {
        sorted = holders.indices.sorted { first, second in
            let (one, other) = (holders[first], holders[second])
            return (one.page.index, one.version, first) < (other.page.index, other.version, second)
        }.map { holders[$0] }
    }

    var count: Int { sorted.count }

    /// Somebody who has exactly this version; nil when nobody said so.
    func station(of page: PageNumber, _ version: GlobalTime) -> Station? {
        var low = 0
        var high = sorted.count
        while low < high {
            let middle = (low + high) / 2
            if (sorted[middle].page.index, sorted[middle].version) < (page.index, version) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        guard low < sorted.count, sorted[low].page == page, sorted[low].version == version else { return nil }
        return sorted[low].station
    }

    mutating func removeAll(where isDone: (Holder) -> Bool) { sorted.removeAll(where: isDone) }
}
