import Heap
import Testing

/// A key in an array.
struct Key: HashKey {
    let bytes: [UInt8]

    init(_ text: String) { bytes = Array(text.utf8) }

    var count: UInt64 { UInt64(bytes.count) }
    subscript(index: UInt64) -> UInt8 { bytes[Int(index)] }
}

@Suite struct SharedHashTableTests {
    private func table(_ test: TestMemory, buckets: UInt64) throws -> SharedHashTable {
        try SharedHashTable(bucketCount: buckets, memory: test.memory, allocator: test.allocator(node: 0))
    }

    private func entries(_ table: SharedHashTable, _ memory: SharedMemory) -> [String: UInt64] {
        var found: [String: UInt64] = [:]
        var cursor = SharedHashTable.Cursor()
        while let entry = table.advance(&cursor, in: memory) {
            let key = (0..<entry.key.count).map { memory[entry.key[$0]] }
            #expect(found.updateValue(entry.value, forKey: String(decoding: key, as: UTF8.self)) == nil)
        }
        return found
    }

    @Test(arguments: [1, 8, 1024] as [UInt64])
    func agreesWithADictionary(buckets: UInt64) throws {
        let test = TestMemory(pageCount: 200)
        let table = try table(test, buckets: buckets)
        var expected: [String: UInt64] = [:]
        var generator = SeededGenerator(seed: buckets)
        for _ in 0..<3000 {
            let key = String(UInt32.random(in: 0..<700, using: &generator), radix: 26)
            let amount = UInt64.random(in: 0..<5, using: &generator)
            let allocator = test.allocator(node: .random(in: 0..<3, using: &generator))
            let isNew = try table.add(amount, to: Key(key), in: test.memory, allocator: allocator)
            #expect(isNew == (expected[key] == nil))
            expected[key, default: 0] += amount
        }
        #expect(entries(table, test.memory) == expected)
        for (key, value) in expected { #expect(table.value(of: Key(key), in: test.memory) == value) }
        #expect(table.value(of: Key("absent key"), in: test.memory) == nil)
    }

    @Test func keysOfAnyLength() throws {
        let test = TestMemory(pageCount: 64)
        let table = try table(test, buckets: 8)
        for key in ["", "a", String(repeating: "b", count: 4080), String(repeating: "c", count: 20_000)] {
            try table.add(3, to: Key(key), in: test.memory, allocator: test.allocator(node: 1))
            #expect(table.value(of: Key(key), in: test.memory) == 3)
        }
        #expect(entries(table, test.memory).count == 4)
    }

    @Test func numbersWrapAround() throws {
        let test = TestMemory(pageCount: 32)
        let table = try table(test, buckets: 8)
        for amount in [UInt64.max, 3] {
            try table.add(amount, to: Key("k"), in: test.memory, allocator: test.allocator(node: 0))
        }
        #expect(table.value(of: Key("k"), in: test.memory) == 2)
    }

    @Test func aFullMemoryIsAnError() throws {
        let test = TestMemory(pageCount: 4)
        let table = try table(test, buckets: 8)
        let long = Key(String(repeating: "x", count: 9000))
        #expect(throws: HeapError.outOfMemory) {
            try table.add(1, to: long, in: test.memory, allocator: test.allocator(node: 0))
        }
        #expect(entries(table, test.memory).isEmpty)
    }

    /// Two inserts into different buckets by different nodes write different pages, but for the buckets.
    @Test func entriesOfDifferentNodesLieOnDifferentPages() throws {
        let test = TestMemory(pageCount: 64)
        let table = try table(test, buckets: 1024)
        for node in 0..<2 as Range<UInt64> {
            try table.add(1, to: Key("key \(node)"), in: test.memory, allocator: test.allocator(node: node))
        }
        let before = (0..<64).map { test.copy(of: $0).bytes }
        try table.add(1, to: Key("key 0"), in: test.memory, allocator: test.allocator(node: 0))
        let afterFirst = (0..<64).map { test.copy(of: $0).bytes }
        try table.add(1, to: Key("key 1"), in: test.memory, allocator: test.allocator(node: 1))
        let first = (0..<64).filter { before[$0] != afterFirst[$0] }
        let second = (0..<64).filter { afterFirst[$0] != test.copy(of: UInt32($0)).bytes }
        #expect(first.count == 1 && second.count == 1 && first != second)
    }
}
