import Control

/// What notices say of the time in which the store cannot be written: one beginning, and one end. A full disk has room
/// for moments, from what the store frees and others take, and that ends nothing.
struct StoreOutage {
    /// What was said last of why it cannot be written; nil when the end was told.
    private(set) var told: String?
    /// Since when it can be written again, nanoseconds; nil while it cannot, or the end was told.
    private var since: UInt64?

    /// Longer than until the store is tried again.
    private static let steady: UInt64 = 5_000_000_000
    /// With what is begun what is told.
    static let beginning = "nothing is saved: "
    private static let ending = "the store can be written again, and saving goes on"

    /// Goes on where an earlier page server was killed in the middle.
    ///
    /// - Parameters:
    ///   - lines: What was told before, as in `NoticeFile`. What it does not say nobody was told, and needs no end.
    ///   - now: When the store was opened, which can be written as far as is known.
    init(after lines: [String] = [], now: UInt64 = 0) {
        for line in lines {
            let words = line.drop { $0 != " " }.dropFirst()
            if words.hasPrefix(Self.beginning) { told = String(words) }
            if words == Self.ending { told = nil }
        }
        if told != nil { since = now }
    }

    /// - Parameter trouble: nil when the store can be written.
    /// - Returns: What is to be told.
    mutating func hear(_ trouble: Failure?, now: UInt64) -> String? {
        guard let words = trouble?.description else {
            if told != nil { since = now }
            return nil
        }
        since = nil
        guard words != told else { return nil }
        told = words
        return words
    }

    /// When its end is to be told, should nothing happen until then.
    var deadline: UInt64 { since.map { $0 + Self.steady } ?? .max }

    /// - Returns: What is to be told.
    mutating func end(now: UInt64) -> String? {
        guard since != nil, deadline <= now else { return nil }
        self = StoreOutage()
        return Self.ending
    }
}
