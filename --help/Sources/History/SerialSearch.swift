import Wire

/// Looks for a serial order of a short history's surviving commits, by trying all: each transaction reads what the ones
/// before it have left, and a writer that ended before another one began comes first.
///
/// It uses neither commit times nor versions. A history that the checker accepts has an order, namely that of the
/// commit times; this finds out whether the checker is right about that.
struct SerialSearch {
    /// More transactions than this have too many orders.
    static let limit = 8

    private struct Item {
        var reads: [Read]
        var writes: [Write]
        var isWriter: Bool
        var begin: UInt64
        var end: UInt64
    }

    private let items: [Item]
    private let clockError: UInt64

    /// Nil when the history is too long, or not completely known.
    init?(_ history: History) {
        let surviving = history.transactions.filter { $0.commitTime.map { !history.openings.undo($0) } ?? false }
        guard surviving.count <= Self.limit, !surviving.isEmpty,
            history.transactions.allSatisfy({ $0.outcome != .unknown }),
            surviving.allSatisfy({ $0.commitTime ?? .zero >= history.start && !$0.hasUnlistedWrites })
        else { return nil }
        items = surviving.map {
            Item(reads: $0.reads, writes: $0.writes, isWriter: $0.isWriter, begin: $0.begin, end: $0.end)
        }
        clockError = history.clockError
    }

    var exists: Bool {
        var state: [UInt32: UInt64] = [:]
        return extend(0, &state)
    }

    /// Whether those that are not `done` can follow in some order.
    private func extend(_ done: UInt64, _ state: inout [UInt32: UInt64]) -> Bool {
        guard done != (1 << UInt64(items.count)) - 1 else { return true }
        for place in items.indices where done & 1 << UInt64(place) == 0 && mayFollow(done, place) {
            var next = state
            guard apply(items[place], to: &next) else { continue }
            if extend(done | 1 << UInt64(place), &next) { return true }
        }
        return false
    }

    /// Whether no writer that is not done must come before this one.
    private func mayFollow(_ done: UInt64, _ place: Int) -> Bool {
        guard items[place].isWriter else { return true }
        for other in items.indices where other != place && done & 1 << UInt64(other) == 0 && items[other].isWriter {
            let (ended, begun) = (items[other].end, items[place].begin)
            if begun > ended, begun - ended > clockError { return false }
        }
        return true
    }

    /// False when it reads something else. What a key held at first is what its first reader says.
    private func apply(_ item: Item, to state: inout [UInt32: UInt64]) -> Bool {
        for read in item.reads {
            guard let value = state[read.key] else {
                state[read.key] = read.value
                continue
            }
            guard value == read.value else { return false }
        }
        for write in item.writes { state[write.key] = write.value }
        return true
    }
}
