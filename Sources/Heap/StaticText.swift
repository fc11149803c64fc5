extension StaticString {
    /// One byte of the text, in UTF-8; `index` must be below `utf8CodeUnitCount`.
    public func byte(_ index: Int) -> UInt8 {
        precondition(index >= 0 && index < utf8CodeUnitCount, "byte outside of its text")
        // Unsafe: inside the text by the check above, and a static text is constant data of the image.
        return utf8Start[index]
    }

    /// Is it these bytes of the memory?
    public func equals(_ bytes: SharedBytes, in memory: SharedMemory) -> Bool {
        guard UInt64(utf8CodeUnitCount) == bytes.count else { return false }
        for index in 0..<utf8CodeUnitCount where memory[bytes[UInt64(index)]] != byte(index) { return false }
        return true
    }

    /// Writes the first `count` bytes of the text into the memory.
    public func write(_ count: Int, at start: SharedAddress, in memory: SharedMemory) {
        for index in 0..<count { memory[Shared(start + UInt64(index))] = byte(index) }
    }
}
