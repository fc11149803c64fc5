import Wire

/// A state of the shared memory at one commit time, and the facts about it.
public struct Checkpoint: Equatable, Sendable {
    public var time: GlobalTime
    /// When it was taken, microseconds since 1970.
    public var created: UInt64
    /// Empty for none, several with a space between two; at most `maximumLabelBytes` of UTF-8 in all.
    public var label: String
    /// Whether it stays when a newer one comes.
    public var isKept: Bool

    public static let maximumLabelBytes = 64

    public init(time: GlobalTime, created: UInt64, label: String = "", isKept: Bool) {
        precondition(label.utf8.count <= Self.maximumLabelBytes, "a label is short")
        self.time = time
        self.created = created
        self.label = label
        self.isKept = isKept
    }

    /// Each of its labels.
    public var labels: [String] {
        // By scalars: some letters make one character with a space before or behind them.
        label.unicodeScalars.split(separator: " ").map { String($0) }
    }

    /// Gives it one more label: somebody else may have wanted the same state.
    ///
    /// - Returns: False, without a change, when they would be too long together.
    public mutating func add(label new: String) -> Bool {
        let both = label.isEmpty ? new : "\(label) \(new)"
        guard both.utf8.count <= Self.maximumLabelBytes else { return false }
        label = both
        return true
    }

    func emit(into writer: inout WordWriter) {
        writer.append(time.raw)
        writer.append(created)
        writer.append(isKept ? 1 : 0)
        writer.append(counted: Array(label.utf8))
    }

    static func parse(_ reader: inout WordReader) -> Checkpoint? {
        guard let time = reader.word(), let created = reader.word(), let flags = reader.word(), flags <= 1,
            let label = reader.counted(), label.count <= maximumLabelBytes
        else { return nil }
        return Checkpoint(
            time: GlobalTime(raw: time), created: created, label: String(decoding: label, as: UTF8.self),
            isKept: flags == 1)
    }
}

/// Which checkpoints stay when time goes on. Those with a label stay until they are forgotten by name.
public struct Retention: Equatable, Sendable {
    /// The newest so many stay.
    public var count: Int
    /// Those that are younger stay, microseconds.
    public var age: UInt64

    public init(count: Int = 10, age: UInt64 = 0) {
        self.count = count
        self.age = age
    }

    static func parse(_ reader: inout WordReader) -> Retention? {
        guard let count = reader.word(), let age = reader.word(), count <= UInt64(Int.max) else { return nil }
        return Retention(count: Int(count), age: age)
    }
}

/// The small durable facts of who uses the store: a few bytes under a number, the last value wins.
struct Registers: Equatable, Sendable {
    /// By rising key.
    private(set) var all: [(key: UInt64, value: [UInt8])] = []

    static func == (a: Registers, b: Registers) -> Bool {
        a.all.count == b.all.count && zip(a.all, b.all).allSatisfy { $0.key == $1.key && $0.value == $1.value }
    }

    private func place(_ key: UInt64) -> Int {
        var low = 0
        var high = all.count
        while low < high {
            let middle = (low + high) / 2
            if all[middle].key < key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Empty where nothing was set.
    subscript(key: UInt64) -> [UInt8] {
        get {
            let place = place(key)
            return place < all.count && all[place].key == key ? all[place].value : []
        }
        set {
            let place = place(key)
            let isThere = place < all.count && all[place].key == key
            if newValue.isEmpty {
                if isThere { all.remove(at: place) }
            } else if isThere {
                all[place].value = newValue
            } else {
                all.insert((key, newValue), at: place)
            }
        }
    }

    func emit(into writer: inout WordWriter) {
        writer.append(UInt64(all.count))
        for register in all {
            writer.append(register.key)
            writer.append(counted: register.value)
        }
    }

    /// Sets what the bytes say; false for bytes that say nothing.
    mutating func read(_ reader: inout WordReader) -> Bool {
        guard let count = reader.count(of: 16) else { return false }
        for _ in 0..<count {
            guard let key = reader.word(), let value = reader.counted() else { return false }
            self[key] = value
        }
        return true
    }
}
