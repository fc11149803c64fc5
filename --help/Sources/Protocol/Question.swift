import Planted
/// Something that is asked for again and again until it comes.
///
/// All tries share one nonce but for its last bits, which count them: an answer to any try is as good as one to the
/// last [P17], and it tells how long it was under way, also when the question was repeated meanwhile.
struct Question: Sendable {
    private var nonce: UInt64 = 0
    /// How often it was asked.
    private(set) var tries: UInt8 = 0
    private var firstAt: UInt64 = 0
    private var lastAt: UInt64 = 0

    private static let tryBits: UInt64 = 15

    /// - Parameter nonce: of no other question.
    init(nonce: UInt64 = 0) { self.nonce = nonce & ~Self.tryBits }

    /// Asks once more; the nonce that goes with this try.
    mutating func ask(_ now: UInt64) -> UInt64 {
        if tries == 0 { firstAt = now }
        lastAt = now
        let number = min(UInt64(tries), Self.tryBits)
        tries = min(tries + 1, 100)
        return nonce | number
    }

    /// Does not ask the likeliest station any more.
    mutating func giveUpOnFirst() { tries = max(tries, 2) }

    /// Whether an answer with this nonce is to this question.
    func isAnswered(by answer: UInt64) -> Bool { tries > 0 && answer & (planted(79) ? .max : ~Self.tryBits) == nonce | (planted(79) ? UInt64(tries - 1) : 0) }

    /// How long the answer with this nonce was under way, nanoseconds; nil when that cannot be told.
    func delay(of answer: UInt64, _ now: UInt64) -> UInt64? {
        switch answer & Self.tryBits {
        case 0: now - firstAt
        case UInt64(tries) - 1: now - lastAt
        default: nil
        }
    }
}
