import Wire

/// Puts little-endian words together.
struct WordWriter {
    private(set) var bytes: [UInt8] = []

    mutating func append(_ word: UInt64) {
        for shift in stride(from: UInt64(0), to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
    }

    /// The count, then the bytes, then zeros up to a multiple of eight.
    mutating func append(counted content: [UInt8]) {
        append(UInt64(content.count))
        bytes.append(contentsOf: content)
        while bytes.count % 8 != 0 { bytes.append(0) }
    }
}

/// Takes little-endian words apart; nil where there are none.
struct WordReader: ~Escapable {
    private let bytes: RawSpan
    private var offset = 0

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { offset == bytes.byteCount }

    mutating func word() -> UInt64? {
        guard bytes.byteCount - offset >= 8 else { return nil }
        defer { offset += 8 }
        return bytes.load(UInt64.self, at: offset)
    }

    /// A count of things that take at least `size` bytes each; nil for more than can be there.
    mutating func count(of size: Int) -> Int? {
        guard let word = word(), word <= UInt64((bytes.byteCount - offset) / size) else { return nil }
        return Int(word)
    }

    mutating func counted() -> [UInt8]? {
        guard let count = count(of: 1) else { return nil }
        let padded = (count + 7) & ~7
        guard bytes.byteCount - offset >= padded else { return nil }
        var content: [UInt8] = []
        content.reserveCapacity(count)
        for place in 0..<count { content.append(bytes.load(UInt8.self, at: offset + place)) }
        offset += padded
        return content
    }
}
