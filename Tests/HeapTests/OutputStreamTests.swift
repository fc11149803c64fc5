import Heap
import Testing

@Suite struct OutputStreamTests {
    private static let record = SharedAddress(64)

    private func stream(_ test: TestMemory) -> OutputStream {
        OutputStream(test.memory, record: Self.record, allocator: test.allocator(node: 0))
    }

    private func text(_ test: TestMemory) -> String {
        String(decoding: test.read(StreamRecord(Self.record)), as: UTF8.self)
    }

    @Test func emptyStreamHasNoPage() {
        let test = TestMemory(pageCount: 32)
        #expect(text(test) == "")
        #expect(stream(test).lastByte == nil)
    }

    @Test func numbersAreDecimal() throws {
        let test = TestMemory(pageCount: 32)
        for number in [0, 9, 10, 1000, 999, UInt64.max] {
            try stream(test).write(number)
            try stream(test).write(" ")
        }
        #expect(text(test) == "0 9 10 1000 999 18446744073709551615 ")
    }

    @Test func streamsCrossPages() throws {
        let test = TestMemory(pageCount: 32)
        var expected = ""
        for number in 0..<4000 as Range<UInt64> {
            try stream(test).write(number)
            try stream(test).write("; ")
            expected += "\(number); "
        }
        #expect(text(test) == expected)
        #expect(stream(test).byteCount == UInt64(expected.utf8.count))
        #expect(stream(test).lastByte == UInt8(ascii: " "))
    }

    @Test func bytesOfTheMemory() throws {
        let test = TestMemory(pageCount: 32)
        let word: [UInt8] = Array("word".utf8)
        test.memory.write(word.span.bytes, at: SharedAddress(page: 20))
        try stream(test).write(SharedBytes(start: SharedAddress(page: 20), count: 4))
        #expect(text(test) == "word")
    }

    @Test func layoutOfABlock() throws {
        let test = TestMemory(pageCount: 32)
        try stream(test).write("ab")
        let page = test.memory[StreamRecord(Self.record).firstPage]
        #expect(Array(test.copy(of: page).bytes[0..<10]) == [0, 0, 0, 0, 2, 0, 0, 0, 0x61, 0x62])
        #expect(
            Array(test.buffer[64..<80]) == [
                UInt8(page), 0, 0, 0, UInt8(page), 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0,
            ])
    }

    @Test func aPageThatIsNoBlockIsRefused() {
        let test = TestMemory(pageCount: 32)
        #expect(StreamBlock(test.copy(of: 31)) == nil)
    }

    @Test func json() throws {
        let test = TestMemory(pageCount: 32)
        // A new writer for each call, as in a value written by several transactions.
        try JSONWriter(stream(test)).beginObject()
        try JSONWriter(stream(test)).field("one", 1)
        try JSONWriter(stream(test)).name("list")
        try JSONWriter(stream(test)).beginArray()
        try JSONWriter(stream(test)).number(2)
        try JSONWriter(stream(test)).number(3)
        try JSONWriter(stream(test)).beginArray()
        try JSONWriter(stream(test)).endArray()
        try JSONWriter(stream(test)).endArray()
        try JSONWriter(stream(test)).name("empty")
        try JSONWriter(stream(test)).beginObject()
        try JSONWriter(stream(test)).endObject()
        try JSONWriter(stream(test)).endObject()
        #expect(text(test) == #"{"one":1,"list":[2,3,[]],"empty":{}}"#)
    }
}
