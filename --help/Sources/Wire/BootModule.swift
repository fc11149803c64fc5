/// What the host hands to a guest as its boot module: who it is and the cluster's key, never on the command line.
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 0 | 8 | magic "PLURIX\0\1" |
/// | 8 | 8 | cluster |
/// | 16 | 16 | key |
/// | 32 | 8 | nonce of this boot, from the host's random source |
/// | 40 | 4 | pages of the shared memory |
/// | 44 | 2 | largest Ethernet frame, bytes |
/// | 46 | 1 | the node's number |
/// | 47 | 1 | reserved, zero |
public struct BootModule: Equatable, Sendable {
    public static let byteCount = 48
    public static let magic: UInt64 = 0x0100_5849_5255_4C50

    public var cluster: UInt64
    public var key: SipHash.Key
    public var nonce: UInt64
    public var sharedPages: UInt32
    public var maximumFrameBytes: UInt16
    public var node: Station

    public init(cluster: UInt64, key: SipHash.Key, nonce: UInt64, sharedPages: UInt32, maximumFrameBytes: UInt16,
                node: Station) {
        self.cluster = cluster
        self.key = key
        self.nonce = nonce
        self.sharedPages = sharedPages
        self.maximumFrameBytes = maximumFrameBytes
        self.node = node
    }

    public func emit(into bytes: inout MutableRawSpan) {
        bytes.store(Self.magic, at: 0)
        bytes.store(cluster, at: 8)
        bytes.store(key.low, at: 16)
        bytes.store(key.high, at: 24)
        bytes.store(nonce, at: 32)
        bytes.store(sharedPages, at: 40)
        bytes.store(maximumFrameBytes, at: 44)
        bytes.store(node.number, at: 46)
        bytes.store(UInt8(0), at: 47)
    }

    /// Nil when the bytes are no boot module, or name no possible node, memory or frame size.
    public static func parse(_ bytes: RawSpan) -> BootModule? {
        guard bytes.byteCount >= byteCount, bytes.load(UInt64.self, at: 0) == magic else { return nil }
        let module = BootModule(
            cluster: bytes.load(UInt64.self, at: 8),
            key: SipHash.Key(low: bytes.load(UInt64.self, at: 16), high: bytes.load(UInt64.self, at: 24)),
            nonce: bytes.load(UInt64.self, at: 32), sharedPages: bytes.load(UInt32.self, at: 40),
            maximumFrameBytes: bytes.load(UInt16.self, at: 44), node: Station(bytes.load(UInt8.self, at: 46)))
        guard module.node.isNode, module.sharedPages > 0, Int(module.maximumFrameBytes) >= Limits.standardFrameBytes,
            Int(module.maximumFrameBytes) <= Limits.maximumFrameBytes
        else { return nil }
        return module
    }
}
