import Testing

@testable import Kernel

@Suite struct ArgumentsTests {
    private struct Parsed: Equatable {
        var number: UInt64 = 0
        var flag = false
        var option: UInt64 = 0
        var choice = 0
    }

    private func parse(_ arguments: String...) throws(ArgumentError) -> Parsed {
        var parsed = Parsed()
        try Arguments.check(arguments.map { Array($0.utf8) }) { taken throws(ArgumentError) in
            parsed.flag = taken.flag("--flag")
            parsed.option = try taken.option("--option", default: 5, in: 1...1000)
            parsed.number = try taken.unsigned("N", in: 1...UInt64.max)
            parsed.choice = try taken.choice("KIND", "red", "green")
            try taken.end()
        }
        return parsed
    }

    @Test func optionsStandAnywhere() throws {
        #expect(try parse("7", "red") == Parsed(number: 7, flag: false, option: 5, choice: 0))
        let all = Parsed(number: 7, flag: true, option: 9, choice: 1)
        #expect(try parse("7", "green", "--option", "9", "--flag") == all)
        #expect(try parse("--flag", "7", "--option", "9", "green") == all)
        #expect(try parse("18446744073709551615", "red").number == UInt64.max)
    }

    @Test func errorsNameTheArgument() {
        #expect(throws: ArgumentError.missing("N")) { try parse() }
        #expect(throws: ArgumentError.missing("KIND")) { try parse("7") }
        #expect(throws: ArgumentError.missingValue("--option")) { try parse("7", "red", "--option") }
        #expect(throws: ArgumentError.notANumber("--option")) { try parse("7", "red", "--option", "x") }
        #expect(throws: ArgumentError.unknownValue("KIND")) { try parse("7", "blue") }
        #expect(throws: ArgumentError.unexpected(index: 2)) { try parse("7", "red", "extra") }
        #expect(throws: ArgumentError.unexpected(index: 1)) { try parse("7", "--unknown", "red") }
        for text in ["x", "", "-1", "+1", "1.5", "1e3", " 1", "0x10", "１"] {
            #expect(throws: ArgumentError.notANumber("N")) { try parse(text, "red") }
        }
        for text in ["0", "18446744073709551616", "99999999999999999999999999"] {
            #expect(throws: ArgumentError.outOfRange("N", least: 1, most: .max)) { try parse(text, "red") }
        }
        #expect(throws: ArgumentError.outOfRange("--option", least: 1, most: 1000)) {
            try parse("7", "red", "--option", "1001")
        }
    }

    @Test func thereMayNotBeTooMany() throws {
        let accept: (inout Arguments) throws(ArgumentError) -> Void = { _ throws(ArgumentError) in }
        try Arguments.check(Array(repeating: [1], count: 64), accept)
        try Arguments.check([[UInt8](repeating: 1, count: 2046)], accept)
        #expect(throws: ArgumentError.tooMany) {
            try Arguments.check(Array(repeating: [1], count: 65), accept)
        }
        #expect(throws: ArgumentError.tooMany) {
            try Arguments.check([[UInt8](repeating: 1, count: 2047)], accept)
        }
    }
}
