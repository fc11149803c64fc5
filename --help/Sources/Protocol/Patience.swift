/// How long an answer is waited for before it is asked for again [P25].
///
/// A link may be slower than `Tuning.retry` supposes: another site, a busy host. Who asks again before an answer can be
/// there only adds to the load. So the wait is twice the smoothed time that answers took (RFC 6298, section 2, has the
/// weight). Only answers of which it is known to which try they belong are counted: else a link that loses much would
/// look ever longer.
struct Patience: Sendable {
    /// Nanoseconds; 0 before the first answer.
    private var smoothed: UInt64 = 0

    /// An answer has come so long after the thing was first asked for.
    mutating func note(_ nanoseconds: UInt64) {
        let sample = min(nanoseconds, Self.longestSample)
        smoothed = smoothed == 0 ? sample : smoothed - smoothed / 8 + sample / 8
    }

    /// How many requests keep a link busy whose answers take this long, when `base` do on a short one.
    func window(_ base: Int) -> Int { base * Int(min(8, max(1, smoothed / (2 * Tuning.millisecond)))) }

    /// A time for something that needs so many answers one after the other, but at least `time`.
    func atLeast(_ answers: UInt64, _ time: UInt64) -> UInt64 { max(time, answers * smoothed) }

    /// How far apart the parts of one answer may come: half of what an answer takes.
    var spread: UInt64 { smoothed / 2 }

    static let longestSample: UInt64 = 500 * Tuning.millisecond

    /// The wait after try number `tries`, counted from 0: doubled with each, up to a bound.
    func wait(_ tries: UInt8, _ tuning: Tuning) -> UInt64 {
        let first = max(tuning.retry, 2 * smoothed)
        return min(max(first, tuning.retryMaximum), first << UInt64(min(tries, 3)))
    }
}
