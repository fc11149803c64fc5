/// Bytes in one page of the shared memory.
public let pageByteCount: UInt64 = 4096

/// A place in the shared memory: its distance in bytes from the start of the data window.
///
/// The same on every node and, in a copy of a page, on the host. It is never a machine address: only
/// `SharedMemory` turns it into one, after checking it.
public struct SharedAddress: BitwiseCopyable, Equatable, Sendable {
    /// Bytes from the start of the window.
    public let offset: UInt64

    public init(_ offset: UInt64) {
        self.offset = offset
    }

    /// The byte `offset` of a page.
    public init(page: UInt32, _ offset: UInt64 = 0) {
        self.offset = UInt64(page) * pageByteCount + offset
    }

    /// The page that holds this byte.
    public var page: UInt32 { UInt32(offset / pageByteCount) }

    public static func + (address: SharedAddress, distance: UInt64) -> SharedAddress {
        SharedAddress(address.offset + distance)
    }

    /// The place of a value that lies `distance` bytes behind this address.
    public func place<Value: BitwiseCopyable>(_ distance: UInt64, _: Value.Type = Value.self) -> Shared<Value>
    {
        Shared(self + distance)
    }
}

/// The place of one value in the shared memory. `memory[place]` reads and writes it.
public struct Shared<Value: BitwiseCopyable>: BitwiseCopyable, Equatable, Sendable {
    public let address: SharedAddress

    public init(_ address: SharedAddress) {
        self.address = address
    }

    public init(page: UInt32, _ offset: UInt64 = 0) {
        address = SharedAddress(page: page, offset)
    }

    public static func == (one: Shared, other: Shared) -> Bool { one.address == other.address }
}

/// A run of bytes in the shared memory.
public struct SharedBytes: BitwiseCopyable, Equatable, Sendable {
    public let start: SharedAddress
    /// How many bytes.
    public let count: UInt64

    public init(start: SharedAddress, count: UInt64) {
        self.start = start
        self.count = count
    }

    /// The place of one byte; `index` must be below `count`.
    public subscript(index: UInt64) -> Shared<UInt8> {
        precondition(index < count, "byte outside of its run")
        return Shared(start + index)
    }
}

/// Values of one type at equal distances in the shared memory.
public struct SharedArray<Element: BitwiseCopyable>: BitwiseCopyable, Sendable {
    public let start: SharedAddress
    /// How many elements.
    public let count: UInt64
    /// Bytes from one element to the next: a page, say, where neighbours shall not conflict.
    public let stride: UInt64

    public init(start: SharedAddress, count: UInt64, stride: UInt64 = UInt64(MemoryLayout<Element>.stride)) {
        self.start = start
        self.count = count
        self.stride = stride
    }

    /// The place of one element; `index` must be below `count`.
    public subscript(index: UInt64) -> Shared<Element> {
        precondition(index < count, "element outside of its array")
        return Shared(start + index * stride)
    }
}
