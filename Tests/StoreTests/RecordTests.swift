import Testing
import Wire

@testable import Simulation
@testable import Store

@Suite struct RecordTests {
    private static let place = RecordPlace(key: Sample.logKey, identity: 1, segment: 2)
    private static let head = RecordHead(
        kind: .page, length: 64, page: 7, sequence: 99, unflushed: 5, begun: 3, time: Sample.time(6))

    private static func record(_ head: RecordHead) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xC3, count: head.byteCount)
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        place.emit(head, into: &raw, from: 0, at: 0)
        return bytes
    }

    private static func record(_ place: RecordPlace, at offset: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xC3, count: head.byteCount)
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        place.emit(head, into: &raw, from: 0, at: offset)
        return bytes
    }

    /// The same bytes in any other place, of another segment, store or key are no record.
    @Test func aRecordCountsOnlyWhereItWasWritten() throws {
        let bytes = Self.record(Self.place, at: 640)
        #expect(try Self.place.parse(bytes.span.bytes, from: 0, at: 640) == Self.head)
        #expect(try Self.place.parse(bytes.span.bytes, from: 0, at: 648) == nil)
        var other = Self.place
        other.segment = 3
        #expect(try other.parse(bytes.span.bytes, from: 0, at: 640) == nil)
        other = Self.place
        other.identity = 2
        #expect(try other.parse(bytes.span.bytes, from: 0, at: 640) == nil)
        other = Self.place
        other.key.hash = SipHash.Key(low: 1, high: 1)
        #expect(try other.parse(bytes.span.bytes, from: 0, at: 640) == nil)
    }

    @Test func hostileBytesAreNoRecord() throws {
        let bytes = Self.record(Self.place, at: 0)
        var random = Generator(4)
        for _ in 0..<2000 {
            var changed = bytes
            for _ in 0...random.below(4) { changed[random.below(48)] = UInt8(random.below(256)) }
            changed.removeLast(random.below(bytes.count))
            let isSame = changed == bytes
            let found = try? Self.place.parse(changed.span.bytes, from: 0, at: 0)
            #expect((found == Self.head) == isSame)
        }
    }

    /// A block with an impossible geometry is none, whatever its tag.
    @Test func superblocksAreChecked() throws {
        let good = Superblock(cluster: 1, identity: 2, key: Sample.logKey, geometry: Sample.tiny)
        #expect(try Superblock.parse(good.bytes(slot: 1), slot: 1) == good)
        #expect(try Superblock.parse(good.bytes(slot: 1), slot: 0) == nil)
        for geometry in [
            Geometry(pageBytes: 0, pageCount: 1), Geometry(pageBytes: 12, pageCount: 1),
            Geometry(pageCount: Geometry.maximumPages + 1), Geometry(pageCount: 1, segmentBytes: 4096),
        ] {
            var block = good
            block.geometry = geometry
            #expect(try Superblock.parse(block.bytes(slot: 0), slot: 0) == nil)
        }
    }

    // Found by fuzzing: with tags that fit, these ended the process that counted on, subtracted or made room.
    @Test func numbersThatNobodyReachesAreRefused() throws {
        func block(_ change: (inout Superblock) -> Void) throws -> Superblock? {
            var block = Superblock(cluster: 1, identity: 2, key: Sample.logKey, geometry: Sample.tiny)
            change(&block)
            return try Superblock.parse(block.bytes(slot: 0), slot: 0)
        }
        #expect(try block { _ in } != nil)
        #expect(try block { $0.generation = .max } == nil)
        #expect(try block { $0.floor.segment = .max } == nil)
        #expect(try block { $0.floor.sequence = .max } == nil)
        #expect(try block { $0.floor.sequence = 0 } == nil)
        #expect(try block { $0.floor.offset = 1 << 31 } == nil)
        #expect(try block { $0.geometry.reserveBytes = 1 << 40 } == nil)

        for (number, predecessor) in [(UInt64.max, UInt64(1)), (3, 3), (3, .max)] {
            let header = SegmentHeader(number: number, identity: 1, predecessor: LogPosition(segment: predecessor))
            let bytes = header.bytes(key: Sample.logKey)
            #expect(SegmentHeader.parse(bytes.span.bytes, number: number, key: Sample.logKey) == nil)
        }
        var late = Self.head
        late.begun = 100
        #expect(try Self.place.parse(Self.record(late).span.bytes, from: 0, at: 0) == nil)
        late.begun = 0
        late.sequence = .max
        #expect(try Self.place.parse(Self.record(late).span.bytes, from: 0, at: 0) == nil)
    }

    /// Summaries in which things are out of their order, or larger than they can be.
    @Test func impossibleSummariesAreRefused() {
        func isTaken(_ change: (inout LogState) -> Void) -> Bool {
            var state = LogState(pageCount: 8)
            change(&state)
            let summary = state.summary
            var reader = LogState(pageCount: 8)
            reader.head = 5
            let head = RecordHead(kind: .summary, length: summary.count, sequence: 9, unflushed: 0)
            return reader.apply(head, summary.span.bytes, offset: 64)
        }
        func segment(_ number: UInt64, length: Int = 100, seal: Int = 0) -> Segment {
            Segment(number: number, length: length, seal: seal, chain: 0)
        }
        func checkpoint(_ counter: UInt64) -> Checkpoint {
            Checkpoint(time: GlobalTime(epoch: 0, counter: counter), created: 0, isKept: true)
        }
        #expect(isTaken { $0.segments.append(segment(4)) })
        #expect(!isTaken { $0.segments.append(segment(5)) })
        #expect(!isTaken { $0.segments.append(segment(4, seal: 101)) })
        #expect(!isTaken { $0.segments.append(segment(4, length: 1 << 31)) })
        #expect(isTaken { $0.checkpoints = [checkpoint(0), checkpoint(3)] })
        #expect(!isTaken { $0.checkpoints = [checkpoint(3), checkpoint(3)] })
        #expect(!isTaken { $0.checkpoints = [checkpoint(3), checkpoint(2)] })
        var writer = WordWriter()
        writer.append(.max)
        writer.append(0)
        var reader = WordReader(writer.bytes.span.bytes)
        #expect(Retention.parse(&reader) == nil)
    }

    @Test func namesOfFilesAreTheirOwn() {
        for file in [DiskFile.superblock(0), .superblock(1), .segment(1), .segment(1 << 62 - 1), .reserve] {
            #expect(DiskFile(file.description) == file)
        }
        for name in ["", "superblock.2", "segment.1", "segment.000000000000000g", "segment.0000000000000000", "x",
            "segment.ffffffffffffffff"] {
            #expect(DiskFile(name) == nil)
        }
    }
}
