import Wire

/// One event of a history: one line of its file.
public enum HistoryEvent: Equatable, Sendable {
    case begin(transaction: String, node: String, nanoseconds: UInt64)
    /// Nil: more was read than the history lists.
    case read(transaction: String, node: String, Read?)
    /// Nil: more was written than the history lists.
    case write(transaction: String, node: String, Write?)
    case commit(transaction: String, node: String, time: GlobalTime, nanoseconds: UInt64)
    /// The node died at the commit, or was not watched: it may have committed.
    case unknown(transaction: String, node: String)
    case abort(transaction: String, node: String, nanoseconds: UInt64)
    /// The commit was undone by an epoch.
    case undone(transaction: String, node: String, time: GlobalTime)
    /// An epoch was opened; what it undid is undone.
    case opened(node: String, Opening)
    /// Nothing up to this time can be undone any more. `since` is there in the first event and in the last.
    case saved(node: String, time: GlobalTime, since: UInt64?, nanoseconds: UInt64)

    /// The names that `event` may have in a file.
    enum Name: String, CaseIterable, Sendable {
        case begin, read, write, commit, abort, undone, saved
    }
}
