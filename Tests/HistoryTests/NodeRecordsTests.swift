import Testing
import Wire

@testable import History

struct NodeRecordsTests {
    /// A record as the node's recorder writes it.
    private func record(
        number: UInt64, kind: UInt8 = 1, node: UInt8 = 2, time: GlobalTime = GlobalTime(1, 5), begin: UInt64 = 100,
        end: UInt64 = 200, isCut: Bool = false, reads: [(UInt32, UInt64, UInt64)] = [],
        writes: [(UInt32, UInt64)] = []
    ) -> [UInt8] {
        func bytes(_ value: UInt64, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
        }
        var record = [0x54, kind] + bytes(UInt64(reads.count), 2) + bytes(UInt64(writes.count), 2)
        record += [node, isCut ? 1 : 0] + bytes(number, 8) + bytes(time.raw, 8) + bytes(begin, 8) + bytes(end, 8)
        for read in reads { record += bytes(UInt64(read.0), 4) + bytes(read.1, 8) + bytes(read.2, 8) }
        for write in writes { record += bytes(UInt64(write.0), 4) + bytes(write.1, 8) }
        return record
    }

    @Test func aRecordBecomesATransaction() throws {
        let version = GlobalTime(1, 4)
        let bytes = record(number: 1, reads: [(9, version.raw, 0xAA), (10, 0, 0xBB)], writes: [(9, 0xCC)])
            + record(number: 2, kind: 2)
        let records = try NodeRecords(bytes, node: 2)
        #expect(records.tornBytes == 0)
        #expect(records.transactions.count == 2)
        #expect(records.transactions[0] == transaction(
            "n2.1", 100, 200, at: GlobalTime(1, 5), reads: [(9, version, 0xAA), (10, .zero, 0xBB)],
            writes: [(9, 0xCC)]))
        #expect(records.transactions[1].outcome == .aborted)
        #expect(try NodeRecords(bytes, node: 2, life: 3).transactions[0].name == "n2-3.1")
    }

    @Test func aTornEndIsToldAndKeptApart() throws {
        let whole = record(number: 1, reads: [(9, 0, 1)])
        let next = record(number: 2, reads: [(9, 0, 1)])
        for count in 1..<next.count {
            let records = try NodeRecords(whole + next[..<count], node: 2)
            #expect(records.transactions.count == 1)
            #expect(records.tornBytes == count)
        }
    }

    @Test func aTornRecordInTheMiddleIsAnError() {
        let torn = record(number: 1, reads: [(9, 0, 1)]).dropLast(5)
        #expect(throws: HistoryError.self) { try NodeRecords(torn + record(number: 2), node: 2) }
    }

    @Test func impossibleRecords() {
        #expect(throws: HistoryError.self) { try NodeRecords([0x55] + record(number: 1).dropFirst(), node: 2) }
        #expect(throws: HistoryError.self) { try NodeRecords(record(number: 1), node: 3) }
        #expect(throws: HistoryError.self) { try NodeRecords(record(number: 1, kind: 3), node: 2) }
        #expect(throws: HistoryError.self) { try NodeRecords(record(number: 1, begin: 300), node: 2) }
        #expect(throws: HistoryError.self) { try NodeRecords(record(number: 1, writes: [(1, 1)]), node: 2) }
        #expect(throws: HistoryError.self) { try NodeRecords(record(number: 1) + record(number: 3), node: 2) }
    }

    // Found by fuzzing: the number after the last one overflowed, and two transactions 0 had one name.
    @Test func numbersBeginAtOneAndEnd() {
        let last = record(number: .max)
        #expect(throws: HistoryError.self) { try NodeRecords(last + record(number: 5), node: 2) }
        #expect(throws: HistoryError.self) { try NodeRecords(record(number: 0), node: 2) }
    }

    @Test func recordingThatBeginsAgainNamesItsTransactionsAnew() throws {
        let records = try NodeRecords(record(number: 1) + record(number: 2) + record(number: 1), node: 2)
        #expect(records.transactions.map(\.name) == ["n2.1", "n2.2", "n2.2/1"])
    }

    @Test func anyBytesAreSurvived() {
        var generator = Generator(7)
        let right = record(number: 1, reads: [(9, 0, 1), (8, 0, 2)], writes: [(8, 3)]) + record(number: 2)
        for _ in 0..<5000 {
            var bytes = right
            bytes[generator.below(bytes.count)] = UInt8(generator.below(256))
            _ = try? NodeRecords(bytes, node: 2)
        }
    }
}
