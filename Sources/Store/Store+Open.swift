import Wire

extension Store where Medium: ~Copyable {
    /// Makes a new, empty store.
    ///
    /// - Parameters:
    ///   - identity: Random, like the key: no other store has it.
    /// - Throws: `.exists` when anything of a store is there.
    public static func create(
        on disk: consuming Medium, cluster: UInt64, identity: UInt64, key: SipHash.Key, _ geometry: Geometry
    ) throws(StoreError) -> Store {
        let key = LogKey(hash: key, format: Superblock.format)
        return try create(on: disk, Superblock(cluster: cluster, identity: identity, key: key, geometry: geometry))
    }

    static func create(on disk: consuming Medium, _ superblock: Superblock) throws(StoreError) -> Store {
        let geometry = superblock.geometry
        precondition(geometry.isPossible, "an impossible geometry")
        var store = Store(disk, superblock, LogState(pageCount: geometry.pageCount), LogWriter())
        let found = try store.readSuperblocks()
        guard found.valid == nil, !found.hasSegments else { throw .exists }
        // Written behind each other, so that a store is there when the first of them is.
        try store.writeBothSuperblocks()
        try store.makeReserve()
        return store
    }

    /// Opens a store, and continues its log. Nothing else may have it open.
    ///
    /// - Parameters:
    ///   - cluster: Whose it must be; nil for anyone's.
    ///   - isLossAccepted: Go on where the sound part of a damaged log ends; what was flushed behind it is lost.
    /// - Throws: `.noStore`, `.newerFormat`, `.otherCluster`; `.damaged` when anything that was settled, or was flushed
    ///   before something that can still be read, cannot be read itself.
    public static func open(
        _ disk: consuming Medium, cluster: UInt64? = nil, isLossAccepted: Bool = false
    ) throws(StoreError) -> Store {
        var store = try examine(disk, cluster: cluster, isLossAccepted: isLossAccepted)
        store.stopped = nil
        try store.continueLog()
        return store
    }

    /// Opens a store only to read it, without a change to any file.
    public static func examine(
        _ disk: consuming Medium, cluster: UInt64? = nil, isLossAccepted: Bool = false
    ) throws(StoreError) -> Store {
        var store = try unread(disk, cluster: cluster)
        var recovery = Recovery(store.superblock, isLossAccepted: isLossAccepted)
        let findings = store.findings
        store.adopt(try recovery.run(&store.disk))
        store.findings += findings
        return store
    }

    /// A store of which nothing but the superblocks was read.
    static func unread(_ disk: consuming Medium, cluster: UInt64? = nil) throws(StoreError) -> Store {
        let nobody = Superblock(
            cluster: 0, identity: 0, key: LogKey(hash: SipHash.Key(low: 0, high: 0), format: 0),
            geometry: Geometry(pageCount: 0))
        var store = Store(disk, nobody, LogState(pageCount: 0), LogWriter())
        let found = try store.readSuperblocks()
        guard let superblock = found.valid else {
            // Without a segment nothing was ever written to it: somebody was interrupted in making it.
            throw found.hasSegments ? .damaged(.superblock(0), offset: 0) : .noStore
        }
        if let cluster, superblock.cluster != cluster { throw .otherCluster(superblock.cluster) }
        store.superblock = superblock
        store.olderFloor = found.olderFloor
        try store.lookForReserve()
        store.stopped = .readOnly
        store.findings = found.findings
        return store
    }

    /// Opens what is left of a damaged store, to read it or to make a fork of it: without a change to any file. Where
    /// the newest segments cannot be read, it is what an earlier one begins with: each says all that the log said up to
    /// there, and is believed only when every segment that it names is there.
    ///
    /// - Throws: `.damaged` when none of them can be believed.
    public static func salvage(_ disk: consuming Medium) throws(StoreError) -> Store {
        var store = try unread(disk)
        let findings = store.findings
        var first: StoreError?
        for segment in try store.segmentsToBegin() {
            var block = store.superblock
            block.floor.segment = segment
            var recovery = Recovery(block, isLossAccepted: true)
            do throws(StoreError) {
                store.adopt(try recovery.run(&store.disk))
                // Those that the fork begins with are lost: it counts as the store that it was made of.
                if let registers = store.state.registersBefore { store.state.registers = registers }
                store.findings += findings
                return store
            } catch {
                guard case .damaged = error else { throw error }
                first = first ?? error
            }
        }
        throw first ?? .noStore
    }

    /// The floor's segment, and those before it, the last first.
    private mutating func segmentsToBegin() throws(StoreError) -> [UInt64] {
        let floor = superblock.floor.segment
        do throws(DiskError) {
            let older = try disk.files().compactMap { if case .segment(let number) = $0 { number } else { nil } }
                .filter { $0 < floor }.sorted().reversed()
            return [floor] + older.prefix(Self.mostBegins)
        } catch {
            throw .disk(error, .superblock(0))
        }
    }

    /// More of what was saved last is worth nothing: each try reads a segment of each that it names.
    private static var mostBegins: Int { 64 }

    /// After an error in writing: looks at what is on the disk, and goes on from there.
    ///
    /// - Throws: The error that stopped it when that was in a flush: what was written before may be gone though it can
    ///   still be read, so that only a restart of the machine tells.
    public mutating func resume() throws(StoreError) {
        guard let error = stopped else { return }
        guard !isFlushLost, error != .readOnly else { throw error }
        var wasFull = false
        if case .disk(.full, _) = error {
            wasFull = true
            isSpaceWanted = true
            if hasReserve {
                try diskDelete(.reserve)
                hasReserve = false
            }
        }
        stopped = nil
        do throws(StoreError) {
            try reload()
            try continueLog()
        } catch {
            stopped = error
            throw error
        }
        // Only what was written shows that there is room; what comes next would begin a segment anyway.
        guard wasFull else { return }
        try attempt { store throws(StoreError) in
            try store.beginSegment()
            try store.flushLog()
        }
    }

    // MARK: Steps

    /// Forgets everything but what is on the disk.
    mutating func reload() throws(StoreError) {
        var recovery = Recovery(superblock)
        let found = try recovery.run(&disk)
        let dirty = log.dirty
        let areNamesDirty = log.areNamesDirty
        adopt(found)
        log.dirty += dirty.filter { !log.dirty.contains($0) }
        log.areNamesDirty = areNamesDirty
    }

    private mutating func adopt(_ found: Recovered) {
        state = found.state
        log = LogWriter()
        log.position = found.position
        log.nextNumber = found.nextNumber
        log.dirty = found.walked.map { .segment($0) }
        recoveredBytes = found.walkedBytes
        findings = found.findings
        leftovers = found.leftovers
        cleaning = nil
        if isCrowded { isSpaceWanted = true }
    }

    /// Makes durable what an earlier writer may have left unflushed, before anything is built on it.
    private mutating func continueLog() throws(StoreError) {
        for slot in 0..<2 where findings.contains(.superblock(slot)) { try repair(slot) }
        log.dirty += [.superblock(0), .superblock(1)]
        log.areNamesDirty = true
        // Not in the directory: a file that the walk found is there, and one that is not was never begun.
        try flushLog()
    }

    /// An unreadable superblock is written anew: two are there again.
    private mutating func repair(_ slot: Int) throws(StoreError) {
        do throws(DiskError) { try disk.create(.superblock(slot)) } catch {
            guard error == .exists else { throw .disk(error, .superblock(slot)) }
        }
        var copy = superblock
        if Int(copy.generation % 2) != slot { copy.generation += 1 }
        try diskWrite(copy.bytes(slot: slot), to: .superblock(slot), at: 0)
        superblock = copy
        olderFloor = copy.floor
    }

    mutating func writeBothSuperblocks() throws(StoreError) {
        for slot in 0..<2 {
            do throws(DiskError) { try disk.create(.superblock(slot)) } catch {
                guard error == .exists else { throw .disk(error, .superblock(slot)) }
            }
            superblock.generation = UInt64(slot)
            try diskWrite(superblock.bytes(slot: slot), to: .superblock(slot), at: 0)
            try diskFlush(.superblock(slot))
            try diskFlushNames()
            olderFloor = superblock.floor
        }
    }

    /// Only all of it is one: its maker may have been interrupted.
    private mutating func lookForReserve() throws(StoreError) {
        do throws(DiskError) {
            hasReserve = try disk.byteCount(of: .reserve) >= geometry.reserveBytes
        } catch {
            guard error == .missing else { throw .disk(error, .reserve) }
        }
    }

    /// Takes the space that cleaning a full disk will need. Without it the store works as well.
    mutating func makeReserve() throws(StoreError) {
        guard geometry.reserveBytes > 0, !hasReserve else { return }
        do throws(DiskError) {
            // One that is too short, because somebody was interrupted in making it, is filled up.
            do throws(DiskError) { try disk.create(.reserve) } catch { guard error == .exists else { throw error } }
            try disk.writeAll([UInt8](repeating: 0, count: geometry.reserveBytes), to: .reserve, at: 0)
            try disk.flush(.reserve)
            hasReserve = true
        } catch {
            guard error == .full else { throw .disk(error, .reserve) }
            try diskDelete(.reserve)
        }
    }

    private struct Superblocks {
        var valid: Superblock?
        var olderFloor = LogPosition()
        var findings: [Finding] = []
        var hasSegments = false
    }

    private mutating func readSuperblocks() throws(StoreError) -> Superblocks {
        var result = Superblocks()
        var newer: StoreError?
        for slot in 0..<2 {
            var found: Superblock?
            do throws(DiskError) {
                let bytes = try disk.bytes(of: .superblock(slot), at: 0, count: Superblock.byteCount)
                do throws(StoreError) { found = try Superblock.parse(bytes, slot: slot) } catch { newer = error }
            } catch {
                guard error == .missing else { throw .disk(error, .superblock(slot)) }
            }
            guard let found else {
                result.findings.append(.superblock(slot))
                continue
            }
            let other = result.valid
            if let other, other.generation > found.generation {
                result.olderFloor = found.floor
            } else {
                result.olderFloor = other?.floor ?? found.floor
                result.valid = found
            }
        }
        if let newer { throw newer }
        do throws(DiskError) {
            for file in try disk.files() {
                if case .segment = file { result.hasSegments = true }
            }
        } catch {
            throw .disk(error, .superblock(0))
        }
        return result
    }
}
