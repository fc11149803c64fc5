import Wire

/// Writes events as JSON lines. It holds the bytes until somebody takes them.
///
/// What records a history (a run on machines, the simulation) makes one of these, opens it with `saved`, tells it every
/// event and closes it with `saved`.
public struct HistoryWriter: Sendable {
    private var bytes: [UInt8] = []
    /// Lines so far.
    public private(set) var count = 0

    public init() {}

    /// The lines since the last call.
    public mutating func takeBytes() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }

    public mutating func append(_ event: HistoryEvent) {
        switch event {
        case .begin(let transaction, let node, let nanoseconds):
            head(.begin, transaction, node)
            member("beginNanoseconds", nanoseconds)
        case .read(let transaction, let node, let read):
            head(.read, transaction, node)
            guard let read else { break }
            member("key", UInt64(read.key))
            member("value", hexadecimal: read.value)
            member("version", read.version)
        case .write(let transaction, let node, let write):
            head(.write, transaction, node)
            guard let write else { break }
            member("key", UInt64(write.key))
            member("value", hexadecimal: write.value)
        case .commit(let transaction, let node, let time, let nanoseconds):
            head(.commit, transaction, node)
            member("commitTime", time)
            member("endNanoseconds", nanoseconds)
        case .unknown(let transaction, let node):
            head(.commit, transaction, node)
        case .abort(let transaction, let node, let nanoseconds):
            head(.abort, transaction, node)
            member("endNanoseconds", nanoseconds)
        case .undone(let transaction, let node, let time):
            head(.undone, transaction, node)
            member("commitTime", time)
        case .opened(let node, let opening):
            head(.undone, nil, node)
            member("version", opening.stays)
            member("commitTime", opening.begins)
        case .saved(let node, let time, let since, let nanoseconds):
            head(.saved, nil, node)
            member("commitTime", time)
            if let since { member("beginNanoseconds", since) }
            member("endNanoseconds", nanoseconds)
        }
        add("}\n")
        count += 1
    }

    /// A whole transaction: its begin, its reads and writes, its end.
    public mutating func append(_ transaction: Transaction) {
        let name = transaction.name
        let node = transaction.node
        append(.begin(transaction: name, node: node, nanoseconds: transaction.begin))
        for read in transaction.reads { append(.read(transaction: name, node: node, read)) }
        if transaction.hasUnlistedReads { append(.read(transaction: name, node: node, nil)) }
        for write in transaction.writes { append(.write(transaction: name, node: node, write)) }
        if transaction.hasUnlistedWrites { append(.write(transaction: name, node: node, nil)) }
        switch transaction.outcome {
        case .committed(let time):
            append(.commit(transaction: name, node: node, time: time, nanoseconds: transaction.end))
            if transaction.isNamedUndone { append(.undone(transaction: name, node: node, time: time)) }
        case .aborted: append(.abort(transaction: name, node: node, nanoseconds: transaction.end))
        case .unknown: append(.unknown(transaction: name, node: node))
        }
    }

    /// A whole history.
    /// - Parameter node: who tells of saved times and epochs.
    public mutating func append(_ history: History, by node: String = "arbiter") {
        append(.saved(node: node, time: history.start, since: history.beginNanoseconds,
                      nanoseconds: history.beginNanoseconds + history.clockError))
        for opening in history.openings.list { append(.opened(node: node, opening)) }
        for transaction in history.transactions { append(transaction) }
        for saved in history.saved.dropFirst().dropLast() {
            append(.saved(node: node, time: saved.time, since: nil, nanoseconds: saved.nanoseconds))
        }
        append(.saved(node: node, time: history.saved.last?.time ?? .zero, since: history.beginNanoseconds,
                      nanoseconds: history.endNanoseconds))
    }

    // MARK: Bytes

    private mutating func head(_ event: HistoryEvent.Name, _ transaction: String?, _ node: String) {
        add("{")
        if let transaction {
            add("\"transaction\":\"")
            add(transaction)
            add("\",")
        }
        add("\"node\":\"")
        add(node)
        add("\",\"event\":\"")
        add(event.rawValue)
        add("\"")
    }

    private mutating func member(_ name: StaticString, _ number: UInt64) {
        add(name)
        addDecimal(number)
    }

    private mutating func member(_ name: StaticString, _ time: GlobalTime) {
        add(name)
        add("\"")
        addDecimal(UInt64(time.epoch))
        add(".")
        addDecimal(time.counter)
        add("\"")
    }

    private mutating func member(_ name: StaticString, hexadecimal number: UInt64) {
        add(name)
        add("\"")
        var text: [UInt8] = []
        var rest = number
        repeat {
            let digit = UInt8(rest & 15)
            text.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            rest >>= 4
        } while rest != 0
        bytes.append(contentsOf: text.reversed())
        add("\"")
    }

    private mutating func add(_ name: StaticString) {
        add(",\"")
        add(name.description)
        add("\":")
    }

    private mutating func add(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func addDecimal(_ number: UInt64) {
        guard number != 0 else { return bytes.append(UInt8(ascii: "0")) }
        var digits: [UInt8] = []
        var rest = number
        while rest != 0 {
            digits.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        }
        bytes.append(contentsOf: digits.reversed())
    }
}
