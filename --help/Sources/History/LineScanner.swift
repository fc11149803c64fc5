import Wire

/// Reads the flat JSON objects of a history file, a line at a time, and knows where it stands.
///
/// A history needs little of JSON: objects of strings and whole numbers. Names are printable ASCII without quotes and
/// backslashes, so that two spellings of one name cannot exist. Everything else is an error with its place.
struct LineScanner {
    let bytes: [UInt8]
    private(set) var position = 0
    private(set) var line = 0
    private var lineStart = 0

    /// Longest name of a transaction or a node, bytes.
    static let longestName = 64

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position == bytes.count }

    func error(_ reason: String, at place: Int? = nil) -> HistoryError {
        .text(line: max(line, 1), column: (place ?? position) - lineStart + 1, reason)
    }

    mutating func beginLine() {
        line += 1
        lineStart = position
    }

    /// Ends the line: what is cut off in the middle of a line is seen here.
    mutating func endLine() throws(HistoryError) {
        skipSpaces()
        guard !isAtEnd else { throw error("the file is truncated: its last line does not end") }
        guard bytes[position] == UInt8(ascii: "\n") else { throw error("nothing may follow the object on its line") }
        position += 1
    }

    mutating func skipSpaces() {
        while position < bytes.count, isSpace(bytes[position]) { position += 1 }
    }

    private func isSpace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
    }

    /// Whether the next character is this one; takes it then.
    mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpaces()
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    mutating func expect(_ character: Unicode.Scalar, _ what: StaticString) throws(HistoryError) {
        guard take(character) else { throw unexpected(what) }
    }

    private func unexpected(_ what: StaticString) -> HistoryError {
        guard !isAtEnd else { return error("the file is truncated: \(what) is missing") }
        return error("expected \(what)")
    }

    /// A string's bytes between its quotes.
    mutating func string(_ what: StaticString) throws(HistoryError) -> Range<Int> {
        try expect("\"", what)
        let start = position
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                position += 1
                return start..<position - 1
            }
            guard byte >= 0x20, byte < 0x7F, byte != UInt8(ascii: "\\") else {
                guard byte != UInt8(ascii: "\n") else { throw error("the string does not end on its line") }
                throw error("a string of a history has printable ASCII without backslashes only")
            }
            position += 1
        }
        throw error("the file is truncated: a string does not end")
    }

    /// A whole number that is not negative.
    mutating func number(_ what: StaticString) throws(HistoryError) -> UInt64 {
        skipSpaces()
        let start = position
        guard let number = digits() else {
            throw isAtEnd && position == start ? unexpected(what) : error("\(what) must be a whole number below 2^64",
                                                                          at: start)
        }
        if position < bytes.count, ".eE".utf8.contains(bytes[position]) {
            throw error("\(what) must be a whole number below 2^64", at: start)
        }
        return number
    }

    /// The decimal digits that stand here; nil when there are none, too many, or a zero before others.
    private mutating func digits() -> UInt64? {
        let start = position
        var number: UInt64 = 0
        while position < bytes.count, bytes[position] &- UInt8(ascii: "0") < 10 {
            let (product, isTooLarge) = number.multipliedReportingOverflow(by: 10)
            let (sum, isLarger) = product.addingReportingOverflow(UInt64(bytes[position] - UInt8(ascii: "0")))
            guard !isTooLarge, !isLarger else { return nil }
            number = sum
            position += 1
        }
        guard position > start, position == start + 1 || bytes[start] != UInt8(ascii: "0") else { return nil }
        return number
    }

    /// A commit time: epoch, dot, counter, in quotes.
    mutating func time(_ what: StaticString) throws(HistoryError) -> GlobalTime {
        skipSpaces()
        let start = position
        let end = try string(what).upperBound
        let after = position
        position = start + 1
        guard let epoch = digits(), takeDot(), let counter = digits(), position == end,
            epoch <= UInt64(Limits.maximumEpoch), counter <= Limits.maximumCounter
        else { throw error("\(what) must be an epoch, a dot and a counter, such as \"1.42\"", at: start) }
        position = after
        return GlobalTime(epoch: UInt32(epoch), counter: counter)
    }

    private mutating func takeDot() -> Bool {
        guard position < bytes.count, bytes[position] == UInt8(ascii: ".") else { return false }
        position += 1
        return true
    }

    /// Up to 16 hexadecimal digits in quotes.
    mutating func value() throws(HistoryError) -> UInt64 {
        skipSpaces()
        let start = position
        let range = try string("value")
        var number: UInt64 = 0
        for place in range {
            guard let digit = Self.hexadecimal(bytes[place]), range.count <= 16 else {
                throw error("value must have 1 to 16 hexadecimal digits", at: start)
            }
            number = number << 4 | digit
        }
        guard !range.isEmpty else { throw error("value must have 1 to 16 hexadecimal digits", at: start) }
        return number
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
        default: nil
        }
    }

    /// The name of a transaction or node.
    mutating func name(_ what: StaticString) throws(HistoryError) -> Range<Int> {
        skipSpaces()
        let start = position
        let range = try string(what)
        guard (1...Self.longestName).contains(range.count) else {
            throw error("\(what) must have 1 to \(Self.longestName) characters", at: start)
        }
        return range
    }

    func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    func equals(_ range: Range<Int>, _ text: String) -> Bool {
        guard range.count == text.utf8.count else { return false }
        var place = range.lowerBound
        for byte in text.utf8 {
            guard bytes[place] == byte else { return false }
            place += 1
        }
        return true
    }

    func equals(_ range: Range<Int>, _ other: Range<Int>) -> Bool {
        guard range.count == other.count else { return false }
        for offset in 0..<range.count
        where bytes[range.lowerBound + offset] != bytes[other.lowerBound + offset] { return false }
        return true
    }
}
