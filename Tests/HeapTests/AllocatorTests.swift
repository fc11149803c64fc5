import Heap
import Testing

@Suite struct AllocatorTests {
    @Test func pagesRunOutWithAnError() throws {
        let test = TestMemory(pageCount: 10)
        #expect(try test.pages.allocate(5) == 2)
        #expect(try test.pages.allocate(3) == 7)
        #expect(throws: HeapError.outOfMemory) { try test.pages.allocate(1) }
        #expect(throws: HeapError.outOfMemory) { try test.pages.allocate(.max) }
        test.pages.reset(first: 4)
        #expect(test.pages.freePageCount == 6)
    }

    @Test func objectsOfOneNodeDoNotOverlapNorCrossPages() throws {
        let test = TestMemory(pageCount: 200)
        let allocator = test.allocator(node: 0)
        var generator = SeededGenerator(seed: 1)
        var taken: [Range<UInt64>] = []
        for _ in 0..<500 {
            let count = UInt64.random(in: 0...300, using: &generator)
            let start = try allocator.allocate(count).offset
            #expect(start % 8 == 0)
            if count > 0 { #expect(start / pageByteCount == (start + count - 1) / pageByteCount) }
            taken.append(start..<start + max(count, 1))
        }
        taken.sort { $0.lowerBound < $1.lowerBound }
        #expect(zip(taken, taken.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound })
    }

    @Test func nodesNeverShareAPage() throws {
        let test = TestMemory(pageCount: 400)
        var pages: [Set<UInt32>] = [[], [], []]
        for round in 0..<900 {
            let node = round % 3
            pages[node].insert(try test.allocator(node: UInt64(node)).allocate(UInt64(round % 200 + 1)).page)
            if round % 50 == 0 { pages[node].insert(try test.allocator(node: UInt64(node)).allocatePage()) }
        }
        #expect(pages[0].isDisjoint(with: pages[1]) && pages[1].isDisjoint(with: pages[2]))
        #expect(pages[0].isDisjoint(with: pages[2]))
    }

    @Test func theCentralManagerIsAskedOnceAPortion() throws {
        let test = TestMemory(pageCount: 100)
        let allocator = test.allocator(node: 0)
        _ = try allocator.allocate(8)
        let free = test.pages.freePageCount
        for _ in 0..<8000 { _ = try allocator.allocate(8) }
        #expect(test.pages.freePageCount == free)
        for _ in 0..<200 { _ = try allocator.allocate(8) }
        #expect(test.pages.freePageCount == free - NodeAllocator.portionPageCount)
    }

    @Test func largeObjectsAreWholePages() throws {
        let test = TestMemory(pageCount: 20)
        let free = test.pages.freePageCount
        #expect(try test.allocator(node: 0).allocate(4097).offset % pageByteCount == 0)
        #expect(test.pages.freePageCount == free - 2)
    }

    @Test func theLastPagesAreUsed() throws {
        let test = TestMemory(pageCount: 5)
        let allocator = test.allocator(node: 0)
        let pages = Set([
            try allocator.allocatePage(), try allocator.allocatePage(), try allocator.allocate(4096).page,
        ])
        #expect(pages == [2, 3, 4])
        #expect(throws: HeapError.outOfMemory) { try allocator.allocate(1) }
    }
}
