import Wire

/// Makes a history of its file, or says what is wrong with it and where.
///
/// It accepts nothing that cannot have happened: every transaction begins once and ends once, everything it does lies
/// in between, an undone commit was a commit. Whether what happened is *right* is the checker's question.
public struct HistoryReader {
    private var scanner: LineScanner
    private var history = History()
    private var places: [String: Int] = [:]
    private var nodes: [String: String] = [:]
    /// Name and place of the transaction of the line before.
    private var last: (name: Range<Int>, place: Int)?
    private var isEnded: [Bool] = []
    private var beginLines: [Int] = []
    private var savedLines: [Int] = []
    private var isLastSavedFinal = false

    /// - Parameter bytes: the whole file.
    public static func read(_ bytes: [UInt8]) throws(HistoryError) -> History {
        var reader = HistoryReader(bytes)
        return try reader.readAll()
    }

    private init(_ bytes: [UInt8]) { scanner = LineScanner(bytes) }

    private mutating func readAll() throws(HistoryError) -> History {
        history.saved = []
        while !scanner.isAtEnd {
            scanner.beginLine()
            let start = scanner.position
            let line = try EventLine(&scanner)
            // The scanner stands behind the line already: errors from here on name their places.
            try accept(line, start)
        }
        try checkEnd()
        return history
    }

    private func checkEnd() throws(HistoryError) {
        guard !history.saved.isEmpty else { throw scanner.error("the file is empty: there is no event") }
        guard isLastSavedFinal, history.saved.count > 1 else {
            throw scanner.error("the file is truncated: it does not end with saved and its beginNanoseconds")
        }
        for place in isEnded.indices where !isEnded[place] {
            throw HistoryError.text(
                line: beginLines[place], column: 1,
                "the end of \(history.transactions[place].name) is missing: there is no commit or abort")
        }
    }

    private mutating func accept(_ line: EventLine, _ start: Int) throws(HistoryError) {
        guard let event = line.event else { throw scanner.missing("event", start) }
        guard let node = line.node else { throw scanner.missing("node", start) }
        if history.saved.isEmpty, event.value != .saved {
            throw scanner.wrong("a history begins with saved", event.place)
        }
        isLastSavedFinal = false
        switch event.value {
        case .saved: try acceptSaved(line, start)
        case .undone where line.transaction == nil: try acceptOpening(line, start)
        case .begin: try acceptBegin(line, node, start)
        case .read: try acceptRead(line, try running(line, node, event, start), start)
        case .write: try acceptWrite(line, try running(line, node, event, start), start)
        case .commit: try acceptCommit(line, try running(line, node, event, start), start)
        case .abort: try acceptAbort(line, try running(line, node, event, start), start)
        case .undone: try acceptUndone(line, try known(line, node, start), start)
        }
    }

    // MARK: The cluster's events

    private mutating func acceptSaved(_ line: EventLine, _ start: Int) throws(HistoryError) {
        try scanner.allow(line, [.commitTime, .begin, .end])
        guard let time = line.commitTime else { throw scanner.missing("commitTime", start) }
        guard let end = line.end else { throw scanner.missing("endNanoseconds", start) }
        let isFirst = history.saved.isEmpty
        if isFirst {
            guard let begin = line.begin else { throw scanner.missing("beginNanoseconds", start) }
            guard begin.value <= end.value else { throw scanner.wrong("it ends before it begins", end.place) }
            history.beginNanoseconds = begin.value
            history.clockError = end.value - begin.value
        } else if let begin = line.begin {
            guard begin.value == history.beginNanoseconds else {
                throw scanner.wrong("the last saved must have the first one's beginNanoseconds", begin.place)
            }
            isLastSavedFinal = true
        }
        history.saved.append(Saved(time.value, at: isFirst ? history.beginNanoseconds : end.value))
        history.endNanoseconds = end.value
    }

    private mutating func acceptOpening(_ line: EventLine, _ start: Int) throws(HistoryError) {
        try scanner.allow(line, [.version, .commitTime])
        guard let stays = line.version else { throw scanner.missing("version", start) }
        guard let begins = line.commitTime else { throw scanner.missing("commitTime", start) }
        guard begins.value.counter == stays.value.counter, begins.value.epoch > stays.value.epoch else {
            throw scanner.wrong("an epoch begins later than version, at the same counter", begins.place)
        }
        if let before = history.openings.list.last, before.begins.epoch >= begins.value.epoch {
            throw scanner.wrong("epoch \(begins.value.epoch) opens after epoch \(before.begins.epoch)", begins.place)
        }
        history.openings.append(Opening(stays: stays.value, begins: begins.value))
    }

    // MARK: Transactions

    private mutating func acceptBegin(
        _ line: EventLine, _ node: EventLine.Member<Range<Int>>, _ start: Int
    ) throws(HistoryError) {
        try scanner.allow(line, [.transaction, .begin])
        guard let transaction = line.transaction else { throw scanner.missing("transaction", start) }
        guard let begin = line.begin else { throw scanner.missing("beginNanoseconds", start) }
        let name = scanner.text(transaction.value)
        guard places[name] == nil else {
            throw scanner.wrong("\(name) begins again: the event is repeated", transaction.place)
        }
        let nodeName = scanner.text(node.value)
        let shared = nodes[nodeName] ?? nodeName
        nodes[shared] = shared
        places[name] = history.transactions.count
        last = (transaction.value, history.transactions.count)
        history.transactions.append(
            Transaction(name: name, node: shared, begin: begin.value, end: begin.value, outcome: .unknown))
        isEnded.append(false)
        beginLines.append(scanner.line)
    }

    /// The transaction of the line, which has begun.
    private mutating func known(
        _ line: EventLine, _ node: EventLine.Member<Range<Int>>, _ start: Int
    ) throws(HistoryError) -> Int {
        guard let transaction = line.transaction else { throw scanner.missing("transaction", start) }
        let place: Int
        if let last, scanner.equals(last.name, transaction.value) {
            place = last.place
        } else {
            let name = scanner.text(transaction.value)
            guard let found = places[name] else {
                throw scanner.wrong("\(name) has not begun: its begin is missing", transaction.place)
            }
            place = found
            last = (transaction.value, place)
        }
        guard scanner.equals(node.value, history.transactions[place].node) else {
            throw scanner.wrong(
                "\(history.transactions[place].name) began on \(history.transactions[place].node)", node.place)
        }
        return place
    }

    /// The transaction of the line, which has begun and not ended.
    private mutating func running(
        _ line: EventLine, _ node: EventLine.Member<Range<Int>>, _ event: EventLine.Member<HistoryEvent.Name>,
        _ start: Int
    ) throws(HistoryError) -> Int {
        let place = try known(line, node, start)
        guard !isEnded[place] else {
            throw scanner.wrong(
                "\(history.transactions[place].name) has ended already: this \(event.value.rawValue) cannot be",
                event.place)
        }
        return place
    }

    private mutating func acceptRead(_ line: EventLine, _ place: Int, _ start: Int) throws(HistoryError) {
        try scanner.allow(line, [.transaction, .key, .value, .version])
        guard let key = line.key else {
            try scanner.allow(line, [.transaction])
            history.transactions[place].hasUnlistedReads = true
            return
        }
        guard let value = line.value else { throw scanner.missing("value", start) }
        guard let version = line.version else { throw scanner.missing("version", start) }
        history.transactions[place].reads.append(Read(key: key.value, value: value.value, version: version.value))
    }

    private mutating func acceptWrite(_ line: EventLine, _ place: Int, _ start: Int) throws(HistoryError) {
        try scanner.allow(line, [.transaction, .key, .value])
        guard let key = line.key else {
            try scanner.allow(line, [.transaction])
            history.transactions[place].hasUnlistedWrites = true
            return
        }
        guard let value = line.value else { throw scanner.missing("value", start) }
        history.transactions[place].writes.append(Write(key: key.value, value: value.value))
    }

    private mutating func acceptCommit(_ line: EventLine, _ place: Int, _ start: Int) throws(HistoryError) {
        try scanner.allow(line, [.transaction, .commitTime, .end])
        try end(place, line)
        guard let time = line.commitTime else {
            guard line.end == nil else { throw scanner.missing("commitTime", start) }
            return
        }
        guard line.end != nil else { throw scanner.missing("endNanoseconds", start) }
        if history.transactions[place].isWriter, time.value.counter == 0 {
            throw scanner.wrong("nothing is written at counter 0, which is before the first commit", time.place)
        }
        history.transactions[place].outcome = .committed(time.value)
    }

    private mutating func acceptAbort(_ line: EventLine, _ place: Int, _ start: Int) throws(HistoryError) {
        try scanner.allow(line, [.transaction, .end])
        guard line.end != nil else { throw scanner.missing("endNanoseconds", start) }
        try end(place, line)
        history.transactions[place].outcome = .aborted
    }

    private mutating func end(_ place: Int, _ line: EventLine) throws(HistoryError) {
        isEnded[place] = true
        if let repeated = history.transactions[place].repeatedAccess {
            throw scanner.wrong("\(history.transactions[place].name) has a repeated event: \(repeated)",
                                line.event?.place ?? 0)
        }
        guard let end = line.end else { return }
        guard end.value >= history.transactions[place].begin else {
            throw scanner.wrong("\(history.transactions[place].name) ends before it begins", end.place)
        }
        history.transactions[place].end = end.value
    }

    private mutating func acceptUndone(_ line: EventLine, _ place: Int, _ start: Int) throws(HistoryError) {
        try scanner.allow(line, [.transaction, .commitTime])
        let name = history.transactions[place].name
        guard let time = line.commitTime else { throw scanner.missing("commitTime", start) }
        guard let committed = history.transactions[place].commitTime else {
            throw scanner.wrong("\(name) has not committed: it cannot be undone", line.event?.place ?? start)
        }
        guard committed == time.value else {
            throw scanner.wrong("\(name) committed at \(committed.text)", time.place)
        }
        guard !history.transactions[place].isNamedUndone else {
            throw scanner.wrong("\(name) is undone again: the event is repeated", line.event?.place ?? start)
        }
        history.transactions[place].isNamedUndone = true
    }
}

extension Transaction {
    /// Says what is repeated when the same read, or a write of the same key, is listed twice.
    fileprivate var repeatedAccess: String? {
        if let key = Self.repeated(writes.map { ($0.key, 0) }) { return "write of \(key)" }
        if let key = Self.repeated(reads.map { ($0.key, $0.version.raw) }) { return "read of \(key)" }
        return nil
    }

    private static func repeated(_ accesses: [(UInt32, UInt64)]) -> UInt32? {
        guard accesses.count > 1 else { return nil }
        let sorted = accesses.sorted { $0 < $1 }
        for place in 1..<sorted.count where sorted[place] == sorted[place - 1] { return sorted[place].0 }
        return nil
    }
}

extension LineScanner {
    /// Members that an event may have, besides `node` and `event`.
    fileprivate struct Members: OptionSet {
        let rawValue: UInt8
        static let transaction = Members(rawValue: 1), key = Members(rawValue: 2), value = Members(rawValue: 4)
        static let version = Members(rawValue: 8), commitTime = Members(rawValue: 16)
        static let begin = Members(rawValue: 32), end = Members(rawValue: 64)
    }

    /// The scanner has passed the line's end; the place still lies in it.
    fileprivate func wrong(_ reason: String, _ place: Int) -> HistoryError { error(reason, at: place) }

    fileprivate func missing(_ name: StaticString, _ start: Int) -> HistoryError {
        error("the member \"\(name)\" is missing", at: start)
    }

    /// - Throws: for a member that the event does not have.
    fileprivate func allow(_ line: EventLine, _ members: Members) throws(HistoryError) {
        func check(_ member: Members, _ place: Int?, _ text: StaticString) throws(HistoryError) {
            guard let place, !members.contains(member) else { return }
            throw error("a \(line.event?.value.rawValue ?? "event") has no \(text) here", at: place)
        }
        try check(.transaction, line.transaction?.place, "transaction")
        try check(.key, line.key?.place, "key")
        try check(.value, line.value?.place, "value")
        try check(.version, line.version?.place, "version")
        try check(.commitTime, line.commitTime?.place, "commitTime")
        try check(.begin, line.begin?.place, "beginNanoseconds")
        try check(.end, line.end?.place, "endNanoseconds")
    }
}
