import Heap

/// Page 1: one entry for each node that ever joined, 64 bytes each.
///
/// | offset | entry |
/// |---|---|
/// | 0 | state (32 bits): 0 never joined, 1 joined |
/// | 8 | incarnation |
/// | 16 | microseconds of guest time from the entry point to joined |
/// | 24 | page requests sent until joined |
public struct NodeEntry: Equatable, Sendable {
    static let byteCount: UInt64 = 64

    public let node: UInt32
    /// The arbiter's number for this life of the node.
    public let incarnation: UInt64
    /// Guest time from the entry point until this entry was committed.
    public let joinMicroseconds: UInt64
    public let joinPageRequests: UInt64

    public init(node: UInt32, incarnation: UInt64, joinMicroseconds: UInt64, joinPageRequests: UInt64) {
        self.node = node
        self.incarnation = incarnation
        self.joinMicroseconds = joinMicroseconds
        self.joinPageRequests = joinPageRequests
    }

    /// Reads a node's entry from page 1. Nil if the node never joined.
    public init?(of node: UInt32, in source: some PageSource) {
        let start = Self.start(of: node)
        guard source[start.place(0, UInt32.self)] == 1 else { return nil }
        self.node = node
        incarnation = source[start.place(8)]
        joinMicroseconds = source[start.place(16)]
        joinPageRequests = source[start.place(24)]
    }

    /// Writes the entry: the transaction by which a node becomes visible as joined.
    public func store(in memory: SharedMemory) {
        let start = Self.start(of: node)
        memory[start.place(0)] = UInt32(1)
        memory[start.place(8)] = incarnation
        memory[start.place(16)] = joinMicroseconds
        memory[start.place(24)] = joinPageRequests
    }

    private static func start(of node: UInt32) -> SharedAddress {
        precondition((1...SystemLayout.maximumNodeCount).contains(node), "node number out of range")
        return SharedAddress(page: SystemLayout.nodeTablePage, UInt64(node - 1) * byteCount)
    }
}
