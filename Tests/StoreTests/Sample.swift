import Wire

@testable import Simulation
@testable import Store

extension Store where Medium: ~Copyable {
    mutating func put(_ page: UInt32, _ version: GlobalTime, _ bytes: [UInt8]) throws(StoreError) {
        try put(page, version: version, bytes.span.bytes)
    }
}

enum Sample {
    static let key = SipHash.Key(low: 0x0706_0504_0302_0100, high: 0x0F0E_0D0C_0B0A_0908)
    static let logKey = LogKey(hash: key, format: Superblock.format)
    static let identity: UInt64 = 0x1111_2222_3333_4444
    static let cluster: UInt64 = 7

    /// Small pages and segments: much happens in few bytes.
    static let tiny = Geometry(pageBytes: 64, pageCount: 8, segmentBytes: 4096, reserveBytes: 0)

    static func time(_ counter: UInt64, epoch: UInt32 = 1) -> GlobalTime { GlobalTime(epoch: epoch, counter: counter) }

    static func store<D: Disk>(on disk: D, _ geometry: Geometry = tiny) throws(StoreError) -> Store<D> {
        try .create(on: disk, cluster: cluster, identity: identity, key: key, geometry)
    }

    static func page(_ byte: UInt8, _ geometry: Geometry = tiny) -> [UInt8] {
        [UInt8](repeating: byte, count: geometry.pageBytes)
    }
}
