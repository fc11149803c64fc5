/// Bytes that a hash table can be asked for, wherever they come from.
public protocol HashKey {
    /// How many bytes.
    var count: UInt64 { get }
    subscript(index: UInt64) -> UInt8 { get }
}

/// A table in the shared memory from byte strings to 64-bit numbers.
///
/// Entries are chained from an array of buckets; there is no common count of entries, on which every two
/// inserts would conflict (FACTS: Swift's own Dictionary did, chained entries on under 1 %). Entries
/// are made by the inserting node's allocator, in the order of insertion, so that frequent keys, which
/// are met first, share few pages.
///
/// References are 32 bits in units of 8 bytes, so entries must lie in the window's first 32 GiB. 0 is none.
public struct SharedHashTable: BitwiseCopyable, Sendable {
    /// A position in the walk over all entries. It stays valid between transactions as long as nothing
    /// is inserted.
    public struct Cursor: BitwiseCopyable, Sendable {
        fileprivate var entry: UInt32 = 0
        fileprivate var nextBucket: UInt32 = 0

        /// Before the first entry.
        public init() {}
    }

    /// A key with its number.
    public struct Entry {
        public let key: SharedBytes
        public let value: UInt64
    }

    /// Layout of an entry: reference to the next (32 bits), bytes in the key (32), number (64), key.
    private static let headerByteCount: UInt64 = 16
    private static let unit: UInt64 = 8

    private let buckets: SharedArray<UInt32>

    /// An empty table in fresh pages. Clears 1 page for 1,024 buckets.
    /// - Parameter bucketCount: a power of two; about the number of keys to expect.
    public init(bucketCount: UInt64, memory: SharedMemory, allocator: NodeAllocator) throws(HeapError) {
        precondition(bucketCount.nonzeroBitCount == 1, "the number of buckets must be a power of two")
        let byteCount = bucketCount * UInt64(MemoryLayout<UInt32>.size)
        buckets = SharedArray(start: try allocator.allocate(byteCount), count: bucketCount)
        memory.clear(SharedBytes(start: buckets.start, count: byteCount))
    }

    /// The number of a key; nil if the key is not in the table.
    public func value(of key: some HashKey, in memory: SharedMemory) -> UInt64? {
        find(key, in: memory).map { memory[value($0)] }
    }

    /// Adds to the number of a key, which starts at 0, and wraps around at 2^64.
    /// - Returns: true if the key was not yet in the table.
    @discardableResult
    public func add(
        _ amount: UInt64, to key: some HashKey, in memory: SharedMemory, allocator: NodeAllocator
    ) throws(HeapError) -> Bool {
        if let entry = find(key, in: memory) {
            memory[value(entry)] &+= amount
            return false
        }
        let address = try allocator.allocate(Self.headerByteCount + key.count)
        precondition(address.offset / Self.unit <= UInt64(UInt32.max), "hash table beyond its 32 GiB")
        let entry = UInt32(address.offset / Self.unit)
        let head = bucket(of: key)
        memory[next(entry)] = memory[head]
        memory[keyLength(entry)] = UInt32(key.count)
        memory[value(entry)] = amount
        for index in 0..<key.count { memory[Shared(keyStart(entry) + index)] = key[index] }
        memory[head] = entry
        return true
    }

    /// The entry behind a position, to which the position then moves; nil at the end.
    public func advance(_ cursor: inout Cursor, in memory: SharedMemory) -> Entry? {
        if cursor.entry != 0 { cursor.entry = memory[next(cursor.entry)] }
        while cursor.entry == 0 {
            guard UInt64(cursor.nextBucket) < buckets.count else { return nil }
            cursor.entry = memory[buckets[UInt64(cursor.nextBucket)]]
            cursor.nextBucket += 1
        }
        let key = SharedBytes(start: keyStart(cursor.entry), count: UInt64(memory[keyLength(cursor.entry)]))
        return Entry(key: key, value: memory[value(cursor.entry)])
    }

    private func find(_ key: some HashKey, in memory: SharedMemory) -> UInt32? {
        var entry = memory[bucket(of: key)]
        while entry != 0 {
            if matches(key, entry, in: memory) { return entry }
            entry = memory[next(entry)]
        }
        return nil
    }

    private func matches(_ key: some HashKey, _ entry: UInt32, in memory: SharedMemory) -> Bool {
        guard UInt64(memory[keyLength(entry)]) == key.count else { return false }
        for index in 0..<key.count where memory[Shared<UInt8>(keyStart(entry) + index)] != key[index] {
            return false
        }
        return true
    }

    /// FNV-1a of 64 bits (Fowler, Noll, Vo), folded. Not seeded: all nodes must agree.
    private func bucket(of key: some HashKey) -> Shared<UInt32> {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for index in 0..<key.count { hash = (hash ^ UInt64(key[index])) &* 0x100_0000_01b3 }
        return buckets[(hash ^ hash >> 32) & (buckets.count - 1)]
    }

    private func start(_ entry: UInt32) -> SharedAddress { SharedAddress(UInt64(entry) * Self.unit) }
    private func next(_ entry: UInt32) -> Shared<UInt32> { start(entry).place(0) }
    private func keyLength(_ entry: UInt32) -> Shared<UInt32> { start(entry).place(4) }
    private func value(_ entry: UInt32) -> Shared<UInt64> { start(entry).place(8) }
    private func keyStart(_ entry: UInt32) -> SharedAddress { start(entry) + Self.headerByteCount }
}
