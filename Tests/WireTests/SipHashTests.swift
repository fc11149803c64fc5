import Testing
import Wire

/// SipHash-2-4 with 128 bits against the vectors that its authors publish: key 00…0f, input 00, 01, 02, …
struct SipHashTests {
    static let vectors: [(length: Int, tag: String)] = [
        (0, "a3817f04ba25a8e66df67214c7550293"), (1, "da87c1d86b99af44347659119b22fc45"),
        (2, "8177228da4a45dc7fca38bdef60affe4"), (7, "a1f1ebbed8dbc153c0b84aa61ff08239"),
        (8, "3b62a9ba6258f5610f83e264f31497b4"), (9, "264499060ad9baabc47f8b02bb6d71ed"),
        (15, "5493e99933b0a8117e08ec0f97cfc3d9"), (16, "6ee2a4ca67b054bbfd3315bf85230577"),
        (31, "2939b0183223fafc1723de4f52c43d35"), (32, "7c3956ca5eeafc3e363e9d556546eb68"),
        (62, "5853542321f567a005d547a4f04759bd"), (63, "5150d1772f50834a503e069a973fbd7c"),
    ]

    @Test(arguments: vectors) func publishedVector(length: Int, tag: String) {
        let key = SipHash.Key(low: 0x0706_0504_0302_0100, high: 0x0F0E_0D0C_0B0A_0908)
        let input = (0..<length).map { UInt8($0) }
        var hash = SipHash(key: key)
        let result = hash.finish(input.span.bytes, from: 0)
        #expect(hex(littleEndian(result.low) + littleEndian(result.high)) == tag)
    }

    @Test func absorbedWordsCountLikeBytes() {
        let key = SipHash.Key(low: 1, high: 2)
        let input = (0..<24).map { UInt8($0) }
        var whole = SipHash(key: key)
        var split = SipHash(key: key)
        split.absorb(input.span.bytes.load(UInt64.self, at: 0))
        split.absorb(input.span.bytes.load(UInt64.self, at: 8))
        #expect(split.finish(input.span.bytes, from: 16) == whole.finish(input.span.bytes, from: 0))
    }

    private func littleEndian(_ word: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
}

/// Bytes as hexadecimal digits.
func hex(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
}
