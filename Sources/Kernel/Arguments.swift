import Heap

/// What is wrong with an argument. The host says it in words.
public enum ArgumentError: Error, Equatable {
    /// The positional argument of this name is not there.
    case missing(StaticName)
    /// The option of this name has no value behind it.
    case missingValue(StaticName)
    /// The argument or option of this name is not a decimal number without sign.
    case notANumber(StaticName)
    /// The number is not between the two limits, both included.
    case outOfRange(StaticName, least: UInt64, most: UInt64)
    /// The value of this argument is none of those that the program knows.
    case unknownValue(StaticName)
    /// The argument at this index, from 0, is not one that the program knows.
    case unexpected(index: Int)
    /// More than 64 arguments, or more than 2,048 bytes in all.
    case tooMany
}

/// The name of an argument, comparable.
public struct StaticName: Equatable, ExpressibleByStringLiteral, Sendable {
    public let text: StaticString

    public init(stringLiteral text: StaticString) {
        self.text = text
    }

    public static func == (one: StaticName, other: StaticName) -> Bool {
        guard one.text.utf8CodeUnitCount == other.text.utf8CodeUnitCount else { return false }
        for index in 0..<one.text.utf8CodeUnitCount where one.text.byte(index) != other.text.byte(index) {
            return false
        }
        return true
    }
}

/// The arguments of a program, taken one after the other by the program's initialiser. On a node they
/// lie in the job record, on the host, which checks them before anything starts, in a buffer.
///
/// An initialiser takes options and flags first (they may stand anywhere), then the positional ones.
public struct Arguments {
    /// A mask tells which were taken.
    static let maximumCount = 64

    private let memory: SharedMemory
    private let bytes: SharedBytes
    private let count: Int
    private var taken: UInt64 = 0

    /// Arguments in their stored form (`JobRecord`).
    init(_ memory: SharedMemory, bytes: SharedBytes, count: Int) {
        self.memory = memory
        self.bytes = bytes
        self.count = min(count, Self.maximumCount)
    }

    /// Takes a positional argument that is a number.
    public mutating func unsigned(
        _ name: StaticName, in range: ClosedRange<UInt64>
    ) throws(ArgumentError) -> UInt64 {
        try number(try positional(name), name, range)
    }

    /// Takes a positional argument that is one of some words, and returns which.
    public mutating func choice(_ name: StaticName, _ words: StaticString...) throws(ArgumentError) -> Int {
        let text = try positional(name)
        for index in words.indices where words[index].equals(text, in: memory) { return index }
        throw .unknownValue(name)
    }

    /// Takes a flag such as `--continue`; false if it is not there.
    public mutating func flag(_ name: StaticName) -> Bool {
        for index in 0..<count where isFree(index) && name.text.equals(text(index), in: memory) {
            take(index)
            return true
        }
        return false
    }

    /// Takes an option such as `--accounts 100`; `defaultValue` if it is not there.
    public mutating func option(
        _ name: StaticName, default defaultValue: UInt64, in range: ClosedRange<UInt64>
    ) throws(ArgumentError) -> UInt64 {
        for index in 0..<count where isFree(index) && name.text.equals(text(index), in: memory) {
            guard index + 1 < count, isFree(index + 1) else { throw .missingValue(name) }
            take(index)
            take(index + 1)
            return try number(text(index + 1), name, range)
        }
        return defaultValue
    }

    /// Refuses what was not taken.
    func end() throws(ArgumentError) {
        for index in 0..<count where isFree(index) { throw .unexpected(index: index) }
    }

    private mutating func positional(_ name: StaticName) throws(ArgumentError) -> SharedBytes {
        for index in 0..<count where isFree(index) && !isOption(text(index)) {
            take(index)
            return text(index)
        }
        throw .missing(name)
    }

    private func number(
        _ digits: SharedBytes, _ name: StaticName, _ range: ClosedRange<UInt64>
    ) throws(ArgumentError) -> UInt64 {
        guard digits.count > 0 else { throw .notANumber(name) }
        var number: UInt64 = 0
        var overflow = false
        for index in 0..<digits.count {
            let digit = memory[digits[index]] &- UInt8(ascii: "0")
            guard digit < 10 else { throw .notANumber(name) }
            let (product, high) = number.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
            overflow = overflow || high || carry
            number = sum
        }
        guard !overflow, range.contains(number) else {
            throw .outOfRange(name, least: range.lowerBound, most: range.upperBound)
        }
        return number
    }

    /// The text of an argument: each is stored with its length, 16 bits, in front.
    private func text(_ index: Int) -> SharedBytes {
        var start: UInt64 = 0
        for _ in 0..<index { start += 2 + length(at: start) }
        return SharedBytes(start: bytes.start + start + 2, count: length(at: start))
    }

    private func length(at offset: UInt64) -> UInt64 {
        UInt64(memory[bytes[offset]]) | UInt64(memory[bytes[offset + 1]]) << 8
    }

    private func isOption(_ text: SharedBytes) -> Bool {
        text.count >= 2 && memory[text[0]] == UInt8(ascii: "-") && memory[text[1]] == UInt8(ascii: "-")
    }

    private func isFree(_ index: Int) -> Bool { taken & (1 << UInt64(index)) == 0 }
    private mutating func take(_ index: Int) { taken |= 1 << UInt64(index) }
}

extension Arguments {
    /// The stored form: each argument with its length, 16 bits, in front.
    static func encode(_ arguments: [[UInt8]]) throws(ArgumentError) -> [UInt8] {
        guard arguments.count <= maximumCount else { throw .tooMany }
        var bytes: [UInt8] = []
        for argument in arguments {
            guard bytes.count + 2 + argument.count <= JobPlaces.argumentLimit else { throw .tooMany }
            bytes.append(UInt8(truncatingIfNeeded: argument.count))
            bytes.append(UInt8(truncatingIfNeeded: argument.count >> 8))
            bytes.append(contentsOf: argument)
        }
        return bytes
    }

    /// Runs `check` over arguments that are not in a shared memory: the host's side of the check.
    static func check(
        _ arguments: [[UInt8]], _ check: (inout Arguments) throws(ArgumentError) -> Void
    ) throws(ArgumentError) {
        var page = try encode(arguments)
        let used = UInt64(page.count)
        page.append(contentsOf: [UInt8](repeating: 0, count: Int(pageByteCount) - page.count))
        // Unsafe: the buffer outlives the memory made over it, which is used only here.
        let outcome: Result<Void, ArgumentError> = page.withUnsafeMutableBytes { buffer in
            let memory = SharedMemory(base: UInt(bitPattern: buffer.baseAddress), pageCount: 1)
            var taken = Arguments(
                memory, bytes: SharedBytes(start: SharedAddress(0), count: used), count: arguments.count)
            do throws(ArgumentError) {
                try check(&taken)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try outcome.get()
    }
}
