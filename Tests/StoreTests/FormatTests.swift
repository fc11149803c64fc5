import Testing
import Wire

@testable import Simulation
@testable import Store

@Suite struct FormatTests {
    /// The tags of a record of a page in both formats: what was written must be readable for ever.
    @Test func tagsAreFrozen() {
        let head = RecordHead(
            kind: .page, length: 64, page: 7, sequence: 99, unflushed: 5, begun: 3, time: Sample.time(6))
        for (format, tag) in [(1, 773_291_660_550_240_285), (2, 3_603_123_633_549_894_144)] as [(UInt32, UInt64)] {
            let place = RecordPlace(key: LogKey(hash: Sample.key, format: format), identity: 1, segment: 2)
            var bytes = [UInt8](repeating: 0xC3, count: head.byteCount)
            var span = bytes.mutableSpan
            var raw = span.mutableBytes
            place.emit(head, into: &raw, from: 0, at: 640)
            #expect(raw.load(UInt64.self, at: 40) == tag)
        }
    }

    /// What the first format wrote is read, checked, and gone on with in the first format; also by its forks.
    @Test func theFirstFormatIsGoneOnWith() throws {
        let key = LogKey(hash: Sample.key, format: 1)
        let block = Superblock(cluster: 7, identity: Sample.identity, key: key, geometry: Sample.tiny)
        var store = try Store<SimulatedDisk>.create(on: SimulatedDisk(), block)
        func fill(_ store: inout Store<SimulatedDisk>, from first: UInt64) throws -> [UInt8] {
            for counter in first..<first + 100 {
                let page = Sample.page(UInt8(truncatingIfNeeded: counter))
                try store.put(UInt32(counter % 8), Sample.time(counter), page)
                let checkpoint = Checkpoint(time: Sample.time(counter), created: counter, isKept: counter % 7 == 0)
                try store.commitCheckpoint(checkpoint)
            }
            var bytes = Sample.page(0)
            var span = bytes.mutableSpan
            var raw = span.mutableBytes
            _ = try store.read(3, into: &raw)
            return bytes
        }
        #expect(try fill(&store, from: 1) == Sample.page(99))
        let bytes = store.disk[.segment(store.log.position.segment)]
        let place = RecordPlace(key: key, identity: Sample.identity, segment: store.log.position.segment)
        let second = RecordPlace(key: Sample.logKey, identity: Sample.identity, segment: place.segment)
        let start = SegmentHeader.byteCount
        #expect(try place.parse(bytes.span.bytes, from: start, at: start)?.kind == .summary)
        #expect(try second.parse(bytes.span.bytes, from: start, at: start) == nil)

        var again = try Store.open(store.disk)
        #expect(try fill(&again, from: 101) == Sample.page(195))
        #expect(try again.verify().isSound)
        var fork = try again.fork(into: SimulatedDisk(), cluster: 8, identity: 9)
        #expect(try fill(&fork, from: 201) == Sample.page(UInt8(truncatingIfNeeded: 299)))
        var opened = try Store.open(fork.disk)
        #expect(try opened.verify().isSound)
    }
}
