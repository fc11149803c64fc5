import Wire

/// Makes one history of what several nodes have told.
public struct Recording: Sendable {
    private let start: GlobalTime
    private let began: UInt64
    private var clockError: UInt64
    private var saved: [Saved]
    private var transactions: [Transaction] = []
    /// How many commits of each life may be missing at most, besides what later openings add, and its last sign of
    /// life.
    private var lives: [(name: String, missing: Int, isLate: Bool, last: UInt64)] = []

    /// - Parameters:
    ///   - start: after this time every commit of the nodes that were told then is recorded.
    ///   - began: when the first node was told, nanoseconds of the host's clock.
    ///   - clockError: how far the nodes' clocks may be behind the host's, nanoseconds.
    public init(start: GlobalTime, began: UInt64, clockError: UInt64) {
        self.start = start
        self.began = began
        self.clockError = clockError
        saved = [Saved(start, at: began)]
    }

    /// Everything up to the time can no longer be undone.
    ///
    /// - Parameter nanoseconds: when that was told.
    public mutating func add(saved time: GlobalTime, at nanoseconds: UInt64) {
        if time != saved.last?.time { saved.append(Saved(time, at: nanoseconds)) }
    }

    /// Clocks turned out to be further apart.
    public mutating func add(clockError error: UInt64) { clockError = max(clockError, error) }

    /// What one life of a node has told.
    ///
    /// - Parameters:
    ///   - isLate: it was told to record only after its first commits.
    ///   - isLost: it was not told to stop: its last commit may be missing.
    public mutating func add(_ records: NodeRecords, node: Int, life: Int, isLate: Bool, isLost: Bool) {
        transactions += records.transactions
        let name = NodeRecords.name(of: node, life: life)
        // A late one has entered itself into the node table, and may have done a command of the host.
        lives.append((name, (isLate ? 2 : 0) + (isLost ? 1 : 0), isLate, records.transactions.last?.end ?? began))
    }

    /// The history up to a time after which commits may be missing again.
    ///
    /// - Parameter openings: all that are known.
    public func history(end: GlobalTime, openings: Openings, endedAt: UInt64) -> History {
        var history = History(
            start: start, openings: openings, beginNanoseconds: began, endNanoseconds: max(endedAt, began),
            clockError: clockError)
        history.saved = saved
        if saved.count == 1 { history.saved.append(Saved(start, at: endedAt)) }
        history.transactions = transactions.filter { $0.newestTime <= end }
        for place in history.transactions.indices {
            guard let time = history.transactions[place].commitTime else { continue }
            history.transactions[place].isNamedUndone = openings.undo(time)
        }
        history.transactions += lost(openings)
        // A node's own order stays: its clock only goes forward.
        let order = history.transactions.indices.sorted { a, b in
            let (first, second) = (history.transactions[a].end, history.transactions[b].end)
            return first == second ? a < b : first < second
        }
        history.transactions = order.map { history.transactions[$0] }
        return history
    }

    /// A stand-in for each commit that may be missing. A late life enters itself again when an epoch undoes that.
    private func lost(_ openings: Openings) -> [Transaction] {
        let later = openings.list.count { $0.begins > start }
        return lives.flatMap { life -> [Transaction] in
            let count = life.missing + (life.isLate ? later : 0)
            return (0..<count).map { index in
                Transaction(
                    name: "\(life.name).lost\(index + 1)", node: life.name, begin: life.last, end: life.last,
                    outcome: .unknown)
            }
        }
    }
}

extension Transaction {
    /// The newest time that it knows of.
    fileprivate var newestTime: GlobalTime {
        max(commitTime ?? .zero, reads.map(\.version).max() ?? .zero)
    }
}
