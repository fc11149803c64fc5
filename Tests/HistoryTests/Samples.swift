import Wire

@testable import History

extension GlobalTime {
    /// `1.42`: epoch 1, counter 42.
    init(_ epoch: UInt32, _ counter: UInt64) { self.init(epoch: epoch, counter: counter) }
}

/// A short way to write a transaction.
func transaction(
    _ name: String, _ begin: UInt64, _ end: UInt64, at time: GlobalTime? = nil,
    reads: [(UInt32, GlobalTime, UInt64)] = [], writes: [(UInt32, UInt64)] = []
) -> Transaction {
    let node = String(name.prefix { $0 != "." })
    var transaction = Transaction(
        name: name, node: node, begin: begin, end: end, outcome: time.map { .committed($0) } ?? .aborted)
    transaction.reads = reads.map { Read(key: $0.0, value: $0.2, version: $0.1) }
    transaction.writes = writes.map { Write(key: $0.0, value: $0.1) }
    return transaction
}

/// A history from time zero, all saved at its end.
func history(_ transactions: Transaction..., openings: [Opening] = [], saved: GlobalTime? = nil) -> History {
    var history = History(endNanoseconds: 1_000_000)
    for opening in openings { history.openings.append(opening) }
    history.transactions = transactions
    history.saved.append(Saved(saved ?? .zero, at: history.endNanoseconds))
    return history
}

/// Numbers that a seed decides (SplitMix64).
struct Generator: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }
    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
}
