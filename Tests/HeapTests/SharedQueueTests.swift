import Heap
import Testing

@Suite struct SharedQueueTests {
    @Test(arguments: [(0, 1), (1, 3), (7, 3), (64, 5), (2, 5)])
    func eachNumberIsTakenOnce(items: UInt64, takers: UInt32) throws {
        let test = TestMemory(pageCount: 64)
        let queue = try SharedQueue(
            itemCount: items, takers: takers, memory: test.memory, allocator: test.allocator(node: 0))
        var taken: [UInt64] = []
        var generator = SeededGenerator(seed: 1)
        while let number = queue.take(UInt32.random(in: 0..<takers, using: &generator), in: test.memory) {
            taken.append(number)
        }
        #expect(taken.sorted() == Array(0..<items))
        for taker in 0..<takers { #expect(queue.take(taker, in: test.memory) == nil) }
    }

    @Test func takersWithAShareLeftTouchOnlyTheirOwnPage() throws {
        let test = TestMemory(pageCount: 64)
        let queue = try SharedQueue(
            itemCount: 10, takers: 2, memory: test.memory, allocator: test.allocator(node: 0))
        let before = (0..<64).map { test.copy(of: $0).bytes }
        _ = queue.take(1, in: test.memory)
        let changed = (0..<64).filter { test.copy(of: UInt32($0)).bytes != before[$0] }
        #expect(changed.count == 1)
        #expect(queue.take(0, in: test.memory) == 0)
        #expect(queue.take(1, in: test.memory) == 6)
    }
}
