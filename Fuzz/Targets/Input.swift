/// Choices drawn from an input, from its first byte to its last. When it is used up, all further choices are 0.
struct Input {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isEmpty: Bool { position >= bytes.count }

    mutating func byte() -> UInt8 {
        guard position < bytes.count else { return 0 }
        position += 1
        return bytes[position - 1]
    }

    mutating func number<Number: FixedWidthInteger>(_: Number.Type = Number.self) -> Number {
        var number: Number = 0
        for _ in 0..<MemoryLayout<Number>.size { number = number << 8 | Number(truncatingIfNeeded: byte()) }
        return number
    }

    /// A number below `bound`, which is at most 256.
    mutating func below(_ bound: Int) -> Int { Int(byte()) % bound }

    mutating func flag() -> Bool { byte() & 1 != 0 }

    /// The next `count` bytes, or as many as there are.
    mutating func take(_ count: Int) -> [UInt8] {
        let end = min(bytes.count, position + max(0, count))
        defer { position = end }
        return Array(bytes[min(position, end)..<end])
    }

    mutating func rest() -> [UInt8] { take(bytes.count) }
}

extension [UInt8] {
    /// Overwrites some of the bytes as the input says: at most `most` of them.
    mutating func disturb(_ input: inout Input, most: Int) {
        guard !isEmpty else { return }
        for _ in 0..<input.below(most + 1) {
            let place = Int(input.number(UInt16.self)) % count
            self[place] = input.byte()
        }
    }
}
