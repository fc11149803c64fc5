import Wire

extension Verdict {
    /// The verdict for a person: what was checked, and the smallest set of transactions that breaks a rule.
    public func lines(_ history: History) -> [String] {
        let aside = [
            (counts.aborted, "aborted"), (counts.undone, "undone"), (counts.unknown, "of unknown outcome"),
            (counts.partlyListed, "only partly listed"),
        ].filter { $0.0 > 0 }.map { ", \($0.0) \($0.1)" }.joined()
        let summary =
            "\(counts.transactions) transactions: \(counts.writers) writers, \(counts.readers) readers\(aside);"
            + " \(counts.reads) reads and \(counts.writes) writes of \(counts.keys) keys"
        guard let smallest else { return ["right: the memory kept its promises", summary] }
        return ["wrong: " + smallest.sentence, "rule: " + smallest.rule.rawValue]
            + smallest.transactions.flatMap { history.transactions[$0].lines }
            + ["violations: " + violationText, summary]
    }

    private var violationText: String {
        Rule.allCases.compactMap { rule in violations[rule].map { "\($0) of \"\(rule.rawValue)\"" } }
            .joined(separator: ", ")
    }
}

extension Transaction {
    /// Accesses that are shown of a transaction.
    private static let shown = 12

    /// The transaction for a person.
    public var lines: [String] {
        let ending =
            switch outcome {
            case .committed(let time): "committed at \(time.text)\(isNamedUndone ? ", undone" : "")"
            case .aborted: "aborted"
            case .unknown: "of unknown outcome"
            }
        return ["  \(name) on \(node), \(begin) to \(end) ns, \(ending)"]
            + Self.list("read ", reads.map { "\($0.key) at \($0.version.text) = \($0.value.hexadecimal)" })
            + Self.list("wrote", writes.map { "\($0.key) = \($0.value.hexadecimal)" })
    }

    private static func list(_ what: String, _ accesses: [String]) -> [String] {
        guard !accesses.isEmpty else { return [] }
        let rest = accesses.count > shown ? " and \(accesses.count - shown) more" : ""
        return ["    \(what) " + accesses.prefix(shown).joined(separator: ", ") + rest]
    }
}
