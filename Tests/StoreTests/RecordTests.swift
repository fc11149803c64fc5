import Testing
import Wire

@testable import Simulation
@testable import Store

@Suite struct RecordTests {
    private static let place = RecordPlace(key: Sample.key, identity: 1, segment: 2)
    private static let head = RecordHead(
        kind: .page, length: 64, page: 7, sequence: 99, unflushed: 5, begun: 3, time: Sample.time(6))

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
        other.key = SipHash.Key(low: 1, high: 1)
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
        let good = Superblock(cluster: 1, identity: 2, key: Sample.key, geometry: Sample.tiny)
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

    @Test func namesOfFilesAreTheirOwn() {
        for file in [DiskFile.superblock(0), .superblock(1), .segment(1), .segment(.max), .reserve] {
            #expect(DiskFile(file.description) == file)
        }
        for name in ["", "superblock.2", "segment.1", "segment.000000000000000g", "segment.0000000000000000", "x"] {
            #expect(DiskFile(name) == nil)
        }
    }
}
