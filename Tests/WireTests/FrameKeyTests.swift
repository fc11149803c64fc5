import Testing
import Wire

/// The tags of frames, with and without blocks that NH takes.
struct FrameKeyTests {
    /// Payload bytes and the tag of `frame(payload:)`, computed by another program, from the definitions alone.
    static let answers: [(payload: Int, tag: String)] = [
        (0, "71e5efaf66fabf7f881f42233c18a03d"),
        (5, "364dbf74535e81ecbf03c249c4ac49e1"),
        (1023, "e1e0951024d11237ec7a12073ab1d5aa"),
        (1024, "51a69e1a569451c2f5c2715f550c07a6"),
        (1031, "21a970a6c5a4b73876b3f376901d8f4f"),
        (2048, "e6da9879ebf32adeb594484dcc33c26a"),
        (3100, "3f4dd2662529614c19262e6be9d5e53a"),
        (4120, "53868231c5d1620372cd3cdd502e0513"),
        (9000, "a2acdb5cb2beb79c3ff5e04bf3435fbe"),
    ]

    private static let key = FrameKey(SipHash.Key(low: 0x0706_0504_0302_0100, high: 0x0F0E_0D0C_0B0A_0908))

    /// Byte i is 7 i + i / 256, but for the tag.
    private static func frame(payload: Int, tag: String) -> [UInt8] {
        var bytes = (0..<Limits.headerBytes + payload).map { UInt8(truncatingIfNeeded: $0 * 7 + $0 / 256) }
        for place in 0..<16 { bytes[56 + place] = UInt8(tag.dropFirst(2 * place).prefix(2), radix: 16) ?? 0 }
        return bytes
    }

    @Test(arguments: answers) func knownAnswer(payload: Int, tag: String) {
        #expect(isAuthentic(Self.frame(payload: payload, tag: tag), Self.key))
    }

    @Test(arguments: answers) func eachByteCounts(payload: Int, tag: String) {
        let frame = Self.frame(payload: payload, tag: tag)
        for place in 16..<frame.count {
            var hostile = frame
            hostile[place] ^= 1 << UInt8(place % 8)
            #expect(!isAuthentic(hostile, Self.key), "byte \(place)")
        }
    }

    /// What lies in one place of the key differs in others: within the words of a turn, between turns, and between
    /// blocks.
    @Test(arguments: [8, 16, 32, 1024, 2048]) func orderCounts(distance: Int) {
        guard let (payload, tag) = Self.answers.last else { return }
        var frame = Self.frame(payload: payload, tag: tag)
        let start = frame.count - 4096
        for place in 0..<8 { frame.swapAt(start + place, start + distance + place) }
        #expect(!isAuthentic(frame, Self.key))
    }

    @Test func theKeyCounts() {
        let other = FrameKey(SipHash.Key(low: 0x0706_0504_0302_0100, high: 0x0F0E_0D0C_0B0A_0909))
        for (payload, tag) in Self.answers {
            let frame = Self.frame(payload: payload, tag: tag)
            #expect(!isAuthentic(frame, other))
        }
    }
}
