import Heap
import Testing
import Wire

@testable import PageServer

@Suite struct OutputReaderTests {
    /// A page of a stream: the next page, the bytes used, the bytes.
    private static func block(next: UInt32, _ bytes: [UInt8]) -> [UInt8] {
        var page = [UInt8](repeating: 0xEE, count: Limits.pageBytes)
        for index in 0..<4 {
            page[index] = UInt8(truncatingIfNeeded: next >> UInt32(8 * index))
            page[4 + index] = UInt8(truncatingIfNeeded: bytes.count >> (8 * index))
        }
        page.replaceSubrange(8..<8 + bytes.count, with: bytes)
        return page
    }

    private static let capacity = Limits.pageBytes - 8

    @Test func eachPartIsReadOnce() {
        var image = SharedImage(pageCount: 16)
        var reader = OutputReader()
        reader.advance(image, firstPage: 0, byteCount: 0)
        #expect(reader.takeText(isLast: true) == nil)
        image.set(5, to: Self.block(next: 0, Array("one\n".utf8)))
        reader.advance(image, firstPage: 5, byteCount: 4)
        reader.advance(image, firstPage: 5, byteCount: 4)
        #expect(reader.takeText(isLast: false) == "one\n")
        image.set(5, to: Self.block(next: 0, Array("one\ntwo\n".utf8)))
        reader.advance(image, firstPage: 5, byteCount: 8)
        #expect(reader.takeText(isLast: false) == "two\n")
        #expect(reader.takeText(isLast: true) == nil)
        let full = Array("one\ntwo\n".utf8) + [UInt8](repeating: 120, count: Self.capacity - 8)
        image.set(5, to: Self.block(next: 9, full))
        image.set(9, to: Self.block(next: 0, Array("end".utf8)))
        reader.advance(image, firstPage: 5, byteCount: UInt64(Self.capacity + 3))
        #expect(reader.bytes == full + Array("end".utf8))
        image.set(9, to: Self.block(next: 0, Array("end.".utf8)))
        reader.advance(image, firstPage: 5, byteCount: UInt64(Self.capacity + 4))
        #expect(reader.bytes == full + Array("end.".utf8))
    }

    @Test func linesAreShownWhole() {
        let text = Array("é\n€😀\n\nend".utf8)
        var image = SharedImage(pageCount: 16)
        var shown: [String] = []
        var reader = OutputReader()
        for count in 1...text.count {
            image.set(3, to: Self.block(next: 0, Array(text[..<count])))
            reader.advance(image, firstPage: 3, byteCount: UInt64(count))
            if let text = reader.takeText(isLast: false) { shown.append(text) }
        }
        #expect(shown == ["é\n", "€😀\n", "\n"])
        #expect(reader.takeText(isLast: true) == "end")
    }

    /// Whatever a stream says, reading it ends, inside the memory.
    @Test func hostileStreams() {
        var image = SharedImage(pageCount: 16)
        image.set(3, to: Self.block(next: 3, [UInt8](repeating: 1, count: 10)))
        image.set(4, to: Self.block(next: 4, []))
        image.set(5, to: Self.block(next: 0xFFFF_FFFF, [1]))
        image.set(6, to: [UInt8](repeating: 0xFF, count: Limits.pageBytes))
        for page in [3, 4, 5, 6, 16, UInt32.max] {
            var reader = OutputReader()
            for _ in 0..<4 { reader.advance(image, firstPage: page, byteCount: 1000) }
            #expect(reader.bytes.count <= 1000)
        }
    }

    // Found by fuzzing: a record that a program had overwritten ended the arbiter, or filled the host's memory.
    @Test func aStreamInACircleIsNoLongerThanTheMemory() {
        var image = SharedImage(pageCount: 16)
        image.set(3, to: Self.block(next: 3, [1, 2, 3]))
        var reader = OutputReader()
        reader.advance(image, firstPage: 3, byteCount: .max)
        #expect(reader.bytes.count == 16 * Limits.pageBytes)
    }
}
