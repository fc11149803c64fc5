/// What the frames of a cluster are signed with.
///
/// The tag of a frame is SipHash-2-4-128 over its fields, then the NH digests of the whole KiB that its payload ends
/// with, in blocks of four, then the bytes in front of those: pages come last in a frame and are a block each. Where
/// there is no KiB the tag is SipHash's alone.
///
/// The fields come in as they are, and their sequence number tells each frame from every other: two honest frames never
/// give SipHash the same input, whatever their digests are. Who forges a page must therefore name the fields of a frame
/// that was sent and guess blocks with the same digests: each try has a chance of at most 2^-62, and somebody counts it
/// as not authentic. Without a block it is 2^-128.
public struct FrameKey: Equatable, Sendable {
    private let key: SipHash.Key
    /// Expanded from the same key: no frame is as short as what SipHash is given for that.
    private let blocks: NH

    public init(_ key: SipHash.Key) {
        self.key = key
        blocks = NH(expanding: key)
    }

    /// The tag that a frame should carry.
    func tag(of frame: RawSpan) -> SipHash.Tag {
        let start = frame.byteCount - (frame.byteCount - Limits.headerBytes) / NH.unitBytes * NH.unitBytes
        var hash = emptyHash
        absorb(fieldsOf: frame, into: &hash)
        if start < frame.byteCount { blocks.digest(frame, from: start, into: &hash) }
        return finish(hash, frame, from: start)
    }

    /// Takes in the fields, then the blocks, before it is finished.
    var emptyHash: SipHash { SipHash(key: key) }

    func absorb(fieldsOf frame: RawSpan, into hash: inout SipHash) {
        for offset in stride(from: 16, to: 56, by: 8) { hash.absorb(frame.load(UInt64.self, at: offset)) }
    }

    /// Takes in blocks on their way into their frame.
    func absorb(_ bytes: RawSpan, copiedTo frame: inout MutableRawSpan, at offset: Int, into hash: inout SipHash) {
        blocks.digest(bytes, copiedTo: &frame, at: offset, into: &hash)
    }

    /// - Parameter start: where the blocks begin.
    func finish(_ hash: SipHash, _ frame: RawSpan, from start: Int) -> SipHash.Tag {
        var hash = hash
        return hash.finish(frame.extracting(0..<start), from: Limits.headerBytes)
    }
}
