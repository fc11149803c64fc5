import Heap
import Testing

@Suite struct SharedMemoryTests {
    @Test func valuesAreLittleEndianAtTheirOffset() {
        let test = TestMemory(pageCount: 4)
        test.memory[Shared(page: 2, 8)] = UInt32(0x0102_0304)
        #expect(Array(test.buffer[8200..<8204]) == [4, 3, 2, 1])
        #expect(test.memory[Shared<UInt16>(page: 2, 9)] == 0x0203)
    }

    @Test func lastByteOfTheWindowIsInside() {
        let test = TestMemory(pageCount: 3)
        let last = Shared<UInt64>(SharedAddress(test.memory.byteCount - 8))
        test.memory[last] = 7
        #expect(test.memory[last] == 7)
    }

    @Test func accessOutsideOfTheWindowStops() async {
        await #expect(processExitsWith: .failure) {
            let test = TestMemory(pageCount: 3)
            _ = test.memory[Shared<UInt64>(SharedAddress(test.memory.byteCount - 7))]
        }
        await #expect(processExitsWith: .failure) {
            let test = TestMemory(pageCount: 3)
            test.memory[Shared(SharedAddress(UInt64.max - 3))] = UInt64(0)
        }
    }

    @Test func arraysAndRunsCheckTheirOwnBounds() async {
        await #expect(processExitsWith: .failure) {
            _ = SharedArray<UInt64>(start: SharedAddress(0), count: 4)[4]
        }
        await #expect(processExitsWith: .failure) {
            _ = SharedBytes(start: SharedAddress(0), count: 0)[0]
        }
    }

    @Test func elementsLieAtTheirStride() {
        let array = SharedArray<UInt64>(start: SharedAddress(page: 2), count: 3, stride: pageByteCount)
        #expect(array[2].address == SharedAddress(page: 4))
        #expect(SharedArray<UInt32>(start: SharedAddress(16), count: 3)[2].address.offset == 24)
    }

    @Test func writeAndClear() {
        let test = TestMemory(pageCount: 3)
        let bytes: [UInt8] = [1, 2, 3]
        test.memory.write(bytes.span.bytes, at: SharedAddress(page: 2, 5))
        #expect(Array(test.buffer[8196..<8201]) == [0xa5, 1, 2, 3, 0xa5])
        test.memory.clear(SharedBytes(start: SharedAddress(page: 2, 6), count: 1))
        #expect(Array(test.buffer[8196..<8201]) == [0xa5, 1, 0, 3, 0xa5])
    }

    @Test func copyOfAPageReadsLikeTheMemory() {
        let test = TestMemory(pageCount: 4)
        let place = Shared<UInt64>(page: 3, 4088)
        test.memory[place] = 0x0123_4567_89ab_cdef
        #expect(test.copy(of: 3)[place] == test.memory[place])
        #expect(PageCopy(page: 3, bytes: [1, 2, 3]) == nil)
    }
}
