import Heap

/// Page 69: numbers with a name that outlive the job that made them; 64 entries of 64 bytes.
///
/// Value at 0 (64 bits), bytes of the name at 8 (32; 0 for a free entry), name at 16 (at most 48 bytes).
/// All lie on one page: for numbers that are asked for now and then, not for data.
enum NamedValues {
    private static let entryCount: UInt64 = 64
    private static let entryByteCount: UInt64 = 64
    private static let nameLimit = 48

    /// The place of the value with this name, which is made, with 0, if there is none.
    static func place(_ name: StaticString, in memory: SharedMemory) throws(HeapError) -> Shared<UInt64> {
        guard (1...nameLimit).contains(name.utf8CodeUnitCount) else { throw .noRoomForName }
        for index in 0..<entryCount {
            let entry = SharedAddress(page: SystemLayout.namesPage, index * entryByteCount)
            let length = memory[entry.place(8, UInt32.self)]
            if length == 0 { make(name, entry, in: memory) }
            if length == 0 || matches(name, entry, UInt64(length), in: memory) { return entry.place(0) }
        }
        throw .noRoomForName
    }

    private static func make(_ name: StaticString, _ entry: SharedAddress, in memory: SharedMemory) {
        memory[entry.place(8)] = UInt32(name.utf8CodeUnitCount)
        name.write(name.utf8CodeUnitCount, at: entry + 16, in: memory)
    }

    private static func matches(
        _ name: StaticString, _ entry: SharedAddress, _ length: UInt64, in memory: SharedMemory
    ) -> Bool {
        name.equals(SharedBytes(start: entry + 16, count: length), in: memory)
    }
}
