import Wire

extension Store where Medium: ~Copyable {
    /// Makes another store out of the state at the time of a checkpoint, for a cluster of its own. The segments are
    /// shared, and neither store ever writes to them again: it costs as many names as there are segments. The fork
    /// begins with other registers; its checkpoints are those up to that one. Also of a store opened to be read.
    ///
    /// - Parameters:
    ///   - time: Of a checkpoint; the newest when none is named.
    ///   - target: Where nothing of a store is.
    ///   - identity: Random; no other store has it.
    ///   - registers: What the fork begins with. It is never there without them.
    public mutating func fork(
        at time: GlobalTime? = nil, into target: consuming Medium, cluster: UInt64, identity: UInt64,
        registers: [(key: UInt64, value: [UInt8])] = []
    ) throws(StoreError) -> Store {
        guard let time = time ?? state.newest?.time, state.place(of: time) != nil else { throw .noCheckpoint }
        precondition(identity != superblock.identity, "a fork is another store")
        // A store that was opened to be read has no head, and nothing to settle.
        if stopped != .readOnly {
            try attempt { store throws(StoreError) in
                if store.state.head != 0 { try store.closeHead() }
                try store.settle()
            }
        }
        var other = superblock
        other.cluster = cluster
        other.identity = identity
        other.floor = LogPosition()
        var fork = Store(target, other, state, LogWriter())
        try fork.requireNothing()
        try share(with: &fork)
        fork.state.abandon()
        fork.log.position = log.position
        fork.log.nextNumber = log.nextNumber
        fork.log.flushedSequence = log.position.sequence
        // What its writer may have left unflushed, and is shared.
        fork.log.dirty = state.segments.all.map { .segment($0.number) }.filter { log.dirty.contains($0) }
        try fork.beginSegment()
        try fork.append(.rewind, time: time, WordWriter())
        if !registers.isEmpty { try fork.set(registers) }
        try fork.appear()
        return fork
    }

    /// The visible step: without a superblock nothing of this is a store.
    mutating func appear() throws(StoreError) {
        try flushLog()
        superblock.floor = log.position
        try writeBothSuperblocks()
        try makeReserve()
    }

    mutating func requireNothing() throws(StoreError) {
        do throws(DiskError) {
            guard try disk.files().isEmpty else { throw DiskError.exists }
        } catch {
            throw error == .exists ? .exists : .disk(error, .superblock(0))
        }
    }

    private mutating func share(with fork: inout Store) throws(StoreError) {
        for segment in state.segments.all {
            let file = DiskFile.segment(segment.number)
            do throws(DiskError) { try disk.share(file, with: &fork.disk) } catch { throw .disk(error, file) }
        }
        fork.log.areNamesDirty = true
    }
}
