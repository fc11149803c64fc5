/// SipHash-2-4 with 128 bits of output: the pseudorandom function in the tags of frames (`FrameKey`) and of the store.
///
/// Aumasson and Bernstein, “SipHash: a fast short-input PRF” (2012), the 128-bit variant of the reference code;
/// checked against its published vectors. Chosen because it needs no SSE, no nonce that must never repeat, and about 4
/// instructions a byte. Pages are compressed first (`NH`).
public struct SipHash {
    private var v0, v1, v2, v3: UInt64
    private var length: UInt64 = 0

    public struct Key: Equatable, Sendable {
        public let low: UInt64
        public let high: UInt64
        public init(low: UInt64, high: UInt64) {
            self.low = low
            self.high = high
        }
    }

    public struct Tag: Equatable, Sendable {
        public let low: UInt64
        public let high: UInt64
        public init(low: UInt64, high: UInt64) {
            self.low = low
            self.high = high
        }
    }

    public init(key: Key) {
        v0 = key.low ^ 0x736f_6d65_7073_6575
        v1 = key.high ^ 0x646f_7261_6e64_6f6d ^ 0xee
        v2 = key.low ^ 0x6c79_6765_6e65_7261
        v3 = key.high ^ 0x7465_6462_7974_6573
    }

    @inline(__always)
    private static func rotate(_ value: UInt64, _ bits: UInt64) -> UInt64 { value << bits | value >> (64 &- bits) }

    @inline(__always)
    private mutating func round() {
        v0 = v0 &+ v1
        v2 = v2 &+ v3
        v1 = Self.rotate(v1, 13) ^ v0
        v3 = Self.rotate(v3, 16) ^ v2
        v0 = Self.rotate(v0, 32) &+ v3
        v2 = v2 &+ v1
        v1 = Self.rotate(v1, 17) ^ v2
        v3 = Self.rotate(v3, 21) ^ v0
        v2 = Self.rotate(v2, 32)
    }

    /// Takes in eight bytes, given as a little-endian word.
    @inline(__always)
    public mutating func absorb(_ word: UInt64) {
        mix(word)
        length &+= 8
    }

    @inline(__always)
    private mutating func mix(_ word: UInt64) {
        v3 ^= word
        round()
        round()
        v0 ^= word
    }

    /// Four words at a time: straight code, because under emulation each jump makes the processor's state go to memory
    /// and back.
    @inline(__always)
    private mutating func mix(_ first: UInt64, _ second: UInt64, _ third: UInt64, _ fourth: UInt64) {
        mix(first)
        mix(second)
        mix(third)
        mix(fourth)
    }

    /// Takes in as many runs of 32 bytes as there are from `start` on; returns where they end. A page is nearly all of
    /// this.
    private mutating func absorbRuns(_ bytes: RawSpan, from start: Int) -> Int {
        precondition(start >= 0, "a start inside of its bytes")
        var hash = self
        var offset = start
        let end = bytes.byteCount &- Self.runBytes
        while offset <= end {
            hash.mix(
                bytes.loadUnchecked(at: offset), bytes.loadUnchecked(at: offset &+ 8),
                bytes.loadUnchecked(at: offset &+ 16), bytes.loadUnchecked(at: offset &+ 24))
            offset &+= Self.runBytes
        }
        self = hash
        length &+= UInt64(offset &- start)
        return offset
    }

    private static var runBytes: Int { 32 }

    /// Takes in the whole words from `start` on and returns the tag; the tail of up to seven bytes closes the hash.
    public mutating func finish(_ bytes: RawSpan, from start: Int) -> Tag {
        var offset = absorbRuns(bytes, from: start)
        let end = bytes.byteCount
        while offset &+ 8 <= end {
            absorb(bytes.load(UInt64.self, at: offset))
            offset &+= 8
        }
        var last: UInt64 = 0
        var shift: UInt64 = 0
        while offset < end {
            last |= UInt64(bytes.load(UInt8.self, at: offset)) << shift
            shift &+= 8
            offset &+= 1
            length &+= 1
        }
        last |= length << 56
        v3 ^= last
        round()
        round()
        v0 ^= last
        v2 ^= 0xee
        for _ in 0..<4 { round() }
        let low = v0 ^ v1 ^ v2 ^ v3
        v1 ^= 0xdd
        for _ in 0..<4 { round() }
        return Tag(low: low, high: v0 ^ v1 ^ v2 ^ v3)
    }
}
