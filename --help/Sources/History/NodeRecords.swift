import Wire

/// Reads what a node has written to its debug port (``TransactionRecord`` has the format).
public struct NodeRecords: Sendable {
    /// In the node's order.
    public internal(set) var transactions: [Transaction] = []
    /// Bytes at the end of the file that are no whole record: the node died while it wrote them.
    public private(set) var tornBytes = 0

    /// Longest life of a host in nanoseconds that is believed: some thirty years.
    private static let longestNanoseconds: UInt64 = 1_000_000_000_000_000_000

    /// - Parameters:
    ///   - bytes: the node's file, from a place where a record begins.
    ///   - node: the node's number.
    ///   - life: which of the node's lives this is, from 1.
    /// - Throws: for a record that no node writes. What is missing at the end only is not an error.
    public init(_ bytes: [UInt8], node: Int, life: Int = 1) throws(HistoryError) {
        let nodeName = Self.name(of: node, life: life)
        var recording = 1
        var lastNumber: UInt64 = 0
        var offset = 0
        while offset < bytes.count {
            guard let record = try Self.record(bytes, at: offset, node: node) else {
                tornBytes = bytes.count - offset
                return
            }
            if record.head.number == 1, lastNumber > 0 {
                recording += 1
            } else if record.head.number != lastNumber &+ 1, lastNumber > 0 {
                throw .record(node: node, offset: offset,
                              "transaction \(record.head.number) comes after transaction \(lastNumber)")
            }
            lastNumber = record.head.number
            let series = recording == 1 ? "" : "\(recording)/"
            transactions.append(
                record.transaction(name: "\(nodeName).\(series)\(record.head.number)", node: nodeName))
            offset += record.head.byteCount
        }
    }

    /// A life's name in a history: `n2`, and `n2-2` for the second machine of that number.
    static func name(of node: Int, life: Int) -> String { life == 1 ? "n\(node)" : "n\(node)-\(life)" }

    private struct Record {
        var head: TransactionRecord
        var outcome: Transaction.Outcome
        var reads: [Read] = []
        var writes: [Write] = []

        func transaction(name: String, node: String) -> Transaction {
            var transaction = Transaction(name: name, node: node, begin: head.begin, end: head.end, outcome: outcome)
            transaction.reads = reads
            transaction.writes = writes
            transaction.hasUnlistedReads = head.flags == 1
            transaction.hasUnlistedWrites = head.flags == 1
            return transaction
        }
    }

    /// Nil when the bytes end before the record does.
    private static func record(_ bytes: [UInt8], at offset: Int, node: Int) throws(HistoryError) -> Record? {
        func number(_ place: Int, _ count: Int) -> UInt64 {
            var number: UInt64 = 0
            for index in (0..<count).reversed() { number = number << 8 | UInt64(bytes[offset + place + index]) }
            return number
        }
        func wrong(_ reason: String) -> HistoryError { .record(node: node, offset: offset, reason) }

        let present = bytes.count - offset
        guard bytes[offset] == TransactionRecord.mark else {
            throw wrong("it begins with \(bytes[offset]), not \(TransactionRecord.mark)")
        }
        guard present >= TransactionRecord.headBytes else { return nil }
        let head = TransactionRecord(number)
        guard Int(head.node) == node else { throw wrong("it is of n\(head.node)") }
        guard head.flags <= 1, head.writes <= head.reads else {
            throw wrong("it has more writes than reads, or unknown flags")
        }
        guard let outcome = outcome(of: head) else { throw wrong("there is no end \(head.outcome) of a transaction") }
        guard head.number > 0 else { throw wrong("its transaction has no number") }
        guard head.begin <= head.end, head.end < longestNanoseconds else {
            throw wrong("it lasts from \(head.begin) to \(head.end) ns")
        }
        guard present >= head.byteCount else { return nil }
        var record = Record(head: head, outcome: outcome)
        var place = TransactionRecord.headBytes
        for _ in 0..<head.reads {
            let read = TransactionRead { number(place + $0, $1) }
            record.reads.append(Read(key: read.page, value: read.digest, version: read.version))
            place += TransactionRead.byteCount
        }
        for _ in 0..<head.writes {
            let write = TransactionWrite { number(place + $0, $1) }
            record.writes.append(Write(key: write.page, value: write.digest))
            place += TransactionWrite.byteCount
        }
        return record
    }

    private static func outcome(of head: TransactionRecord) -> Transaction.Outcome? {
        switch head.outcome {
        case TransactionRecord.committed: .committed(head.time)
        case TransactionRecord.aborted: .aborted
        default: nil
        }
    }
}
