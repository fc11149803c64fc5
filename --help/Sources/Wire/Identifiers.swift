/// A station on the segment: nodes are 1…64, host stations lie above. It is the last byte of the MAC address.
public struct Station: Equatable, Hashable, Comparable, Sendable {
    public let number: UInt8
    @inline(__always) public init(_ number: UInt8) { self.number = number }

    public static let nobody = Station(0)
    public static let arbiter = Station(0xF0)
    public static let everyone = Station(0xFF)

    /// Whether this is a number that a node may have.
    public var isNode: Bool { number >= 1 && Int(number) <= Limits.maximumNodes }
    /// The place of a node in tables of nodes, from 0. Only for nodes.
    public var index: Int {
        precondition(isNode, "not a node")
        return Int(number) - 1
    }
    /// The node's bit in a set of nodes.
    public var bit: UInt64 { 1 << UInt64(index) }

    public static func < (a: Station, b: Station) -> Bool { a.number < b.number }

    /// The MAC address, in the low 48 bits: locally administered, the station in the last byte.
    public var address: UInt64 { self == .everyone ? 0xFFFF_FFFF_FFFF : 0x0250_4C58_0000 | UInt64(number) }
}

/// A page of the shared memory: its index from the window's start.
public struct PageNumber: Equatable, Hashable, Comparable, Sendable {
    public let index: UInt32
    @inline(__always) public init(_ index: UInt32) { self.index = index }
    public static func < (a: PageNumber, b: PageNumber) -> Bool { a.index < b.index }
}

/// The identity of a built image: 16 bytes that change with every byte of its code.
public struct BuildIdentifier: Equatable, Sendable {
    public let low: UInt64
    public let high: UInt64
    public init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }
}
