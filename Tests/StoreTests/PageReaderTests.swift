import Testing
import Wire

@testable import Simulation
@testable import Store

/// Who reads the newest state beside the store's user.
@Suite struct PageReaderTests {
    private let host = HostDisk(tearsLastWrite: false, random: Generator(1))

    private func store() throws -> Store<DiskAccess> {
        var store = try Sample.store(on: DiskAccess(host: host))
        for page in [7, 2, 5] as [UInt32] { try store.put(page, Sample.time(1), Sample.page(UInt8(page))) }
        try store.commitCheckpoint(Checkpoint(time: Sample.time(1), created: 1, isKept: false))
        try store.submit()
        return store
    }

    private func commit(_ page: UInt32, _ counter: UInt64, _ store: inout Store<DiskAccess>) throws {
        try store.put(page, Sample.time(counter), Sample.page(UInt8(truncatingIfNeeded: counter)))
        try store.commitCheckpoint(Checkpoint(time: Sample.time(counter), created: counter, isKept: false))
        try store.submit()
    }

    @Test func everyPageIsReadOnceAsItLies() throws {
        var store = try store()
        try commit(2, 9, &store)
        var reader = try store.makeReader()
        #expect(reader.count == 3)
        var found: [UInt32] = []
        var next = 0
        while next < reader.count {
            next = reader.readRun(from: next, most: 2) { page, bytes in
                found.append(page)
                #expect(bytes == Sample.page(page == 2 ? 9 : UInt8(page)))
            }
        }
        #expect(found == [7, 5, 2])
        #expect(reader.version(of: 2) == Sample.time(9) && reader.version(of: 0) == .zero)
        #expect(reader.read(5) == Sample.page(5) && reader.read(0) == nil)
    }

    /// What is committed later does not show, and what is cleaned away is missed.
    @Test func whatWasMovedIsMissed() throws {
        let geometry = Geometry(pageBytes: 64, pageCount: 64, segmentBytes: 4096, reserveBytes: 0)
        var store = try Sample.store(on: DiskAccess(host: host), geometry)
        var counter: UInt64 = 0
        func commit(_ page: UInt32) throws {
            counter += 1
            try self.commit(page, counter, &store)
        }
        // A page that stays in each segment, among many that do not.
        for page in 0..<40 as Range<UInt32> {
            try commit(page)
            for _ in 0..<20 { try commit(63) }
        }
        var reader = try store.makeReader()
        let old = reader.read(7)
        #expect(old == Sample.page(UInt8(7 * 21 + 1)))
        var isMissed = false
        for round in 0..<100 {
            try commit(UInt32(41 + round % 2))
            try store.settle()
            while try store.clean(budget: 4096) {}
            let bytes = reader.read(7)
            #expect(bytes == old || bytes == nil)
            isMissed = isMissed || bytes == nil
            #expect(reader.read(41) == nil && reader.version(of: 41) == .zero)
        }
        #expect(isMissed)
        #expect(try store.content(of: 7).1 == old)
    }

    @Test func whatIsDamagedIsMissedAlone() throws {
        var store = try store()
        let whole = host.contents.base
        var damaged: Set<UInt32> = []
        let file = DiskFile.segment(1)
        for offset in 0..<(try store.disk.byteCount(of: file)) {
            host.contents.base = whole
            var byte = try host.contents.bytes(of: file, at: offset, count: 1)
            byte[0] ^= 16
            try host.contents.writeAll(byte, to: file, at: offset)
            var reader = try store.makeReader()
            let missed = [2, 5, 7].filter { reader.read($0) != Sample.page(UInt8($0)) }
            #expect(missed.count < 2 && missed.allSatisfy { reader.read($0) == nil })
            damaged.formUnion(missed)
        }
        #expect(damaged == [2, 5, 7])
    }

    @Test func aForkReadsWhatItsSourceWrote() throws {
        var store = try store()
        try store.settle()
        let other = HostDisk(tearsLastWrite: false, random: Generator(2))
        var fork = try store.fork(
            at: Sample.time(1), into: DiskAccess(host: other), cluster: 8, identity: 9, registers: [])
        try commit(5, 3, &fork)
        var reader = try fork.makeReader()
        #expect(reader.read(7) == Sample.page(7) && reader.read(5) == Sample.page(3))
    }
}
