import Wire

/// Decides whether a history is one that the memory may have.
///
/// It knows nothing of tokens, pages and frames: what it knows of order it takes from commit times and openings alone.
/// Commits form a tree; the branch that no epoch has cut off is what survives. A transaction belongs to the branch of
/// the newest thing it knows: its own commit, or what it read.
public struct Checker {
    let history: History
    /// Only some of the transactions are there: nothing follows from what is missing.
    let isPartial: Bool
    let table: VersionTable
    /// Places of committed writers, by time.
    var writers: [Int] = []
    var writerAt: [GlobalTime: Int] = [:]
    var counts = Verdict.Counts()
    private var found: [Violation] = []
    private var violations: [Rule: Int] = [:]
    /// Versions after the start that were read, and that nobody recorded: who read them.
    var unrecorded: [GlobalTime: Int] = [:]

    /// Violations that are kept, to choose the smallest from.
    private static let kept = 200
    /// Violations whose transactions are minimised.
    private static let minimised = 50

    public static func check(_ history: History) -> Verdict { check(history, isSearching: true) }

    /// - Parameter isSearching: whether short histories are also searched for a serial order.
    static func check(_ history: History, isSearching: Bool) -> Verdict {
        var checker = Checker(history, isPartial: false)
        checker.checkAll()
        return checker.verdict(isSearching: isSearching)
    }

    private init(_ history: History, isPartial: Bool) {
        self.history = history
        self.isPartial = isPartial
        table = VersionTable(history.transactions)
    }

    private mutating func checkAll() {
        checkTimes()
        for (first, second) in table.contradictions { tellContradiction(first, second) }
        for place in history.transactions.indices { checkTransaction(place) }
        checkRealTime()
        checkNodeOrder()
        checkUndone()
        if !isPartial {
            checkSaved()
            checkCompleteness()
        }
    }

    mutating func fail(_ rule: Rule, _ transactions: [Int], _ sentence: String) {
        violations[rule, default: 0] += 1
        guard found.count < Self.kept else { return }
        found.append(
            Violation(rule: rule, transactions: Array(Set(transactions)).sorted(), sentence: sentence))
    }

    func name(_ place: Int) -> String { history.transactions[place].name }
    func survives(_ time: GlobalTime) -> Bool { !history.openings.undo(time) }

    // MARK: What a transaction is

    mutating func count(_ transaction: Transaction) {
        counts.transactions += 1
        counts.reads += transaction.reads.count
        counts.writes += transaction.writes.count
        if transaction.hasUnlistedReads || transaction.hasUnlistedWrites { counts.partlyListed += 1 }
        switch transaction.outcome {
        case .committed: if transaction.isWriter { counts.writers += 1 } else { counts.readers += 1 }
        case .aborted: counts.aborted += 1
        case .unknown: counts.unknown += 1
        }
        if transaction.isNamedUndone { counts.undone += 1 }
    }

    private mutating func tellContradiction(_ first: VersionTable.Entry, _ second: VersionTable.Entry) {
        let a = Int(first.witness)
        let b = Int(second.witness)
        fail(.oneValue, [a, b],
             "\(name(a)) \(first.isWritten ? "wrote" : "read") key \(first.key) at \(first.time.text)"
                + " as \(first.value.hexadecimal), and \(name(b)) read it as \(second.value.hexadecimal)")
    }

    // MARK: What a transaction read

    private mutating func checkTransaction(_ place: Int) {
        let transaction = history.transactions[place]
        checkForTwoVersions(transaction, place)
        for read in transaction.reads { checkWriter(of: read, by: place) }
        let (tip, isInclusive) =
            switch transaction.outcome {
            case .committed(let time): (time, !transaction.isWriter)
            // Later times than that of the newest version read do not make more of the other reads current.
            case .aborted, .unknown: (transaction.reads.map(\.version).max() ?? .zero, true)
            }
        for read in transaction.reads { check(read, of: place, at: tip, isInclusive) }
    }

    private mutating func checkForTwoVersions(_ transaction: Transaction, _ place: Int) {
        guard transaction.reads.count > 1 else { return }
        let reads = transaction.reads.sorted { $0.key < $1.key }
        for index in 1..<reads.count where reads[index].key == reads[index - 1].key {
            guard reads[index].version != reads[index - 1].version else { continue }
            fail(.snapshot, [place],
                 "\(name(place)) read key \(reads[index].key) at \(reads[index - 1].version.text) and at"
                    + " \(reads[index].version.text)")
        }
    }

    private mutating func checkWriter(of read: Read, by place: Int) {
        guard read.version > .zero else { return }
        guard let writer = writerAt[read.version] else {
            if read.version > history.start { unrecorded[read.version] = place }
            return
        }
        let transaction = history.transactions[writer]
        if !transaction.hasUnlistedWrites, !transaction.writes.contains(where: { $0.key == read.key }) {
            fail(.written, [writer, place],
                 "\(name(place)) read key \(read.key) at \(read.version.text), but \(name(writer)) did not write it")
        }
        if history.transactions[place].end.isBefore(transaction.begin, error: history.clockError) {
            fail(.causality, [writer, place],
                 "\(name(place)) read key \(read.key) at \(read.version.text) and ended before \(name(writer)), which"
                    + " wrote that, began")
        }
    }

    private mutating func check(_ read: Read, of place: Int, at tip: GlobalTime, _ isInclusive: Bool) {
        let isEarly = isInclusive ? read.version <= tip : read.version < tip
        guard isEarly else { return tell(read, of: place, at: tip, writerAt[read.version], "which is later") }
        if let cut = history.openings.cut(read.version, from: tip) {
            return tell(read, of: place, at: tip, writerAt[read.version],
                        "which epoch \(cut.begins.epoch) has undone")
        }
        guard let newest = table.newest(read.key, leadingTo: tip, isInclusive: isInclusive, history.openings),
            newest.time != read.version
        else { return }
        let other = Int(newest.witness)
        tell(read, of: place, at: tip, other,
             "but \(name(other)) \(newest.isWritten ? "wrote" : "read") it at \(newest.time.text)")
    }

    private mutating func tell(_ read: Read, of place: Int, at tip: GlobalTime, _ other: Int?, _ why: String) {
        let isCommitted = history.transactions[place].commitTime != nil
        fail(isCommitted ? .serial : .snapshot, [place] + (other.map { [$0] } ?? []),
             "\(name(place)) \(isCommitted ? "committed at" : "saw what was there at") \(tip.text) and read key"
                + " \(read.key) at \(read.version.text), \(why)")
    }

    // MARK: The verdict

    private func verdict(isSearching: Bool) -> Verdict {
        var verdict = Verdict()
        verdict.counts = counts
        verdict.violations = violations
        if violations.isEmpty, isSearching, let order = SerialSearch(history) {
            verdict.isSearched = true
            if !order.exists {
                verdict.violations[.someOrder] = 1
                verdict.smallest = Violation(
                    rule: .someOrder, transactions: Array(history.transactions.indices),
                    sentence: "no order of these transactions explains what they read")
            }
            return verdict
        }
        for violation in found.prefix(Self.minimised) {
            let minimal = minimised(violation)
            if verdict.smallest.map({ minimal.transactions.count < $0.transactions.count }) ?? true {
                verdict.smallest = minimal
            }
        }
        return verdict
    }

    /// Leaves out what is not needed to break a rule.
    private func minimised(_ violation: Violation) -> Violation {
        var smallest = violation
        var place = 0
        while place < smallest.transactions.count, smallest.transactions.count > 1 {
            var fewer = smallest.transactions
            fewer.remove(at: place)
            var checker = Checker(history.restricted(to: fewer), isPartial: true)
            checker.checkAll()
            guard let left = checker.found.first(where: { !$0.transactions.isEmpty }) else {
                place += 1
                continue
            }
            smallest = Violation(
                rule: left.rule, transactions: left.transactions.map { fewer[$0] }, sentence: left.sentence)
            place = 0
        }
        return smallest
    }
}

extension UInt64 {
    var hexadecimal: String { String(self, radix: 16) }

    /// Whether one clock's reading is certainly before another one's.
    func isBefore(_ other: UInt64, error: UInt64) -> Bool { other > self && other - self > error }
}
