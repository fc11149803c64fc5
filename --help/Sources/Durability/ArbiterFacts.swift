import Planted
import Protocol
import Wire

/// What an arbiter must not forget beside the shared memory, as registers of its store.
public struct ArbiterFacts: Equatable, Sendable {
    public var incarnation: UInt32 = 0
    public var polledEpoch: UInt32 = 1
    public var lastIncarnation: UInt32 = 0
    /// Newest first, `maximumChain` at most.
    public var chain: [EpochRecord] = [EpochRecord(epoch: 1, opened: .zero)]
    /// Incarnation of each node that was admitted and is not known to be dead; 0 for the others.
    public var members = [UInt32](repeating: 0, count: Limits.maximumNodes)
    /// When each node was seen joined, microseconds since 1970; 0 for those that were not.
    public var joinedAt = [UInt64](repeating: 0, count: Limits.maximumNodes)

    /// More openings than a node can ever be told of.
    static let maximumChain = 4 * Limits.maximumChain

    public init() {}

    /// What a fact changes.
    public mutating func apply(_ fact: ArbiterFact) {
        switch fact {
        case .incarnation(let number): incarnation = number
        case .polled(let epoch): polledEpoch = epoch
        case .opened(let opening):
            // An opening that an error did not keep from the disk is noted once more.
            guard opening.epoch > chain[0].epoch else { return }
            chain.insert(opening, at: 0)
            if chain.count > Self.maximumChain { chain.removeLast() }
        case .admitted(let node, let number):
            lastIncarnation = max(lastIncarnation, number)
            members[node.index] = number
            joinedAt[node.index] = 0
        case .died(let node): members[node.index] = 0
        }
    }

    /// All nodes are dead, and nobody knows what they committed last: the next arbiter opens an epoch first.
    public mutating func buryAll() {
        for index in members.indices { members[index] = 0 }
    }

    /// The shared memory is to be what it was at `time`. What came later is undone, and no number of it is used again:
    /// the opening is one of a new epoch, for nodes believe in none that opens at a commit of its own.
    public mutating func goBack(to time: GlobalTime) {
        if !planted(101) { buryAll() }
        polledEpoch = max(polledEpoch, chain[0].epoch, time.epoch) + 1
        chain = [EpochRecord(epoch: planted(100) ? max(time.epoch, 1) : polledEpoch, opened: time)]
    }

    // MARK: Registers

    /// Numbers of the registers.
    enum Key: UInt64, CaseIterable {
        /// Incarnation, polled epoch, last incarnation of a node.
        case numbers = 1
        /// Pairs of epoch and opening.
        case chain = 2
        /// A word for each node.
        case members = 3
        /// A word for each node.
        case joinedAt = 4
    }

    private func words(_ key: Key) -> [UInt64] {
        switch key {
        case .numbers: [UInt64(incarnation), UInt64(polledEpoch), UInt64(lastIncarnation)]
        case .chain: chain.flatMap { [UInt64($0.epoch), $0.opened.raw] }
        case .members: members.map { UInt64($0) }
        case .joinedAt: joinedAt
        }
    }

    /// The registers in which these facts differ from others.
    func registers(unlike other: ArbiterFacts) -> [(key: UInt64, value: [UInt8])] {
        Key.allCases.filter { words($0) != other.words($0) }.map { ($0.rawValue, Self.bytes(words($0))) }
    }

    /// Reads what registers say; nil for values that no arbiter has.
    ///
    /// - Parameter value: The bytes of a register; empty for one that was never set, which says what is true at first.
    init?(_ value: (UInt64) -> [UInt8]) {
        for key in Key.allCases {
            let bytes = value(key.rawValue)
            guard !bytes.isEmpty else { continue }
            guard bytes.count % 8 == 0, take(key, Self.words(bytes)) else { return nil }
        }
        guard polledEpoch >= chain[0].epoch else { return nil }
    }

    private mutating func take(_ key: Key, _ words: [UInt64]) -> Bool {
        switch key {
        case .numbers:
            // Each has a successor, which the next arbiter needs.
            guard words.count == 3, words.allSatisfy({ $0 < UInt64(UInt32.max) }),
                (1...UInt64(Limits.maximumEpoch)) ~= words[1]
            else { return false }
            incarnation = UInt32(words[0])
            polledEpoch = UInt32(words[1])
            lastIncarnation = UInt32(words[2])
        case .chain:
            guard words.count >= 2, words.count % 2 == 0, words.count <= 2 * Self.maximumChain else { return false }
            chain = stride(from: 0, to: words.count, by: 2).map {
                EpochRecord(epoch: UInt32(clamping: words[$0]), opened: GlobalTime(raw: words[$0 + 1]))
            }
            for (newer, older) in zip(chain, chain.dropFirst()) where newer.epoch <= older.epoch { return false }
            return chain.allSatisfy { (1...Limits.maximumEpoch) ~= $0.epoch && $0.opened.epoch < $0.epoch }
        case .members:
            guard words.count == members.count, words.allSatisfy({ $0 < UInt64(UInt32.max) }) else { return false }
            members = words.map { UInt32($0) }
        case .joinedAt:
            guard words.count == joinedAt.count else { return false }
            joinedAt = words
        }
        return true
    }

    private static func bytes(_ words: [UInt64]) -> [UInt8] {
        words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
    }

    private static func words(_ bytes: [UInt8]) -> [UInt64] {
        stride(from: 0, to: bytes.count, by: 8).map { bytes.span.bytes.load(UInt64.self, at: $0) }
    }
}
