import Wire

@testable import History

extension Target {
    /// A history file: read, judged, written again and read again.
    static let history = Target("history", longest: 4096) { bytes in
        do throws(HistoryError) {
            let history = try HistoryReader.read(bytes)
            let verdict = Checker.check(history)
            _ = verdict.lines(history)
            let again = written(history)
            guard let same = try? HistoryReader.read(again) else { broken("a history is read as it was written") }
            require(same == history, "a history says the same when it was written again")
            require(Checker.check(same).violations == verdict.violations, "the same history has the same verdict")
        } catch {
            checkPlace(error, in: bytes)
        }
    }

    /// An error names a place that is there: a line of the file, and a column of it or the one behind its end.
    private static func checkPlace(_ error: HistoryError, in bytes: [UInt8]) {
        guard case .text(let line, let column, let reason) = error else { broken("a history's error has a place") }
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        require((1...max(1, lines.count)).contains(line), "an error names a line of the file")
        require(
            (1...lines[line - 1].count + 2).contains(column), "an error names a column of its line: \(line):\(column)")
        require(!reason.isEmpty, "an error has a reason")
    }

    /// The events of a history: each transaction whole, in the order in which they began.
    private static func written(_ history: History) -> [UInt8] {
        var writer = HistoryWriter()
        let node = "host"
        if let first = history.saved.first {
            writer.append(.saved(node: node, time: first.time, since: history.beginNanoseconds,
                                 nanoseconds: history.beginNanoseconds + history.clockError))
        }
        for opening in history.openings.list { writer.append(.opened(node: node, opening)) }
        for transaction in history.transactions { write(transaction, to: &writer) }
        for (place, saved) in history.saved.enumerated().dropFirst() {
            let isLast = place == history.saved.count - 1
            writer.append(.saved(node: node, time: saved.time, since: isLast ? history.beginNanoseconds : nil,
                                 nanoseconds: saved.nanoseconds))
        }
        return writer.takeBytes()
    }

    private static func write(_ transaction: Transaction, to writer: inout HistoryWriter) {
        let (name, node) = (transaction.name, transaction.node)
        writer.append(.begin(transaction: name, node: node, nanoseconds: transaction.begin))
        for read in transaction.reads { writer.append(.read(transaction: name, node: node, read)) }
        if transaction.hasUnlistedReads { writer.append(.read(transaction: name, node: node, nil)) }
        for write in transaction.writes { writer.append(.write(transaction: name, node: node, write)) }
        if transaction.hasUnlistedWrites { writer.append(.write(transaction: name, node: node, nil)) }
        switch transaction.outcome {
        case .committed(let time):
            writer.append(.commit(transaction: name, node: node, time: time, nanoseconds: transaction.end))
            if transaction.isNamedUndone { writer.append(.undone(transaction: name, node: node, time: time)) }
        case .aborted: writer.append(.abort(transaction: name, node: node, nanoseconds: transaction.end))
        case .unknown: writer.append(.unknown(transaction: name, node: node))
        }
    }
}
