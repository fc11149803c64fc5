import Testing

@testable import Wire

/// What nodes tell of their transactions: layouts that files have.
struct TransactionRecordTests {
    private static let head = TransactionRecord(
        outcome: TransactionRecord.aborted, reads: 0x0102, writes: 0x0304, node: 5, flags: 1, number: 0x0607,
        time: GlobalTime(raw: 0x0809), begin: 0x0A0B, end: 0x0C0D)

    private static func bytes(_ emit: ((UInt64, Int) -> Void) -> Void) -> [UInt8] {
        var bytes: [UInt8] = []
        emit { value, count in
            for index in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
        }
        return bytes
    }

    private static func field(_ bytes: [UInt8]) -> (Int, Int) -> UInt64 {
        { offset, count in bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | UInt64($1) } }
    }

    @Test func layoutsAreFrozen() {
        let zeros = [UInt8](repeating: 0, count: 6)
        let head: [UInt8] = [0x54, 2, 2, 1, 4, 3, 5, 1]
        let numbers: [[UInt8]] = [[7, 6], [9, 8], [0x0B, 0x0A], [0x0D, 0x0C]]
        #expect(Self.bytes(Self.head.emit) == head + numbers.flatMap { $0 + zeros })
        let read = TransactionRead(page: 1, version: GlobalTime(raw: 2), digest: 3)
        #expect(Self.bytes(read.emit) == [1, 0, 0, 0, 2, 0] + zeros + [3, 0] + zeros)
        #expect(Self.bytes(TransactionWrite(page: 1, digest: 3).emit) == [1, 0, 0, 0, 3, 0] + zeros)
    }

    @Test func whatIsEmittedIsRead() {
        let head = Self.bytes(Self.head.emit)
        #expect(head.count == TransactionRecord.headBytes && TransactionRecord(Self.field(head)) == Self.head)
        #expect(Self.head.byteCount == 40 + 0x0102 * 20 + 0x0304 * 12)
        let read = TransactionRead(page: .max, version: GlobalTime(raw: .max - 1), digest: .max - 2)
        let bytes = Self.bytes(read.emit)
        #expect(bytes.count == TransactionRead.byteCount && TransactionRead(Self.field(bytes)) == read)
        let write = TransactionWrite(page: 7, digest: .max)
        let written = Self.bytes(write.emit)
        #expect(written.count == TransactionWrite.byteCount && TransactionWrite(Self.field(written)) == write)
    }
}
