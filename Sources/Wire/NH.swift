/// NH: the hash that compresses pages before SipHash sees them.
///
/// An even number of words m under a key k of as many becomes 128 bits: the sum over the pairs of words of
/// (m₂ᵢ + k₂ᵢ) · (m₂ᵢ₊₁ + k₂ᵢ₊₁), the additions in brackets modulo 2^64 (Black, Halevi, Krawczyk, Krovetz and Rogaway,
/// “UMAC: Fast and Secure Message Authentication”, 1999, section 4; words of 64 bits as in Krovetz, “Message
/// Authentication on 64-bit Architectures”, 2006). Who does not know the key makes the sums of two messages that differ
/// equal with a probability of at most 2^-64. Here the low and the high halves of the products are added up each for
/// themselves, because a carry is dear under emulation; equal halves leave four differences that the whole sums may
/// have, so it is 2^-62.
///
/// A block of up to 4,096 bytes is two such messages, taken in turns of 16 bytes: one load of the key serves both, and
/// under emulation it is the loads that a page costs. SipHash over a whole page took nine times as long on the host and
/// nearly twice as long in a node.
struct NH: Equatable, Sendable {
    static var blockBytes: Int { 4096 }
    /// What is digested is so many bytes, or a multiple of that; its last block may be shorter than the others.
    static var unitBytes: Int { 1024 }

    /// Half as many as a block has.
    private let key: [UInt64]

    /// The words of the key are SipHash's output for 0, 1, 2, …
    init(expanding seed: SipHash.Key) {
        var key: [UInt64] = []
        key.reserveCapacity(Self.blockBytes / 16)
        for number in 0..<UInt64(Self.blockBytes / 32) {
            var hash = SipHash(key: seed)
            hash.absorb(number)
            let words = hash.finish(RawSpan(), from: 0)
            key.append(words.low)
            key.append(words.high)
        }
        self.key = key
    }

    /// What a block becomes: four words.
    fileprivate struct Digest {
        var even = Sum()
        var odd = Sum()
    }

    fileprivate struct Sum {
        var low: UInt64 = 0
        var high: UInt64 = 0

        @inline(__always)
        mutating func add(_ first: UInt64, _ second: UInt64) {
            let product = first.multipliedFullWidth(by: second)
            low = low &+ product.low
            high = high &+ product.high
        }
    }

    /// Gives SipHash the digest of each block from `start` on; whole units must be there.
    func digest(_ bytes: RawSpan, from start: Int, into hash: inout SipHash) {
        precondition(start >= 0 && start <= bytes.byteCount, "a start inside of its bytes")
        precondition((bytes.byteCount - start) % Self.unitBytes == 0, "whole units")
        var block = start
        while block < bytes.byteCount {
            let end = min(block &+ Self.blockBytes, bytes.byteCount)
            hash.absorb(digest(bytes, block, end) { _, _, _ in })
            block = end
        }
    }

    /// The same on the way to another place: who copies a page and signs it reads it once.
    func digest(_ bytes: RawSpan, copiedTo target: inout MutableRawSpan, at start: Int, into hash: inout SipHash) {
        precondition(bytes.byteCount % Self.unitBytes == 0, "whole units")
        precondition(start >= 0 && start <= target.byteCount - bytes.byteCount, "copied inside of the target")
        var block = 0
        while block < bytes.byteCount {
            let end = min(block &+ Self.blockBytes, bytes.byteCount)
            hash.absorb(digest(bytes, block, end) { first, second, offset in
                target.storeUnchecked(first, at: start &+ offset)
                target.storeUnchecked(second, at: start &+ offset &+ 8)
            })
            block = end
        }
    }

    /// - Parameter pass: is given each pair of words and its offset.
    @inline(__always)
    private func digest(_ bytes: RawSpan, _ start: Int, _ end: Int, _ pass: (UInt64, UInt64, Int) -> Void) -> Digest {
        let key = key.span.bytes
        var digest = Digest()
        var place = 0
        var offset = start
        // Two turns in a row: under emulation each jump makes the processor's state go to memory and back. More have no
        // room in the registers.
        while offset < end {
            turn(bytes, at: offset, key, at: place, &digest, pass)
            turn(bytes, at: offset &+ 32, key, at: place &+ 16, &digest, pass)
            offset &+= 64
            place &+= 32
        }
        return digest
    }

    @inline(__always)
    private func turn(_ bytes: RawSpan, at offset: Int, _ key: RawSpan, at place: Int, _ digest: inout Digest,
                      _ pass: (UInt64, UInt64, Int) -> Void) {
        let first = key.loadUnchecked(at: place)
        let second = key.loadUnchecked(at: place &+ 8)
        var (one, two) = (bytes.loadUnchecked(at: offset), bytes.loadUnchecked(at: offset &+ 8))
        pass(one, two, offset)
        digest.even.add(one &+ first, two &+ second)
        (one, two) = (bytes.loadUnchecked(at: offset &+ 16), bytes.loadUnchecked(at: offset &+ 24))
        pass(one, two, offset &+ 16)
        digest.odd.add(one &+ first, two &+ second)
    }
}

extension SipHash {
    @inline(never)
    fileprivate mutating func absorb(_ digest: NH.Digest) {
        absorb(digest.even.low)
        absorb(digest.even.high)
        absorb(digest.odd.low)
        absorb(digest.odd.high)
    }
}
