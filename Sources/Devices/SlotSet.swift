/// A set of buffer numbers 0 to 255, in four words and without memory of its own.
struct SlotSet {
    /// How many different numbers fit.
    static let capacity = 256

    private var words: InlineArray<4, UInt64> = .init(repeating: 0)
    /// How many numbers are in the set.
    private(set) var count = 0

    init() {}

    /// The set of all numbers below `bound`.
    init(below bound: Int) {
        precondition(bound <= SlotSet.capacity, "a slot set holds 256 numbers")
        for slot in 0..<bound { insert(slot) }
    }

    func contains(_ slot: Int) -> Bool {
        words[slot >> 6] & (1 << UInt64(slot & 63)) != 0
    }

    /// Adds a number that is not in the set.
    mutating func insert(_ slot: Int) {
        precondition(!contains(slot), "the slot is already in the set")
        words[slot >> 6] |= 1 << UInt64(slot & 63)
        count += 1
    }

    /// Takes out a number that is in the set.
    mutating func remove(_ slot: Int) {
        precondition(contains(slot), "the slot is not in the set")
        words[slot >> 6] &= ~(1 << UInt64(slot & 63))
        count -= 1
    }

    /// Takes out the least number, nil when the set is empty.
    mutating func removeFirst() -> Int? {
        for index in 0..<4 where words[index] != 0 {
            let slot = index << 6 | words[index].trailingZeroBitCount
            remove(slot)
            return slot
        }
        return nil
    }
}
