/// What a run is judged by. Each check knows nothing of how the protocol works, only what it promised.
public enum Check: String, Sendable, CaseIterable {
    /// Surviving writers, and readers at their time, saw the last writes before them.
    case serialisability
    /// What an aborted transaction had read was one state, too.
    case opacity
    /// Commits are decided and applied one after the other, the same everywhere.
    case order
    /// A copy of a page is, whole, the version that it is said to be.
    case content
    /// One holder of an epoch's token.
    case token
    /// An epoch opens at or after everything saved, at a commit, once, and not by an arbiter that nobody answered.
    case epoch
    /// No epoch opens where nothing can be missing, and none undoes what nobody had to lose.
    case needless
    /// Who has answered a poll stands still, and keeps what it has named.
    case promise
    /// The arbiter's image is the state at the saved time.
    case saved
    /// Only what is saved leaves the cluster.
    case output
    /// A strict read is not older than anything saved before it began.
    case strictness
    /// In a quiet cluster everyone hears of everything within a bound.
    case staleness
    /// What the programs keep true among their pages.
    case invariant
    /// Neither forged frames nor frames seen before come in.
    case admission
    /// Everyone commits again after the faults have stopped.
    case liveness
    /// In the end everything is the same everywhere, and saved.
    case settlement
    /// No frame of memory is lost.
    case leak
    /// Frames do not breed.
    case storm
}

/// A promise that was broken.
public struct Failure: Sendable, CustomStringConvertible {
    public var check: Check
    public var text: String
    public var description: String { "\(check.rawValue): \(text)" }
}
