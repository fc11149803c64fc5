/// The data window of the shared memory: the one place in this room where an address becomes a pointer.
///
/// On a node the window is mapped by the nucleus: an access may bring a page, and an access of a doomed
/// transaction does not return. In tests it is an ordinary buffer. Every access is checked against the
/// window; one outside it is a fault of the program and ends its run.
///
/// The machine is little endian, and so is the memory.
public struct SharedMemory: PageSource, Sendable {
    /// Machine address of the window's first byte.
    private let base: UInt
    /// Size of the window in pages.
    public let pageCount: UInt32

    /// Size of the window in bytes.
    public var byteCount: UInt64 { UInt64(pageCount) * pageByteCount }

    /// A window at an address that stays mapped for as long as this value is used.
    public init(base: UInt, pageCount: UInt32) {
        self.base = base
        self.pageCount = pageCount
    }

    public subscript<Value: BitwiseCopyable>(place: Shared<Value>) -> Value {
        get {
            pointer(to: place.address, UInt64(MemoryLayout<Value>.size)).loadUnaligned(as: Value.self)
        }
        nonmutating set {
            pointer(to: place.address, UInt64(MemoryLayout<Value>.size)).storeBytes(
                of: newValue, as: Value.self)
        }
    }

    /// Writes zeros over a run of bytes.
    public func clear(_ bytes: SharedBytes) {
        pointer(to: bytes.start, bytes.count).initializeMemory(
            as: UInt8.self, repeating: 0, count: Int(bytes.count))
    }

    /// Copies bytes from outside into the memory.
    public func write(_ source: RawSpan, at start: SharedAddress) {
        let target = pointer(to: start, UInt64(source.byteCount))
        // Unsafe: `pointer` has checked that the window holds as many bytes as the source has.
        source.withUnsafeBytes { bytes in
            guard let first = bytes.baseAddress else { return }
            target.copyMemory(from: first, byteCount: bytes.count)
        }
    }

    /// The machine address of `count` bytes, all of which must lie in the window. Unsafe: who asks for it,
    /// in this type only, must touch no more.
    private func pointer(to address: SharedAddress, _ count: UInt64) -> UnsafeMutableRawPointer {
        precondition(
            count <= byteCount && address.offset <= byteCount - count, "access outside of the shared memory")
        // Unsafe: in the window by the check above, and the window is mapped by contract of the initialiser.
        return UnsafeMutableRawPointer(bitPattern: base + UInt(address.offset)).unsafelyUnwrapped
    }
}
