import Wire

extension Store where Medium: ~Copyable {
    /// Sets registers, all of them or none: an empty value removes one. Appended only.
    public mutating func set(_ registers: [(key: UInt64, value: [UInt8])]) throws(StoreError) {
        var writer = WordWriter()
        writer.append(UInt64(registers.count))
        for register in registers {
            writer.append(register.key)
            writer.append(counted: register.value)
        }
        // They come back in the summary of every segment, beside everything else.
        guard writer.bytes.count + state.summary.count <= geometry.segmentBytes / 2 else { throw .tooLarge }
        try append(.registers, writer)
    }

    // MARK: Checkpoints

    /// Whether pages were put for a checkpoint that has not ended.
    public var isCheckpointOpen: Bool { state.open != nil }

    /// Adds a page to the checkpoint that is being written, and begins one when none is. Only what has changed since
    /// the last one belongs into it; of a page that is put twice, the higher version counts. Appended only.
    ///
    /// - Parameter version: The commit time that last changed the page; not later than the checkpoint will be.
    public mutating func put(_ page: UInt32, version: GlobalTime, _ bytes: RawSpan) throws(StoreError) {
        precondition(Int(page) < geometry.pageCount && bytes.byteCount == geometry.pageBytes, "a page of this memory")
        try beginCheckpoint()
        guard let begin = state.open?.begin else { throw .readOnly }
        try append(.page, page: page, time: version, checkpoint: begin, bytes)
    }

    private mutating func beginCheckpoint() throws(StoreError) {
        if state.open == nil { try append(.begin, WordWriter()) }
    }

    /// Ends the checkpoint that is being written: from now on it is the newest state. Appended only; after a crash it
    /// is there as a whole, or not at all.
    ///
    /// The one before it goes unless it is kept. A checkpoint of the newest one's time, to which no page was put, is
    /// that one: it is then kept if either is.
    public mutating func endCheckpoint(_ checkpoint: Checkpoint) throws(StoreError) {
        let count = state.open?.pages.count ?? 0
        let newest = state.newest?.time ?? .zero
        precondition(checkpoint.time > newest || checkpoint.time == newest && count == 0, "time goes forward")
        precondition(
            state.open?.pages.allSatisfy { $0.entry.version <= checkpoint.time } ?? true,
            "a state holds nothing that comes after it")
        try beginCheckpoint()
        var writer = WordWriter()
        writer.append(UInt64(count))
        checkpoint.emit(into: &writer)
        try append(.end, time: checkpoint.time, writer)
    }

    /// Gives the checkpoint up that is being written; what was put for it counts for nothing.
    public mutating func abandonCheckpoint() {
        state.abandon()
    }

    /// Ends the checkpoint that is being written and settles it: two barriers.
    public mutating func commitCheckpoint(_ checkpoint: Checkpoint) throws(StoreError) {
        try endCheckpoint(checkpoint)
        try settle()
    }

    // MARK: Retention

    public mutating func setRetention(_ retention: Retention) throws(StoreError) {
        guard retention != state.retention else { return }
        var writer = WordWriter()
        writer.append(UInt64(retention.count))
        writer.append(retention.age)
        try append(.retention, writer)
    }

    /// Forgets the checkpoints that the retention gives up, and the oldest of more than `Geometry.mostCheckpoints`. The
    /// newest one, and those with a label, stay.
    ///
    /// - Parameter now: Microseconds since 1970.
    /// - Returns: The times of those that were forgotten.
    public mutating func expire(now: UInt64) throws(StoreError) -> [GlobalTime] {
        let unlabelled = state.checkpoints.filter { $0.isKept && $0.label.isEmpty }
        let firstNew = state.checkpoints.dropLast(max(1, state.retention.count)).endIndex
        let newTime = firstNew < state.checkpoints.count ? state.checkpoints[firstNew].time : .zero
        let oldest = now - min(now, state.retention.age)
        let excess = unlabelled.count - geometry.mostCheckpoints
        let gone = unlabelled.enumerated()
            .filter { $0.offset < excess || $0.element.time < newTime && $0.element.created <= oldest }
            .map(\.element.time)
        try forget(gone)
        return gone
    }

    /// Forgets checkpoints, labelled or not. The newest one stays until a newer one comes, but without its label.
    ///
    /// - Throws: `.noCheckpoint` when one of them does not exist; then all stay.
    public mutating func forget(_ times: [GlobalTime]) throws(StoreError) {
        guard !times.isEmpty else { return }
        for time in times where state.place(of: time) == nil { throw .noCheckpoint }
        var writer = WordWriter()
        writer.append(UInt64(times.count))
        for time in times { writer.append(time.raw) }
        try append(.forgotten, writer)
        isSpaceWanted = true
    }
}
