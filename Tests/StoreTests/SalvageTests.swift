import Testing
import Wire

@testable import Simulation
@testable import Store

/// What is left of a damaged store: all of it right, whatever is damaged, and nothing of the damaged one changed.
@Suite struct SalvageTests {
    private typealias Memory = [[UInt8]]

    /// Kept, labelled and forgotten checkpoints in many segments; what was at each time.
    ///
    /// - Parameter isCleaned: all the time, so that what older segments name is soon deleted.
    private static func image(isCleaned: Bool) throws -> (disk: SimulatedDisk, was: [GlobalTime: Memory]) {
        var store = try Sample.store(on: SimulatedDisk())
        var memory = Memory(repeating: Sample.page(0), count: Sample.tiny.pageCount)
        var was: [GlobalTime: Memory] = [:]
        var random = Generator(3)
        try store.setRetention(Retention(count: 3))
        for counter in 1...120 as ClosedRange<UInt64> {
            let time = Sample.time(counter)
            try store.set([(1, [UInt8(counter)])])
            for _ in 0..<3 {
                let page = random.below(memory.count)
                memory[page] = Sample.page(UInt8(counter))
                try store.put(UInt32(page), time, memory[page])
            }
            was[time] = memory
            let label = counter % 30 == 0 ? "l\(counter)" : ""
            try store.commitCheckpoint(
                Checkpoint(time: time, created: counter, label: label, isKept: counter % 4 == 0 || !label.isEmpty))
            _ = try store.expire(now: counter)
            while try isCleaned && store.clean(budget: 512) {}
            try store.settle()
        }
        return (store.disk, was)
    }

    /// Salvages and makes a fork of the newest state that is whole.
    ///
    /// - Returns: Its time; nil when nothing is left.
    private func salvaged(_ disk: SimulatedDisk, _ was: [GlobalTime: Memory]) throws -> GlobalTime? {
        var store: Store<SimulatedDisk>
        do throws(StoreError) { store = try .salvage(disk) } catch {
            guard case .damaged = error else { throw error }
            return nil
        }
        var newest: GlobalTime?
        for time in store.checkpoints.map(\.time).reversed() {
            let expected = try #require(was[time])
            var isWhole = true
            for page in expected.indices {
                do throws(StoreError) {
                    if try store.content(of: UInt32(page), at: time).bytes != expected[page] {
                        Issue.record("page \(page) at \(time) is another one")
                    }
                } catch {
                    guard case .damaged = error else { throw error }
                    isWhole = false
                }
            }
            if isWhole, newest == nil { newest = time }
        }
        #expect(store.disk.files().allSatisfy { store.disk[$0] == disk[$0] } && store.disk.files() == disk.files())
        guard let newest else { return nil }
        let fork = try store.soundFork(at: newest, into: SimulatedDisk(), cluster: 8, identity: 5)
        #expect(try Store.check(fork.disk).isSound)
        var again = try Store.open(fork.disk, cluster: 8)
        for checkpoint in again.checkpoints {
            #expect(store.checkpoints.contains(checkpoint))
            for page in 0..<Sample.tiny.pageCount {
                #expect(try again.content(of: UInt32(page), at: checkpoint.time).bytes == was[checkpoint.time]?[page])
            }
        }
        for page in 0..<Sample.tiny.pageCount {
            #expect(try again.content(of: UInt32(page)).bytes == was[newest]?[page])
        }
        let time = again.checkpoints.last?.time
        #expect(time == newest)
        // And it goes on.
        try again.put(0, Sample.time(1, epoch: 9), Sample.page(0xAB))
        try again.commitCheckpoint(Checkpoint(time: Sample.time(1, epoch: 9), created: 0, isKept: true))
        #expect(try again.content(of: 0).bytes == Sample.page(0xAB))
        return newest
    }

    /// Where the summary of a segment ends.
    private func summaryEnd(_ segment: UInt64, _ disk: SimulatedDisk) throws -> Int {
        var disk = disk
        let reader = try #require(try SegmentReader(segment, Sample.logKey, &disk))
        let head = try #require(try reader.record(at: reader.start))
        return reader.start.offset + head.byteCount
    }

    @Test(arguments: [false, true]) func whatIsLeftIsRight(isCleaned: Bool) throws {
        let (disk, was) = try Self.image(isCleaned: isCleaned)
        let segments = try Store.examine(disk).state.segments.all.map(\.number)
        let last = try #require(segments.last)
        #expect(segments.count > 3 && (segments[0] > 1) == isCleaned)
        // Without its summary others must do, and what they name may be gone.
        let start = isCleaned ? try summaryEnd(last, disk) : 0
        var refused = 0
        var times: Set<GlobalTime> = []
        for file in disk.files() {
            for place in stride(from: 0, to: disk[file].count, by: 29) {
                var damaged = disk
                damaged[file][place] ^= 4
                let time = try salvaged(damaged, was)
                if let time { times.insert(time) }
                if time == nil { refused += 1 }
                #expect(time != nil || file != .segment(last) || place < start, "byte \(place) of the newest one")
            }
        }
        // Some damage takes more, some less; a whole segment's worth was tried.
        #expect(times.count > 4 && times.contains(Sample.time(120)))
        print("\(times.count) states were salvaged; of \(refused) damaged stores none")
    }

    /// Wherever the log breaks off: of the checkpoints behind that the names are known, but for one whose own record it
    /// may be that is damaged.
    @Test(arguments: [false, true]) func whatIsLostIsNamed(isCleaned: Bool) throws {
        let (disk, was) = try Self.image(isCleaned: isCleaned)
        let whole = try Store.examine(disk)
        #expect(try lost(disk)?.isEmpty == true)
        var named: Set<String> = []
        for file in whole.state.segments.all.suffix(3).map({ DiskFile.segment($0.number) }) {
            for place in stride(from: 0, to: disk[file].count, by: 29) {
                var damaged = disk
                damaged[file][place] ^= 4
                guard let lost = try lost(damaged) else { continue }
                let left = try Store.salvage(damaged).checkpoints
                let unknown = whole.checkpoints.filter { !left.contains($0) && !lost.contains($0) }
                #expect(unknown.count <= 1, "byte \(place) of \(file): \(unknown.map(\.time))")
                let times = lost.map(\.time)
                #expect(times == times.sorted() && times.allSatisfy { was[$0] != nil })
                #expect(left.allSatisfy { !times.contains($0.time) })
                // Of what was forgotten nobody speaks, unless it is that record that is damaged.
                #expect(lost.filter { !whole.checkpoints.contains($0) }.count <= 1, "byte \(place) of \(file)")
                named.formUnion(lost.map(\.label))
            }
        }
        #expect(named.contains("l120"))
    }

    /// What cannot even be opened to salvage it has names all the same.
    @Test func whatIsLostWithAllOfItIsNamed() throws {
        let (disk, _) = try Self.image(isCleaned: true)
        let whole = try Store.examine(disk)
        var damaged = disk
        for file in whole.state.segments.all.dropLast() { damaged[.segment(file.number)] = [] }
        let refusal = #expect(throws: StoreError.self) { _ = try Store.salvage(damaged).cluster }
        guard case .damaged = refusal else {
            Issue.record("it was refused for \(String(describing: refusal))")
            return
        }
        #expect(try Store.namedCheckpoints(damaged) == whole.checkpoints)
        #expect(try Store.namedCheckpoints(disk) == whole.checkpoints)
    }

    /// What came after the state that a fork began with never was its own.
    @Test func aForkHasNotLostWhatItNeverHad() throws {
        var store = try Store.open(try Self.image(isCleaned: false).disk)
        let fork = try store.fork(at: Sample.time(60), into: SimulatedDisk(), cluster: 8, identity: 5)
        #expect(store.checkpoints.contains { $0.time > Sample.time(60) })
        #expect(try Store.namedCheckpoints(fork.disk) == fork.checkpoints)
    }

    /// Nil when nothing is left.
    private func lost(_ disk: SimulatedDisk) throws -> [Checkpoint]? {
        do throws(StoreError) {
            var store = try Store.salvage(disk)
            return try store.lostCheckpoints()
        } catch {
            guard case .damaged = error else { throw error }
            return nil
        }
    }

    /// A file that is missing, or cut off anywhere.
    @Test func aLostEndCostsWhatWasInIt() throws {
        let (disk, was) = try Self.image(isCleaned: false)
        let last = DiskFile.segment(try #require(try Store.examine(disk).state.segments.all.last?.number))
        var before = GlobalTime.zero
        for count in Array(stride(from: 0, to: disk[last].count, by: 24)) + [disk[last].count] {
            var damaged = disk
            damaged[last] = Array(disk[last][..<count])
            let time = try #require(try salvaged(damaged, was))
            #expect(time >= before, "more of the log is not worth less")
            before = time
        }
        #expect(before == Sample.time(120))
        var missing = disk
        try missing.delete(last)
        #expect(try salvaged(missing, was) != nil)
    }

    /// What was dropped since the log was vouched for was walked through, and is none of the fork's.
    @Test func whatWasDroppedIsNotNeeded() throws {
        var store = try Sample.store(on: SimulatedDisk())
        for counter in 1...100 as ClosedRange<UInt64> {
            let time = Sample.time(counter)
            try store.put(0, time, Sample.page(UInt8(counter)))
            try store.endCheckpoint(Checkpoint(time: time, created: counter, isKept: false))
            while try store.clean(budget: 512) {}
            try store.flushLog()
            var left = try Store.salvage(store.disk)
            var fork = try left.fork(into: SimulatedDisk(), cluster: 8, identity: 5)
            #expect(try fork.content(of: 0, at: time).bytes == Sample.page(UInt8(counter)))
        }
        #expect(store.leftovers.count > 1)
    }

    /// Of a fork nothing is left but that it is one: it knows what was known when it was made, and not nothing.
    @Test func aForkWithoutItsRegistersHasThoseOfBefore() throws {
        let (disk, _) = try Self.image(isCleaned: false)
        var store = try Store.open(disk)
        let fork = try store.fork(
            at: Sample.time(60), into: SimulatedDisk(), cluster: 8, identity: 5, registers: [(1, [1]), (2, [2])])
        let segment = fork.state.head
        var damaged = fork.disk
        let end = try summaryEnd(segment, damaged)
        damaged[.segment(segment)][end + 2 * RecordHead.byteCount + 9] ^= 4
        let left = try Store.salvage(damaged)
        #expect(left.register(1) == [120] && left.register(2).isEmpty)
        #expect(left.checkpoints.last?.time == Sample.time(60))
        #expect(try Store.salvage(fork.disk).register(1) == [1])
    }

    /// What nobody needs any more is damaged: nothing is lost, and the new store shares nothing of it.
    @Test func damageThatNobodyNeedsIsNotTakenAlong() throws {
        let (disk, was) = try Self.image(isCleaned: false)
        var damaged = disk
        let end = try summaryEnd(1, disk)
        damaged[.segment(1)][end + 50] ^= 4
        var store = try Store.salvage(damaged)
        let copy = try store.soundFork(
            at: Sample.time(120), into: SimulatedDisk(), cluster: 8, identity: 5, registers: [(1, [120])])
        #expect(try Store.check(copy.disk).isSound && copy.register(1) == [120])
        #expect(try copy.retention == Store.examine(disk).retention)
        var again = try Store.open(copy.disk, cluster: 8)
        #expect(again.checkpoints == store.checkpoints && again.checkpoints.count > 4)
        for checkpoint in again.checkpoints {
            for page in 0..<Sample.tiny.pageCount {
                #expect(try again.content(of: UInt32(page), at: checkpoint.time).bytes == was[checkpoint.time]?[page])
            }
        }
    }

    @Test func aSoundStoreLosesNothing() throws {
        let (disk, was) = try Self.image(isCleaned: true)
        #expect(try salvaged(disk, was) == Sample.time(120))
        #expect(throws: StoreError.noStore) { _ = try Store.salvage(SimulatedDisk()).cluster }
    }
}
