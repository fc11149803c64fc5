import Testing
import Wire

@testable import Simulation
@testable import Store

@Suite struct DigestTests {
    private static let seed: UInt64 = 0x0706_0504_0302_0100

    /// Values of the reference implementation (xxHash 0.8).
    private static let vectors: [(words: Int, plain: UInt64, seeded: UInt64)] = [
        (0, 0xef46_db37_51d8_e999, 0xf6e2_1e93_442c_06eb), (1, 0xea3c_5208_1e98_43ec, 0xf6c5_d1c2_709d_f604),
        (3, 0xec32_cbce_6071_2bd3, 0x4544_6974_325e_b261), (4, 0x9520_1824_d969_1a7d, 0x589a_7ed4_415f_ee90),
        (5, 0x380c_334d_d768_f618, 0x6d31_c10e_5b43_ace0), (8, 0xb7f1_beff_3349_be40, 0x35c9_5105_80de_66c5),
        (512, 0x149b_bafd_8954_07c0, 0x4ec7_b189_50f9_7364),
    ]

    @Test func isThePublishedHash() {
        for vector in Self.vectors {
            var bytes = WordWriter()
            for index in 0..<UInt64(vector.words) {
                bytes.append(index &* 0x9E37_79B9_7F4A_7C15 &+ 0x0123_4567_89AB_CDEF)
            }
            #expect(Digest.of(bytes.bytes.span.bytes, seed: 0) == vector.plain)
            #expect(Digest.of(bytes.bytes.span.bytes, seed: Self.seed) == vector.seeded)
        }
    }

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
