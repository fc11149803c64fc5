import Foundation
import Testing
import Wire

@testable import Simulation
@testable import Store

/// Bits that change by themselves.
@Suite struct FlipTests {
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
        for _ in 0..<400 {
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
        let isAll = ProcessInfo.processInfo.environment["PLURIX_TEST_ALL"] != nil
        let step = isAll ? 1 : 509
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

    /// The ranges of bytes with a check of their own: all bytes of the file.
    private static func parts(of file: DiskFile, _ bytes: [UInt8]) throws -> [Range<Int>] {
        guard case .segment(let number) = file else { return [0..<bytes.count] }
        var parts = [0..<SegmentHeader.byteCount]
        let place = RecordPlace(key: Sample.key, identity: Sample.identity, segment: number)
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
                    return SegmentHeader.parse(bytes.span.bytes, number: number, key: Sample.key) == nil
                }
                let place = RecordPlace(key: Sample.key, identity: Sample.identity, segment: number)
                return try place.parse(bytes.span.bytes, from: part.lowerBound, at: part.lowerBound) == nil
            }
        } catch {
            return true
        }
    }
}
