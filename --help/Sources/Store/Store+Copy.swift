import Wire

extension Store where Medium: ~Copyable {
    /// Makes another store like `fork`, which is sound whatever is damaged in the segments of this one: where anything
    /// is, a copy.
    public mutating func soundFork(
        at time: GlobalTime, into target: consuming Medium, cluster: UInt64, identity: UInt64,
        registers: [(key: UInt64, value: [UInt8])] = []
    ) throws(StoreError) -> Store {
        let known = findings.count
        if try verify().findings.count == known {
            return try fork(at: time, into: target, cluster: cluster, identity: identity, registers: registers)
        }
        return try copy(upTo: time, into: target, cluster: cluster, identity: identity, registers: registers)
    }

    /// Makes another store like `fork`, but writes all of it anew, in the format of today: of the checkpoints up to
    /// that one those that are whole. Nothing is shared, so that what is damaged here is not damaged there.
    ///
    /// - Returns: A store without that checkpoint when not all of it can be read.
    mutating func copy(
        upTo time: GlobalTime, into target: consuming Medium, cluster: UInt64, identity: UInt64,
        registers: [(key: UInt64, value: [UInt8])]
    ) throws(StoreError) -> Store {
        guard state.place(of: time) != nil else { throw .noCheckpoint }
        let key = LogKey(hash: superblock.key.hash, format: Superblock.format)
        let block = Superblock(cluster: cluster, identity: identity, key: key, geometry: geometry)
        var copy = Store(target, block, LogState(pageCount: geometry.pageCount), LogWriter())
        try copy.requireNothing()
        try copy.setRetention(state.retention)
        for checkpoint in checkpoints where checkpoint.time <= time {
            let changed = pages(of: checkpoint.time, unlike: copy)
            guard try areReadable(changed) else { continue }
            for (page, version) in changed {
                let record = try record(of: page, version)
                let payload = record.span.bytes.extracting(RecordHead.byteCount..<record.count)
                try copy.put(page, version: version.version, payload)
            }
            try copy.endCheckpoint(checkpoint)
        }
        if !registers.isEmpty { try copy.set(registers) }
        try copy.appear()
        return copy
    }

    /// The pages at the time of a checkpoint of which the newest one of a copy has another version.
    private func pages(
        of time: GlobalTime, unlike copy: borrowing Store
    ) -> [(page: UInt32, version: PageIndex.Version)] {
        var pages: [(page: UInt32, version: PageIndex.Version)] = []
        for page in 0..<UInt32(geometry.pageCount) {
            guard let version = state.index.find(page, at: time), version.version != copy.version(of: page)
            else { continue }
            pages.append((page, version))
        }
        return pages
    }

    private mutating func areReadable(
        _ pages: [(page: UInt32, version: PageIndex.Version)]
    ) throws(StoreError) -> Bool {
        for (page, version) in pages {
            do throws(StoreError) { _ = try record(of: page, version) } catch {
                guard case .damaged = error else { throw error }
                return false
            }
        }
        return true
    }
}
