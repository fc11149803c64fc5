import History
import Protocol
import Wire

/// Makes a history of what the nodes' programs do, in the format that real machines tell theirs in (room History). A
/// page is a key, its stamp the value; each incarnation of a node is a node of its own.
struct HistoryTeller {
    private var history = History()
    private var numbers: [String: Int] = [:]
    /// The newest moment that was told.
    private var now: UInt64 = 0

    mutating func tell(_ step: SimulatedNode.RunningStep, of node: SimulatedNode, _ outcome: Transaction.Outcome,
                       now: UInt64, version: (Access) -> GlobalTime) {
        let life = "n\(node.station.number).\(node.core.endpoint.incarnation)"
        numbers[life, default: 0] += 1
        var transaction = Transaction(
            name: "\(life).\(numbers[life, default: 0])", node: life, begin: step.begun, end: now,
            outcome: outcome)
        transaction.reads = step.reads.map { Read(key: $0.page.index, value: $0.stamp, version: version($0)) }
        transaction.writes = step.writes.map { Write(key: $0.page.index, value: $0.stamp) }
        history.transactions.append(transaction)
        self.now = now
    }

    mutating func saved(_ time: GlobalTime) { history.saved.append(Saved(time, at: now)) }

    /// The file, as JSON lines.
    func file(_ openings: [(epoch: UInt32, time: UInt64)]) -> [UInt8] {
        var history = history
        for opening in openings where opening.epoch > 1 {
            history.openings.append(Opening(epoch: opening.epoch, stays: GlobalTime(raw: opening.time)))
        }
        for place in history.transactions.indices {
            guard let time = history.transactions[place].commitTime else { continue }
            history.transactions[place].isNamedUndone = history.openings.undo(time)
        }
        history.endNanoseconds = now
        history.saved.append(Saved(history.saved.last?.time ?? .zero, at: now))
        var writer = HistoryWriter()
        writer.append(history)
        return writer.takeBytes()
    }
}

extension Checker {
    /// A transaction ended; it is told when somebody wants the history.
    func tell(_ step: SimulatedNode.RunningStep, of node: SimulatedNode, _ outcome: Transaction.Outcome,
              now: UInt64) {
        guard teller != nil else { return }
        let versions = commitOfStamp
        teller?.tell(step, of: node, outcome, now: now) { GlobalTime(raw: versions[$0.stamp] ?? 0) }
    }
}

extension Simulation {
    /// Runs a seed and makes its history too.
    ///
    /// Not with restores: who reads a history knows of no reason for which something saved may be undone.
    public static func history(seed: UInt64, trouble: Trouble = .all.subtracting(.restores),
                               nodes: Int? = nil) -> (verdict: Verdict, file: [UInt8]) {
        let simulation = Simulation(seed: seed, trouble: trouble, nodes: nodes)
        simulation.checker.teller = HistoryTeller()
        let verdict = simulation.run()
        return (verdict, simulation.checker.teller?.file(simulation.checker.openings) ?? [])
    }
}
