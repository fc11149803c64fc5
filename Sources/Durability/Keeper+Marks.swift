import Store
import Wire

/// A checkpoint that was asked for, and what it cost.
public struct KeptCheckpoint: Sendable {
    public var checkpoint: Checkpoint
    /// Of the round that made it.
    public var pages: Int
    public var bytes: Int
    public var flushes: Int
}

/// What became of the wish to keep a state.
public enum MarkOutcome: Sendable {
    case kept(KeptCheckpoint)
    /// That state is a checkpoint of other labels already, with which this one would be too long.
    case taken(Checkpoint)
    /// Another state has this label already.
    case elsewhere(String)
    /// As many checkpoints have labels as the store can list.
    case full(Int)
}

/// States that somebody wants to keep.
extension Keeper where Medium: ~Copyable {
    /// A state that somebody wants to keep, as soon as there is one at or after a time.
    struct Mark: Sendable {
        var number: Int
        var label: String
        var notBefore: GlobalTime
        /// When it was asked for, microseconds since 1970.
        var now: UInt64
        var outcome: MarkOutcome?
    }

    /// Wants the next state at or after `time` to be kept, under a label if it is not empty.
    ///
    /// - Parameter now: Microseconds since 1970.
    /// - Returns: Under what `outcome(of:)` tells what became of it.
    public mutating func mark(_ label: String, notBefore time: GlobalTime, now: UInt64) -> Int {
        nextMark += 1
        var mark = Mark(number: nextMark, label: label, notBefore: time, now: now)
        // Known at once, and looked at again when there is a state.
        if !label.isEmpty, isFullOfLabels { mark.outcome = .full(state.store.geometry.mostCheckpoints) }
        marks.append(mark)
        keepNewest()
        return nextMark
    }

    /// The state is at `time`, and an earlier one than a mark waited for: an epoch has undone what was between.
    public mutating func lower(mark: Int, to time: GlobalTime) {
        for place in marks.indices where marks[place].number == mark && marks[place].notBefore > time {
            marks[place].notBefore = time
            keepNewest()
        }
    }

    /// Keeps the newest state for those who wait for no later one, if no round is under way that will be it.
    mutating func keepNewest() {
        guard let mark = marks.first(where: { $0.outcome == nil && $0.notBefore <= state.time }), isDurable,
            round.isEmpty, !isFailing, state.time > .zero
        else { return }
        attempt { keeper throws(StoreError) in
            keeper.roundStart = (keeper.state.store.bytesWritten, keeper.state.store.flushCount)
            try keeper.keep(keeper.state.time, mark.now, pages: 0)
        }
    }

    /// What became of a mark; nil while nothing has.
    public func outcome(of mark: Int) -> MarkOutcome? {
        for one in marks where one.number == mark { return one.outcome }
        return nil
    }

    public mutating func forget(mark: Int) { marks.removeAll { $0.number == mark } }

    /// Forgets checkpoints, labelled or not; durable when this returns. The newest state stays until there is a newer
    /// one, but without its label.
    ///
    /// - Throws: `.noCheckpoint` when one of them does not exist; then all stay. Or why the store cannot be written.
    public mutating func forget(_ times: [GlobalTime]) throws(StoreError) {
        guard times.allSatisfy({ state.store.checkpoint(at: $0) != nil }) else { throw .noCheckpoint }
        let wasFailing = isFailing
        do throws(StoreError) {
            if wasFailing { try resume() }
            try state.forget(times)
            try settle()
        } catch {
            fail(error)
            throw error
        }
        // On a full disk this is what helps.
        if wasFailing {
            attempt { keeper throws(StoreError) in
                try keeper.cleanAll()
                try keeper.goOn()
            }
        }
    }

    func isMarked(_ time: GlobalTime) -> Bool {
        marks.contains { $0.outcome == nil && $0.notBefore <= time }
    }

    /// The state at `time` is a checkpoint that stays, with all labels that are wanted for it, unless none of them can
    /// be its own.
    mutating func keep(_ time: GlobalTime, _ now: UInt64, pages: Int) throws(StoreError) {
        let due = marks.indices.filter { marks[$0].outcome == nil && marks[$0].notBefore <= time }
        let old = state.store.checkpoint(at: time)
        var checkpoint = old ?? Checkpoint(time: time, created: now, isKept: false)
        for label in due.map({ marks[$0].label }) {
            let isIts = label.isEmpty || checkpoint.labels.contains(label)
                || canLabel(checkpoint, label) && checkpoint.add(label: label)
            if isIts { checkpoint.isKept = true }
        }
        // Kept already, it is as old as it is, and nothing is written.
        if checkpoint != old {
            try state.end(checkpoint)
            if isForgetting { try state.expire(now: now) }
            try settle()
        }
        let kept = KeptCheckpoint(
            checkpoint: checkpoint, pages: pages, bytes: state.store.bytesWritten - roundStart.bytes,
            flushes: state.store.flushCount - roundStart.flushes)
        for place in due { marks[place].outcome = outcome(marks[place].label, kept) }
    }

    private func outcome(_ label: String, _ kept: KeptCheckpoint) -> MarkOutcome {
        if label.isEmpty || kept.checkpoint.labels.contains(label) { return .kept(kept) }
        if state.store.checkpoint(labelled: label) != nil { return .elsewhere(label) }
        return kept.checkpoint.label.isEmpty ? .full(state.store.geometry.mostCheckpoints) : .taken(kept.checkpoint)
    }

    /// Looked at when the label is given, too: others may have been since it was asked for.
    private func canLabel(_ checkpoint: Checkpoint, _ label: String) -> Bool {
        state.store.checkpoint(labelled: label) == nil && (!checkpoint.label.isEmpty || !isFullOfLabels)
    }

    private var isFullOfLabels: Bool {
        state.store.checkpoints.count { !$0.label.isEmpty } >= state.store.geometry.mostCheckpoints
    }
}
