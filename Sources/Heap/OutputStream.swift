/// Bytes that a program writes and the host reads: a chain of pages, each with a number of the next
/// page and its own used bytes in front.
///
/// It grows inside a transaction, so what was written commits or vanishes with it. One writer at a time.
public struct OutputStream {
    /// Bytes of the record: first page (32 bits), last page (32 bits), bytes in all (64 bits).
    public static let recordByteCount: UInt64 = 16

    private let memory: SharedMemory
    private let record: StreamRecord
    private let allocator: NodeAllocator

    /// The stream whose record lies at `record`; a record of zeros is an empty stream.
    public init(_ memory: SharedMemory, record: SharedAddress, allocator: NodeAllocator) {
        self.memory = memory
        self.record = StreamRecord(record)
        self.allocator = allocator
    }

    /// Bytes written so far.
    public var byteCount: UInt64 { memory[record.byteCount] }

    /// The byte written last; nil if there is none.
    public var lastByte: UInt8? {
        let page = memory[record.lastPage]
        guard page != 0 else { return nil }
        return memory[StreamBlock.byte(page, at: memory[StreamBlock.used(page)] - 1)]
    }

    public func write(byte: UInt8) throws(HeapError) {
        var page = memory[record.lastPage]
        if page == 0 || memory[StreamBlock.used(page)] == StreamBlock.capacity {
            page = try appendBlock(after: page)
        }
        let used = memory[StreamBlock.used(page)]
        memory[StreamBlock.byte(page, at: used)] = byte
        memory[StreamBlock.used(page)] = used + 1
        memory[record.byteCount] += 1
    }

    public func write(_ text: StaticString) throws(HeapError) {
        for index in 0..<text.utf8CodeUnitCount { try write(byte: text.byte(index)) }
    }

    /// Bytes from another place of the memory.
    public func write(_ bytes: SharedBytes) throws(HeapError) {
        for index in 0..<bytes.count { try write(byte: memory[bytes[index]]) }
    }

    /// A number in decimal digits.
    public func write(_ number: UInt64) throws(HeapError) {
        var divisor: UInt64 = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            try write(byte: UInt8(ascii: "0") + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }

    private func appendBlock(after last: UInt32) throws(HeapError) -> UInt32 {
        let page = try allocator.allocatePage()
        memory[StreamBlock.next(page)] = 0
        memory[StreamBlock.used(page)] = 0
        memory[last == 0 ? record.firstPage : StreamBlock.next(last)] = page
        memory[record.lastPage] = page
        return page
    }
}

/// Where a stream starts and how long it is; read by the host.
public struct StreamRecord {
    public let firstPage: Shared<UInt32>
    let lastPage: Shared<UInt32>
    public let byteCount: Shared<UInt64>

    public init(_ start: SharedAddress) {
        firstPage = start.place(0)
        lastPage = start.place(4)
        byteCount = start.place(8)
    }
}

/// One page of a stream: number of the next page (32 bits, 0 at the end), used bytes (32 bits), bytes.
public struct StreamBlock {
    private static let headerByteCount: UInt32 = 8
    /// Bytes of a stream in one page.
    static let capacity = UInt32(pageByteCount) - headerByteCount

    /// The page that follows; 0 at the end.
    public let nextPage: UInt32
    public let bytes: [UInt8]

    /// Reads a block from the copy of its page. Nil if the page cannot be one.
    public init?(_ page: PageCopy) {
        let used = page[Self.used(page.page)]
        guard used <= Self.capacity else { return nil }
        nextPage = page[Self.next(page.page)]
        bytes = Array(page.bytes[Int(Self.headerByteCount)..<Int(Self.headerByteCount + used)])
    }

    static func next(_ page: UInt32) -> Shared<UInt32> { Shared(page: page, 0) }
    static func used(_ page: UInt32) -> Shared<UInt32> { Shared(page: page, 4) }
    static func byte(_ page: UInt32, at index: UInt32) -> Shared<UInt8> {
        Shared(page: page, UInt64(headerByteCount + index))
    }
}
