import Wire

/// Reads what a node has written to its debug port (the format is told at the node's recorder).
public struct NodeRecords: Sendable {
    /// In the node's order.
    public internal(set) var transactions: [Transaction] = []
    /// Bytes at the end of the file that are no whole record: the node died while it wrote them.
    public private(set) var tornBytes = 0

    private static let mark: UInt64 = 0x54
    private static let headBytes = 40
    private static let readBytes = 20
    private static let writeBytes = 12
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
            if record.number == 1, lastNumber > 0 {
                recording += 1
            } else if record.number != lastNumber &+ 1, lastNumber > 0 {
                throw .record(node: node, offset: offset,
                              "transaction \(record.number) comes after transaction \(lastNumber)")
            }
            lastNumber = record.number
            let series = recording == 1 ? "" : "\(recording)/"
            transactions.append(
                record.transaction(name: "\(nodeName).\(series)\(record.number)", node: nodeName))
            offset += record.byteCount
        }
    }

    /// A life's name in a history: `n2`, and `n2-2` for the second machine of that number.
    static func name(of node: Int, life: Int) -> String { life == 1 ? "n\(node)" : "n\(node)-\(life)" }

    private struct Record {
        var number: UInt64
        var outcome: Transaction.Outcome
        var begin: UInt64
        var end: UInt64
        var isCut: Bool
        var reads: [Read]
        var writes: [Write]

        var byteCount: Int { headBytes + reads.count * readBytes + writes.count * writeBytes }

        func transaction(name: String, node: String) -> Transaction {
            var transaction = Transaction(name: name, node: node, begin: begin, end: end, outcome: outcome)
            transaction.reads = reads
            transaction.writes = writes
            transaction.hasUnlistedReads = isCut
            transaction.hasUnlistedWrites = isCut
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
        guard number(0, 1) == mark else { throw wrong("it begins with \(number(0, 1)), not \(mark)") }
        guard present >= headBytes else { return nil }
        let reads = Int(number(2, 2))
        let writes = Int(number(4, 2))
        let flags = number(7, 1)
        guard number(6, 1) == UInt64(node) else { throw wrong("it is of n\(number(6, 1))") }
        guard flags <= 1, writes <= reads else { throw wrong("it has more writes than reads, or unknown flags") }
        let time = GlobalTime(raw: number(16, 8))
        let outcome: Transaction.Outcome
        switch number(1, 1) {
        case 1: outcome = .committed(time)
        case 2: outcome = .aborted
        default: throw wrong("there is no end \(number(1, 1)) of a transaction")
        }
        guard number(8, 8) > 0 else { throw wrong("its transaction has no number") }
        let begin = number(24, 8)
        let end = number(32, 8)
        guard begin <= end, end < longestNanoseconds else { throw wrong("it lasts from \(begin) to \(end) ns") }
        guard present >= headBytes + reads * readBytes + writes * writeBytes else { return nil }
        var record = Record(
            number: number(8, 8), outcome: outcome, begin: begin, end: end, isCut: flags == 1, reads: [], writes: [])
        for place in 0..<reads {
            let start = headBytes + place * readBytes
            record.reads.append(
                Read(key: UInt32(number(start, 4)), value: number(start + 12, 8),
                     version: GlobalTime(raw: number(start + 4, 8))))
        }
        for place in 0..<writes {
            let start = headBytes + reads * readBytes + place * writeBytes
            record.writes.append(Write(key: UInt32(number(start, 4)), value: number(start + 4, 8)))
        }
        return record
    }
}
