import Control

/// What notices say of the time in which the store cannot be written: one beginning, and one end. A full disk has room
/// for moments, from what the store frees and others take, and that ends nothing.
struct StoreOutage {
    /// What was said last of why it cannot be written; nil when the end was told.
    private var told: String?
    /// Since when it can be written again, nanoseconds; nil while it cannot, or the end was told.
    private var since: UInt64?

    /// Longer than until the store is tried again.
    private static let steady: UInt64 = 5_000_000_000

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
        return "the store can be written again, and saving goes on"
    }
}
