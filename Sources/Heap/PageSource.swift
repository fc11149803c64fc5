/// What records of fixed layout are read from: the memory itself on a node, the copy of a page on the
/// host. Records are written once, against this protocol, and read alike on both sides.
public protocol PageSource {
    /// The value at a place, little endian as everything in the shared memory.
    subscript<Value: BitwiseCopyable>(place: Shared<Value>) -> Value { get }
}

/// The raw bytes of one page, as the host got them.
public struct PageCopy: PageSource, Sendable {
    /// Which page of the window it is.
    public let page: UInt32
    public let bytes: [UInt8]

    /// Nil if these are not the bytes of one page.
    public init?(page: UInt32, bytes: [UInt8]) {
        guard bytes.count == Int(pageByteCount) else { return nil }
        self.page = page
        self.bytes = bytes
    }

    /// Stops the process if the place is not in this page: places of fixed records are known, and what a
    /// page says about others must be checked first.
    public subscript<Value: BitwiseCopyable>(place: Shared<Value>) -> Value {
        let start = SharedAddress(page: page).offset
        precondition(place.address.offset >= start, "place before the copied page")
        let offset = place.address.offset - start
        precondition(
            offset <= pageByteCount - UInt64(MemoryLayout<Value>.size), "place behind the copied page")
        // Unsafe: inside the page by the checks above, and every value is bitwise copyable.
        return bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: Int(offset), as: Value.self) }
    }
}
