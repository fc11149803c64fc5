/// Sizes that both drivers share, in bytes.
public enum FrameLimits {
    /// The longest frame that every station takes: a page of 4096 bytes, its headers and authentication code in one.
    public static let jumboFrameBytes = 4352
    /// The longest frame that goes to a station of the host: several pages in one, on a segment of jumbo frames.
    public static let trainFrameBytes = 61_696
    /// The longest frame at the standard MTU of 1500 bytes: payload and Ethernet header, without checksum.
    public static let standardFrameBytes = 1514
    /// The shortest frame on the wire, without checksum (IEEE 802.3, 64 bytes with it).
    public static let shortestFrameBytes = 60
    /// Destination, source and type: nothing shorter is a frame.
    static let headerBytes = 14
}

extension MutableRawSpan {
    /// Writes zeros from `start` to the end: the padding of a short frame.
    mutating func clear(from start: Int) {
        var offset = start
        while offset < byteCount {
            storeBytes(of: 0, toByteOffset: offset, as: UInt8.self)
            offset += 1
        }
    }
}

extension DMARegion {
    /// Lends `padded` bytes from `offset` on, of which `fill` sees the first `count`; the rest becomes zero.
    func fillFrame(_ offset: Int, _ count: Int, padded: Int, _ fill: (inout MutableRawSpan) -> Void) {
        withMutableBytes(offset, count, fill)
        if padded > count {
            withMutableBytes(offset + count, padded - count) { $0.clear(from: 0) }
        }
    }
}
