import Testing
import Wire

@testable import Simulation
@testable import Store

@Suite struct CheckpointTests {
    /// What a checkpoint costs: its pages and under three hundredths more, and two barriers, however many segments.
    @Test(arguments: [64, 1000, 5000]) func bytesAndBarriers(pages: Int) throws {
        let geometry = Geometry(pageCount: 8192)
        var store = try Sample.store(on: SimulatedDisk(), geometry)
        let bytes = store.bytesWritten
        let flushes = store.flushCount
        for page in 0..<UInt32(pages) { try store.put(page, Sample.time(1), Sample.page(UInt8(page % 251), geometry)) }
        try store.commitCheckpoint(Checkpoint(time: Sample.time(1), created: 0, isKept: true))
        let written = store.bytesWritten - bytes
        let barriers = store.flushCount - flushes
        #expect(Double(written) <= 1.03 * Double(pages * geometry.pageBytes))
        #expect(barriers <= 2)
        // The next one is incremental.
        try store.put(1, Sample.time(2), Sample.page(9, geometry))
        try store.commitCheckpoint(Checkpoint(time: Sample.time(2), created: 0, isKept: true))
        let more = store.bytesWritten - bytes - written
        let moreBarriers = store.flushCount - flushes - barriers
        #expect(more < 2 * geometry.pageBytes + 1024)
        #expect(moreBarriers <= 2)
    }

    /// Many facts, one barrier; and none when nothing is new.
    @Test func aFlushIsShared() throws {
        var store = try Sample.store(on: SimulatedDisk())
        let flushes = store.flushCount
        for key in 0..<10 as Range<UInt64> { try store.set([(key, [1])]) }
        try store.flush()
        try store.flush()
        let count = store.flushCount - flushes
        #expect(count == 1)
        try store.settle()
        try store.settle()
        let all = store.flushCount - flushes
        #expect(all == 2)
    }

    private static func filled(_ model: inout StoreModel) throws -> Store<SimulatedDisk> {
        let geometry = Sample.tiny
        var store = try Sample.store(on: SimulatedDisk(), geometry)
        try store.set([(1, [1])])
        model.set([(1, [1])])
        for counter in 1...12 as ClosedRange<UInt64> {
            for page in 0..<UInt32(4) where (counter + UInt64(page)) % 2 == 0 {
                let bytes = Sample.page(UInt8(16 * counter) + UInt8(page), geometry)
                try store.put(page, Sample.time(counter), bytes)
                model.put(page, Sample.time(counter), bytes)
            }
            let label = counter == 3 ? "three" : ""
            let checkpoint = Checkpoint(time: Sample.time(counter), created: 100 * counter, label: label, isKept: true)
            try store.commitCheckpoint(checkpoint)
            model.end(checkpoint)
        }
        return store
    }

    /// Their list begins each segment, and must fit it.
    @Test func moreThanCanBeListedAreForgottenFromTheOldest() throws {
        let geometry = Geometry(pageBytes: 64, pageCount: 8, segmentBytes: 16 << 10, reserveBytes: 0)
        #expect(geometry.mostCheckpoints == 16)
        var model = StoreModel(geometry)
        var store = try Sample.store(on: SimulatedDisk(), geometry)
        try store.setRetention(Retention(count: 1000, age: .max))
        model.setRetention(Retention(count: 1000, age: .max))
        for counter in 1...60 as ClosedRange<UInt64> {
            try store.put(0, Sample.time(counter), Sample.page(UInt8(counter), geometry))
            model.put(0, Sample.time(counter), Sample.page(UInt8(counter), geometry))
            let label = counter % 10 == 0 ? "l\(counter)" : ""
            let checkpoint = Checkpoint(time: Sample.time(counter), created: counter, label: label, isKept: true)
            try store.commitCheckpoint(checkpoint)
            model.end(checkpoint)
            _ = try store.expire(now: counter)
            model.expire(now: counter)
        }
        #expect(store.checkpoints.filter { $0.label.isEmpty }.map(\.time.counter) == Array(43...49) + Array(51...59))
        #expect(store.checkpoints.filter { !$0.label.isEmpty }.count == 6)
        #expect(try store.picture() == model.picture)
    }

    @Test func retentionKeepsTheNewestTheYoungAndTheLabelled() throws {
        var model = StoreModel(Sample.tiny)
        var store = try Self.filled(&model)
        try store.setRetention(Retention(count: 2, age: 500))
        model.setRetention(Retention(count: 2, age: 500))
        let gone = try store.expire(now: 1300)
        #expect(gone.map(\.counter) == [1, 2, 4, 5, 6, 7, 8])
        model.forget(gone)
        while try store.clean(budget: 4096) {}
        #expect(try store.picture() == model.picture)
        try store.settle()
        var again = try Store.open(store.disk)
        #expect(try again.picture() == model.picture)
        #expect(try again.expire(now: 1300) == [])
        #expect(throws: StoreError.noCheckpoint) { try again.forget([Sample.time(1)]) }
        #expect(throws: StoreError.noCheckpoint) { _ = try again.content(of: 0, at: Sample.time(1)) }
        // The newest one stays whatever happens.
        try again.forget([Sample.time(12)])
        let newest = again.checkpoints.last?.time.counter
        #expect(newest == 12)
    }

    @Test func cleaningGivesSpaceBackAndDisturbsNoCheckpoint() throws {
        let geometry = Geometry(pageBytes: 64, pageCount: 256, segmentBytes: 16 << 10, reserveBytes: 0)
        var store = try Sample.store(on: SimulatedDisk(), geometry)
        var model = StoreModel(geometry)
        var random = Generator(3)
        var largest = 0
        for counter in 1...600 as ClosedRange<UInt64> {
            for _ in 0..<20 {
                let page = UInt32(random.below(256))
                let bytes = Sample.page(UInt8(random.below(256)), geometry)
                try store.put(page, Sample.time(counter), bytes)
                model.put(page, Sample.time(counter), bytes)
                _ = try store.clean(budget: 512)
            }
            let checkpoint = Checkpoint(time: Sample.time(counter), created: counter, isKept: counter % 50 == 0)
            try store.commitCheckpoint(checkpoint)
            model.end(checkpoint)
            if counter % 100 == 0 {
                let gone = try store.expire(now: counter)
                model.forget(gone)
                #expect(try store.picture() == model.picture)
            }
            let now = store.disk.now
            largest = max(largest, now.names.reduce(0) { $0 + now.cached[$1.file].count })
        }
        // Up to twelve states of which every page is another one: twice that, and what is being tidied up.
        #expect(largest < 2 * 12 * 256 * (112 + PageEntry.byteCount) + 12 * geometry.segmentBytes)
        let inventory = try store.verify()
        #expect(inventory.findings == [])
        #expect(inventory.pages < 4 * inventory.neededPages)
    }

    @Test func aForkHasTheOldStateAndALifeOfItsOwn() throws {
        var model = StoreModel(Sample.tiny)
        var store = try Self.filled(&model)
        let disks = SimulatedDisk()
        #expect(throws: StoreError.noCheckpoint) {
            _ = try store.fork(at: Sample.time(99), into: disks, cluster: 8, identity: 5).cluster
        }
        var fork = try store.fork(at: Sample.time(3), into: disks, cluster: 8, identity: 5)
        var other = model
        other.rewind(to: Sample.time(3))
        #expect(try fork.picture() == other.picture)
        for counter in 20...60 as ClosedRange<UInt64> {
            for (number, epoch) in [(0, UInt32(2)), (1, UInt32(3))] {
                let time = Sample.time(counter, epoch: epoch)
                let bytes = Sample.page(UInt8(counter) + UInt8(100 * number))
                let checkpoint = Checkpoint(time: time, created: counter, isKept: false)
                if number == 0 {
                    try store.put(UInt32(counter % 8), time, bytes)
                    model.put(UInt32(counter % 8), time, bytes)
                    try store.commitCheckpoint(checkpoint)
                    model.end(checkpoint)
                    _ = try store.clean(budget: 4096)
                } else {
                    try fork.put(UInt32(counter % 8), time, bytes)
                    other.put(UInt32(counter % 8), time, bytes)
                    try fork.commitCheckpoint(checkpoint)
                    other.end(checkpoint)
                    _ = try fork.clean(budget: 4096)
                }
            }
        }
        var first = try Store.open(store.disk, cluster: Sample.cluster)
        var second = try Store.open(fork.disk, cluster: 8)
        #expect(try first.picture() == model.picture)
        #expect(try second.picture() == other.picture)
        #expect(try first.verify().isSound)
        #expect(try second.verify().isSound)
        // A segment of the one in the place of the other's is no part of it.
        var mixed = fork.disk
        let file = DiskFile.segment(first.state.segments.all.last?.number ?? 0)
        mixed[file] = store.disk[file]
        #expect(throws: StoreError.self) { _ = try Store.open(mixed).cluster }
    }

    /// A segment that holds nothing any more may still be named by the summary with which a reader begins.
    @Test func anExportOfAStoreThatWasContinuedIsWhole() throws {
        var model = StoreModel(Sample.tiny)
        var store = try Self.filled(&model)
        var random = Generator(5)
        var leftovers = 0
        for round in 0..<40 {
            if round % 3 == 0 { store = try Store.open(store.disk) }
            let time = GlobalTime(epoch: 9, counter: UInt64(round + 1))
            let page = [UInt8](repeating: UInt8(round), count: store.geometry.pageBytes)
            for number in 0..<store.geometry.pageCount where random.chance(500) {
                try store.put(UInt32(number), version: time, page.span.bytes)
            }
            try store.commitCheckpoint(Checkpoint(time: time, created: 1, isKept: false))
            while round % 2 == 0, try store.clean(budget: 1 << 20) {}
            var reader = try Store.examine(store.disk)
            leftovers += reader.findings.count { if case .leftover = $0 { true } else { false } }
            var export = try reader.beginExport()
            var copy = try Import(into: SimulatedDisk())
            while let bytes = try reader.next(of: &export) { try copy.append(bytes) }
            var found = try copy.finish()
            #expect(try found.picture() == store.picture())
            #expect(try found.verify().isSound)
        }
        #expect(leftovers > 0)
    }

    @Test func anExportIsTheWholeStore() throws {
        var model = StoreModel(Sample.tiny)
        var store = try Self.filled(&model)
        var export = try store.beginExport()
        var stream: [UInt8] = []
        while let bytes = try store.next(of: &export) { stream += bytes }
        #expect(stream.count == export.byteCount)
        for piece in [1, 7, 1000, 1 << 20] {
            var copy = try Import(into: SimulatedDisk())
            for start in stride(from: 0, to: stream.count, by: piece) {
                try copy.append(Array(stream[start..<min(start + piece, stream.count)]))
            }
            var found = try copy.finish()
            #expect(try found.picture() == model.picture)
            #expect(try found.verify().findings == [])
        }
        var random = Generator(2)
        for round in 0..<300 {
            var changed = stream
            if round % 2 == 0 {
                changed[random.below(stream.count)] ^= 1 << UInt8(random.below(8))
            } else {
                changed.removeLast(1 + random.below(stream.count))
            }
            var copy = try Import(into: SimulatedDisk())
            do throws(StoreError) {
                try copy.append(changed)
                _ = try copy.finish().cluster
                Issue.record("a changed stream was taken")
            } catch {
                #expect(error == .badArchive)
            }
        }
        let used = store.disk
        #expect(throws: StoreError.exists) { _ = try Import(into: used) }
        model.abandon()
    }

    @Test func moreThanASegmentHoldsIsRefused() throws {
        var model = StoreModel(Sample.tiny)
        var store = try Self.filled(&model)
        #expect(throws: StoreError.tooLarge) { try store.set([(5, [UInt8](repeating: 1, count: 4000))]) }
        #expect(try store.picture() == model.picture)
        model.set([(5, [1])])
        try store.set([(5, [1])])
        #expect(try store.picture() == model.picture)
    }

    /// The layout is frozen: these bytes must be readable for ever.
    @Test func layoutIsFrozen() throws {
        var store = try Sample.store(on: SimulatedDisk())
        try store.put(3, Sample.time(1), Sample.page(0xAB))
        try store.commitCheckpoint(Checkpoint(time: Sample.time(1), created: 0x55, label: "x", isKept: true))
        let block = store.disk[.superblock(0)]
        #expect(block.count == 128)
        #expect(Array(block[..<24]) == Array("PLURIXST".utf8) + [2, 0, 0, 0, 64, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0])
        #expect(Array(block[56..<64]) == [2, 0, 0, 0, 0, 0, 0, 0])
        let segment = store.disk[.segment(1)]
        #expect(Array(segment[..<16]) == Array("PLURIXSG".utf8) + [1, 0, 0, 0, 0, 0, 0, 0])
        #expect(Array(segment[64..<76]) == Array("PSRC".utf8) + [1, 0, 0, 0, 72, 0, 0, 0])
        let begin = 64 + 48 + 72
        #expect(Array(segment[begin..<begin + 12]) == Array("PSRC".utf8) + [3, 0, 0, 0, 0, 0, 0, 0])
        let page = begin + 48
        #expect(Array(segment[page..<page + 16]) == Array("PSRC".utf8) + [4, 0, 0, 0, 64, 0, 0, 0, 3, 0, 0, 0])
        let numbers: [UInt8] = [3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 16, 0, 0]
        #expect(Array(segment[page + 16..<page + 40]) == numbers)
        #expect(segment[page + 48..<page + 112].allSatisfy { $0 == 0xAB })
        let end = page + 112
        #expect(Array(segment[end..<end + 12]) == Array("PSRC".utf8) + [5, 0, 0, 0, 48, 0, 0, 0])
        #expect(segment.count == end + 48 + 48)
    }
}
