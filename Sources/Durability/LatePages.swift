/// Which pages of an image are still in the store only that an arbiter was started with. Each is read when somebody
/// wants it, or behind.
public struct LatePages: Sendable {
    private enum State: UInt8 {
        case here
        case unread
        /// It could not be read when somebody wanted it.
        case missed
    }

    private var states: [State]
    /// Pages of which it is not known whether they can be read back.
    public private(set) var count = 0

    /// - Parameter isSaved: Whether the store has the page.
    public init(pageCount: Int, where isSaved: (UInt32) -> Bool) {
        states = (0..<UInt32(pageCount)).map { isSaved($0) ? .unread : .here }
        count = states.count { $0 == .unread }
    }

    /// Whether the page is to be read yet.
    public func contains(_ page: UInt32) -> Bool { states[Int(page)] != .here }

    /// Whether the page is to be read for somebody who wants it: in vain once is often enough, before all are read.
    public func isWorthReading(_ page: UInt32) -> Bool { states[Int(page)] == .unread }

    /// The page was wanted, and could not be read.
    public mutating func miss(_ page: UInt32) {
        if states[Int(page)] == .unread { states[Int(page)] = .missed }
    }

    /// The page has other bytes, or was read, or is known to be lost.
    ///
    /// - Returns: Whether it was to be read yet: else what was read is older than what is there.
    @discardableResult
    public mutating func remove(_ page: UInt32) -> Bool {
        guard contains(page) else { return false }
        states[Int(page)] = .here
        count -= 1
        return true
    }
}
