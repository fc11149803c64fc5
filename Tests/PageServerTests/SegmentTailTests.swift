import Store
import Testing

@testable import PageServer

@Suite struct SegmentTailTests {
    private let file = DiskFile.segment(1)

    /// Writes and flushes so much at the end.
    private func flush(_ tail: inout SegmentTail, _ count: Int) {
        tail.wrote(file, at: tail.end, count)
        tail.flushed(file)
    }

    @Test func onlySmallFlushesInARowWantRoom() {
        var tail = SegmentTail()
        for _ in 0..<5 {
            flush(&tail, 1 << 20)
            #expect(tail.wanted == 0)
        }
        flush(&tail, 8000)
        flush(&tail, 8000)
        tail.wrote(file, at: tail.end, 8000)
        #expect(tail.wanted == 256 << 10)
        // The rest of a large portion is none.
        tail.wrote(file, at: tail.end, 60_000)
        #expect(tail.wanted == 0)
    }

    @Test func asMuchAsThereIsIsWrittenAhead() {
        var tail = SegmentTail()
        var wanted: [Int] = []
        for _ in 0..<40 {
            tail.wrote(file, at: tail.end, 8000)
            if tail.wanted > 0 {
                wanted.append(tail.wanted)
                tail.prepared(tail.wanted)
                #expect(tail.wanted == 0 && tail.excess?.end == tail.end)
            }
            tail.flushed(file)
        }
        #expect(wanted == [24_000, 56_000, 120_000, 248_000])
        while tail.excess != nil { flush(&tail, 8000) }
        #expect(tail.end == 2 * 248_000)
    }

    @Test func nothingIsWrittenWhereNoSegmentReaches() {
        var tail = SegmentTail()
        flush(&tail, Geometry.usualSegmentBytes - 60_000)
        for _ in 0..<2 { flush(&tail, 8000) }
        tail.wrote(file, at: tail.end, 8000)
        #expect(tail.wanted == 60_000 - 3 * 8000)
        tail.wrote(file, at: tail.end, 40_000)
        #expect(tail.wanted == 0)
    }

    @Test func theNextSegmentHasNone() {
        var tail = SegmentTail()
        for _ in 0..<3 { flush(&tail, 8000) }
        tail.prepared(16_000)
        tail.wrote(.segment(2), at: 0, 8000)
        #expect(tail.excess == nil && tail.end == 8000 && tail.wanted == 16 << 10)
        tail.deleted(.segment(2))
        #expect(tail.end == 0 && tail.wanted == 0)
    }
}
