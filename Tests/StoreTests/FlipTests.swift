import Foundation
import Testing
import Wire

@testable import Simulation
@testable import Store

/// Bits that change by themselves.
@Suite struct FlipTests {
    private static let isAll = ProcessInfo.processInfo.environment["PLURIX_TEST_ALL"] != nil

    /// Kept checkpoints, registers, several segments: a mebibyte and a little more.
    private static func image() throws -> SimulatedDisk {
        let geometry = Geometry(pageCount: 128, segmentBytes: 256 << 10, reserveBytes: 0)
        var store = try Sample.store(on: SimulatedDisk(), geometry)
        var random = Generator(5)
        for counter in 1...10 as ClosedRange<UInt64> {
            try store.set([(counter, [UInt8](repeating: 7, count: 40))])
            for _ in 0..<26 {
                let bytes = (0..<geometry.pageBytes).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                try store.put(UInt32(random.below(128)), Sample.time(counter), bytes)
            }
            let isKept = counter % 2 == 0
            try store.commitCheckpoint(Checkpoint(time: Sample.time(counter), created: counter, isKept: isKept))
        }
        return store.disk
    }

    private static func files(_ disk: SimulatedDisk) -> [(file: DiskFile, bits: Int)] {
        disk.files().map { ($0, 8 * disk[$0].count) }
    }

    /// Each flip is found by an examination of the whole, and what is read meanwhile is right or refused.
    @Test func anExaminationFindsFlips() throws {
        let disk = try Self.image()
        let files = Self.files(disk)
        let bits = files.reduce(0) { $0 + $1.bits }
        #expect(bits > 8 << 20)
        var random = Generator(11)
        for _ in 0..<(Self.isAll ? 20_000 : 400) {
            var bit = random.below(bits)
            var changed = disk
            for (file, count) in files {
                guard bit >= count else {
                    changed[file][bit / 8] ^= 1 << UInt8(bit % 8)
                    break
                }
                bit -= count
            }
            let inventory = try Store.check(changed)
            #expect(!inventory.findings.isEmpty)
        }
    }

    /// Each bit of everything that a store writes is covered by the check of the record, header or block that it is in.
    /// All of them with PLURIX_TEST_ALL; else one of every 509.
    @Test func everyBitIsCovered() throws {
        let step = Self.isAll ? 1 : 509
        let disk = try Self.image()
        var covered = 0
        for (file, bits) in Self.files(disk) {
            var bytes = disk[file]
            var parts = try Self.parts(of: file, bytes)[...]
            for bit in stride(from: 0, to: bits, by: step) {
                while let part = parts.first, part.upperBound <= bit / 8 { parts.removeFirst() }
                let part = try #require(parts.first, "\(file) has a byte that nothing covers")
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                let isFound = Self.isRefused(file, bytes, part)
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                covered += 1
                if !isFound { Issue.record("\(file): a flip of bit \(bit) is not noticed") }
            }
        }
        print("\(covered) flipped bits, each of them noticed")
    }

    /// Two copies of a store went on by themselves. Each of their segments is sound by itself, and the same in number,
    /// length and pages.
    private static func copies() throws -> (SimulatedDisk, SimulatedDisk) {
        var store = try Sample.store(on: SimulatedDisk())
        try store.set([(1, [1])])
        try store.settle()
        func continued(_ byte: UInt8) throws -> SimulatedDisk {
            var copy = try Store.open(store.disk)
            for counter in 1...40 as ClosedRange<UInt64> {
                try copy.put(UInt32(counter % 8), Sample.time(counter), Sample.page(byte))
                try copy.commitCheckpoint(Checkpoint(time: Sample.time(counter), created: 0, isKept: true))
            }
            return copy.disk
        }
        return (try continued(1), try continued(2))
    }

    @Test func aSegmentOfAnotherCopyIsRefused() throws {
        let (one, other) = try Self.copies()
        let last = try Store.open(one).state.segments.all.count
        var swapped = 0
        for case .segment(let number) in one.files() where number > 1 {
            let file = DiskFile.segment(number)
            #expect(one[file].count == other[file].count && one[file] != other[file])
            var mixed = one
            mixed[file] = other[file]
            do throws(StoreError) {
                _ = try Store.open(mixed).cluster
                Issue.record("\(file) of another copy is taken")
            } catch {
                guard case .damaged = error else { throw error }
            }
            swapped += 1
        }
        #expect(swapped > 2 && swapped == last - 1)
    }

    /// Of a closed segment only the seal is read when the store is opened. A single record of the other copy in it is
    /// found when everything is.
    @Test func aRecordOfAnotherCopyIsFound() throws {
        let (one, other) = try Self.copies()
        var swapped = 0
        for segment in try Store.examine(one).state.segments.all.dropFirst().dropLast() {
            let file = DiskFile.segment(segment.number)
            for part in try Self.parts(of: file, one[file]) where part.upperBound <= segment.seal {
                guard one[file][part] != other[file][part] else { continue }
                var mixed = one
                mixed[file].replaceSubrange(part, with: other[file][part])
                let isSound = try Store.check(mixed).isSound
                #expect(!isSound, "\(file) at \(part)")
                swapped += 1
            }
        }
        #expect(swapped > 20)
    }

    /// A record with another tag, sound by itself as it may be, is none of the segment's: its chain, which the
    /// summaries of later segments name, is another one.
    @Test func everyTagIsInTheChain() throws {
        let disk = try Self.image()
        let store = try Store.examine(disk)
        let segments = store.state.segments.all
        #expect(segments.count > 3)
        for segment in segments {
            let file = DiskFile.segment(segment.number)
            let bytes = disk[file]
            let place = RecordPlace(key: Sample.logKey, identity: Sample.identity, segment: segment.number)
            let parts = try Self.parts(of: file, bytes)
            let tags = parts.map { part in
                bytes.span.bytes.load(UInt64.self, at: part.lowerBound + (part.lowerBound == 0 ? 56 : 40))
            }
            #expect(tags.reduce(0, place.chain) == segment.chain)
            for number in tags.indices {
                for bit in 0..<64 as Range<UInt64> {
                    var changed = tags
                    changed[number] ^= 1 << bit
                    if changed.reduce(0, place.chain) == segment.chain {
                        Issue.record("\(file): bit \(bit) of tag \(number) is not in the chain")
                    }
                }
            }
        }
    }

    /// The ranges of bytes with a check of their own: all bytes of the file.
    private static func parts(of file: DiskFile, _ bytes: [UInt8]) throws -> [Range<Int>] {
        guard case .segment(let number) = file else { return [0..<bytes.count] }
        var parts = [0..<SegmentHeader.byteCount]
        let place = RecordPlace(key: Sample.logKey, identity: Sample.identity, segment: number)
        while let end = parts.last?.upperBound, end < bytes.count {
            let head = try #require(try place.parse(bytes.span.bytes, from: end, at: end))
            parts.append(end..<end + head.byteCount)
        }
        return parts
    }

    private static func isRefused(_ file: DiskFile, _ bytes: [UInt8], _ part: Range<Int>) -> Bool {
        do throws(StoreError) {
            switch file {
            case .superblock(let slot): return try Superblock.parse(bytes, slot: slot) == nil
            case .reserve: return true
            case .segment(let number):
                if part.lowerBound == 0 {
                    return SegmentHeader.parse(bytes.span.bytes, number: number, key: Sample.logKey) == nil
                }
                let place = RecordPlace(key: Sample.logKey, identity: Sample.identity, segment: number)
                return try place.parse(bytes.span.bytes, from: part.lowerBound, at: part.lowerBound) == nil
            }
        } catch {
            return true
        }
    }
}
