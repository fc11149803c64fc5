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
        (2048, "1dc204334e97722d49a4637d1ed30f54"),
        (3100, "ffe2edddc46033ccc511a505344b92e5"),
        (4120, "031117ab1934c0f39e94501088862963"),
        (9000, "546fd3ecbc20987c1f262b7ac6c1d240"),
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
    @Test(arguments: [8, 16, 32, 1024, 4096]) func orderCounts(distance: Int) {
        guard let (payload, tag) = Self.answers.last else { return }
        var frame = Self.frame(payload: payload, tag: tag)
        let start = frame.count - 8192
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
