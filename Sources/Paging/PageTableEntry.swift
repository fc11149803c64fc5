/// An entry of a page table of any level (Intel SDM volume 3, section 4.5).
public struct PageTableEntry: Equatable, Sendable {
    public var bits: UInt64

    @inline(__always) public init(bits: UInt64) { self.bits = bits }

    private static let presentBit: UInt64 = 1 << 0
    private static let writableBit: UInt64 = 1 << 1
    private static let accessedBit: UInt64 = 1 << 5
    private static let noExecuteBit: UInt64 = 1 << 63
    private static let addressMask: UInt64 = 0x000F_FFFF_FFFF_F000

    /// Nothing is mapped.
    public static let absent = PageTableEntry(bits: 0)

    /// A data page: read-only until the running transaction writes it, never executable.
    @inline(__always)
    public static func data(_ frame: UInt64, isWritable: Bool, isAccessed: Bool) -> PageTableEntry {
        PageTableEntry(bits: frame & addressMask | presentBit | noExecuteBit | (isWritable ? writableBit : 0)
            | (isAccessed ? accessedBit : 0))
    }

    /// A table of the next level.
    public static func table(_ frame: UInt64) -> PageTableEntry {
        PageTableEntry(bits: frame & addressMask | presentBit | writableBit)
    }

    @inline(__always) public var isPresent: Bool { bits & Self.presentBit != 0 }
    @inline(__always) public var isWritable: Bool { bits & Self.writableBit != 0 }
    /// Set by the processor at the first access after it was cleared and the translation forgotten.
    @inline(__always) public var isAccessed: Bool { bits & Self.accessedBit != 0 }
    /// Physical address of the frame or table.
    @inline(__always) public var frame: UInt64 { bits & Self.addressMask }

    @inline(__always) public var withoutAccessed: PageTableEntry { PageTableEntry(bits: bits & ~Self.accessedBit) }
}
