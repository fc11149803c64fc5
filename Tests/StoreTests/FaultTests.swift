import Testing
import Wire

@testable import Simulation
@testable import Store

/// Disks that fail and disks that lie: nothing wrong is ever served.
@Suite struct FaultTests {
    private typealias Faulty = FaultyDisk<SimulatedDisk>

    /// The disk says that it failed: the store stops writing, still has a state that it may have, and goes on when the
    /// fault is gone.
    @Test(arguments: [Faulty.Fault.readError, .writeError, .createError, .deleteError, .flushError, .nameError])
    fileprivate func aFailingDiskIsReported(fault: FaultyDisk<SimulatedDisk>.Fault) throws {
        var struck = 0
        for seed in 1...150 as ClosedRange<UInt64> {
            var random = Generator(seed)
            var store = try Sample.store(on: FaultyDisk(SimulatedDisk()))
            store.disk.fault = fault
            store.disk.countdown = random.below(30)
            // What reads and deletes is the cleaner; it has something to do where much is overwritten.
            let isCleaner = fault == .readError || fault == .deleteError
            if isCleaner { store.disk.countdown = 0 }
            let weights = isCleaner ? StoreWorkload.cleaning : StoreWorkload.everything
            var workload = StoreWorkload(Sample.tiny, seed: seed, weights)
            var reported: StoreError?
            for _ in 0..<(isCleaner ? 2000 : 150) where reported == nil {
                do throws(StoreError) { try workload.step(&store) } catch { reported = error }
            }
            guard store.disk.hasStruck else { continue }
            struck += 1
            let isFlush = fault == .flushError || fault == .nameError
            // A page that cannot be read for once may be met by the cleaner, which leaves its segment alone.
            let reportedOrFound = reported != nil || store.findings.contains { $0.isLoss }
            try #require(reportedOrFound, "seed \(seed)")
            let allowed = workload.pictures[workload.durable...]
            try #require(allowed.contains(try store.picture()), "seed \(seed)")
            if reported != nil, store.stopped != nil {
                #expect(throws: StoreError.readOnly) { try store.set([(1, [1])]) }
                if isFlush {
                    #expect(throws: StoreError.self) { try store.resume() }
                } else {
                    try store.resume()
                    try store.set([(77, [1])])
                    try store.settle()
                    let value = store.register(77)
                    #expect(value == [1])
                }
            }
            if !isFlush {
                var again = try Store.open(store.disk)
                try #require(try again.verify().isSound)
            }
        }
        #expect(struck > 15)
    }

    /// The disk says that it did what it did not. After all was settled, the store has the right state or refuses.
    @Test(arguments: [Faulty.Fault.lostWrite, .misdirectedWrite, .strayWrite, .flippedWrite, .shortenedWrite])
    fileprivate func aLyingDiskIsFoundOut(fault: FaultyDisk<SimulatedDisk>.Fault) throws {
        var refused = 0
        var harmless = 0
        for seed in 1...400 as ClosedRange<UInt64> {
            var random = Generator(seed)
            var store = try Sample.store(on: FaultyDisk(SimulatedDisk()))
            store.disk.fault = fault
            store.disk.countdown = random.below(30)
            store.disk.detail = random.below(1 << 20)
            var workload = StoreWorkload(Sample.tiny, seed: seed)
            var hasStopped = false
            for _ in 0..<80 {
                do throws(StoreError) { try workload.step(&store) } catch {
                    hasStopped = true
                    break
                }
            }
            guard store.disk.hasStruck, !hasStopped else { continue }
            try store.settle()
            let inventory = try Store.check(store.disk.base)
            do {
                var again = try Store.open(store.disk.base)
                let found = try again.picture()
                try #require(found == workload.model.picture, "seed \(seed)")
                harmless += 1
            } catch let error as StoreError {
                guard case .damaged = error else { throw error }
                #expect(!inventory.isSound, "seed \(seed)")
                refused += 1
            }
        }
        #expect(refused > 20)
        print("\(fault): \(refused) stores refused, \(harmless) not harmed")
    }

    /// A full disk refuses what does not fit and keeps what is there; after something was forgotten it goes on.
    @Test func aFullDiskKeepsTheOldState() throws {
        let geometry = Geometry(pageBytes: 64, pageCount: 64, segmentBytes: 8192, reserveBytes: 16384)
        var disk = SimulatedDisk()
        disk.capacity = 128 << 10
        var store = try Sample.store(on: disk, geometry)
        var model = StoreModel(geometry)
        var counter: UInt64 = 0
        var refusals = 0
        for round in 0..<200 {
            let before = try store.picture()
            var next = model
            do throws(StoreError) {
                for page in 0..<UInt32(40) {
                    counter += 1
                    let bytes = Sample.page(UInt8(truncatingIfNeeded: counter), geometry)
                    next.put(page, Sample.time(counter), bytes)
                    try store.put(page, Sample.time(counter), bytes)
                }
                let checkpoint = Checkpoint(time: Sample.time(counter), created: counter, isKept: true)
                next.end(checkpoint)
                try store.commitCheckpoint(checkpoint)
                model = next
            } catch {
                guard case .disk(.full, _) = error else { throw error }
                refusals += 1
                #expect(try store.picture() == before, "round \(round)")
                try store.resume()
                let old = store.checkpoints.dropLast(3).map(\.time)
                try store.forget(Array(old))
                model.forget(Array(old))
                while try store.clean(budget: 4096) {}
                let hasReserve = store.hasReserve
                #expect(hasReserve, "round \(round)")
            }
            #expect(try store.picture() == model.picture, "round \(round)")
        }
        #expect(refusals > 5)
        #expect(try store.verify().isSound)
    }

    /// A directory of something else, of a newer format, of another cluster, and one in use.
    @Test func whatIsNoStoreOfThisClusterIsRefused() throws {
        #expect(throws: StoreError.noStore) { _ = try Store.open(SimulatedDisk()).cluster }
        var store = try Sample.store(on: SimulatedDisk())
        try store.set([(1, [1])])
        try store.settle()
        let disk = store.disk
        #expect(throws: StoreError.exists) { _ = try Sample.store(on: disk).cluster }
        #expect(throws: StoreError.otherCluster(7)) { _ = try Store.open(disk, cluster: 8).cluster }
        var newer = disk
        for slot in 0..<2 { newer[.superblock(slot)] = Self.newer(newer[.superblock(slot)], slot: slot) }
        #expect(throws: StoreError.newerFormat(9)) { _ = try Store.open(newer).cluster }
        var broken = disk
        for slot in 0..<2 { broken[.superblock(slot)][20] ^= 1 }
        #expect(throws: StoreError.damaged(.superblock(0), offset: 0)) { _ = try Store.open(broken).cluster }
        var missing = disk
        missing.lose(.segment(1))
        #expect(throws: StoreError.damaged(.segment(1), offset: 0)) { _ = try Store.open(missing).cluster }
    }

    private static func newer(_ bytes: [UInt8], slot: Int) -> [UInt8] {
        var words = WordWriter()
        for index in 0..<15 {
            let word = bytes.span.bytes.load(UInt64.self, at: 8 * index)
            words.append(index == 1 ? word & ~0xFFFF_FFFF | 9 : word)
        }
        words.append(Superblock.tag(words.bytes.span.bytes, slot: slot))
        return words.bytes
    }

    /// What was flushed and not settled is vouched for by what was written after it. Only the very last of it looks
    /// like something that was never finished, and is reported as that.
    @Test(arguments: [1, 40]) func laterRecordsVouchForEarlierOnes(rounds: Int) throws {
        var store = try Sample.store(on: SimulatedDisk())
        try store.settle()
        for round in 0..<rounds { try store.set([(UInt64(round % 3), [UInt8](repeating: 1, count: 100))]) }
        try store.flush()
        let end = store.disk[.segment(1)].count
        for round in 0..<rounds { try store.set([(UInt64(round % 3), [UInt8](repeating: 2, count: 100))]) }
        try store.flush()
        let disk = store.disk
        var first = disk
        first[.segment(1)][end - 30] ^= 1
        do throws(StoreError) {
            _ = try Store.open(first).cluster
            Issue.record("a durable fact is missed without notice")
        } catch {
            guard case .damaged(.segment(1), _) = error else { throw error }
        }
        var last = disk
        let file = DiskFile.segment(store.state.head)
        last[file][last[file].count - 30] ^= 1
        let found = try Store.open(last)
        let findings = found.findings
        guard case .unfinished(file, _, _) = findings.first else {
            Issue.record("an unfinished end is reported: \(findings)")
            return
        }
    }

    /// Room that was written ahead is nothing, to who goes on and to who checks; anything else there is reported.
    @Test(arguments: [1, 48, 5000]) func zerosBehindTheEndAreNothing(count: Int) throws {
        var store = try Sample.store(on: SimulatedDisk())
        try store.put(1, Sample.time(1), Sample.page(7))
        try store.commitCheckpoint(Checkpoint(time: Sample.time(1), created: 1, isKept: true))
        var disk = store.disk
        let file = DiskFile.segment(store.state.head)
        disk[file] += [UInt8](repeating: 0, count: count)
        var found = try Store.open(disk)
        #expect(found.findings.isEmpty)
        #expect(try found.verify().findings.isEmpty)
        #expect(found.checkpoints == store.checkpoints)
        disk[file][disk[file].count - 1] = 1
        let other = try Store.open(disk)
        #expect(other.findings.contains { if case .unfinished(file, _, _) = $0 { true } else { false } })
    }

    /// Who insists goes on where the sound part ends.
    @Test func lossCanBeAccepted() throws {
        var store = try Sample.store(on: SimulatedDisk())
        for counter in 1...4 as ClosedRange<UInt64> {
            try store.put(1, Sample.time(counter), Sample.page(UInt8(counter)))
            try store.commitCheckpoint(Checkpoint(time: Sample.time(counter), created: 0, isKept: true))
        }
        var disk = store.disk
        let place = disk[.segment(1)].count - 200
        disk[.segment(1)][place] ^= 4
        #expect(throws: StoreError.self) { _ = try Store.open(disk).cluster }
        var saved = try Store.open(disk, isLossAccepted: true)
        let counters = saved.checkpoints.map(\.time.counter)
        #expect(counters == [1, 2, 3])
        #expect(try saved.content(of: 1).1 == Sample.page(3))
        try saved.put(1, Sample.time(9), Sample.page(9))
        try saved.commitCheckpoint(Checkpoint(time: Sample.time(9), created: 0, isKept: true))
        var again = try Store.open(saved.disk)
        #expect(try again.content(of: 1).1 == Sample.page(9))
    }
}
