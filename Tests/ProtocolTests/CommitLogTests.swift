import Testing
import Wire

@testable import Protocol

/// A record's pieces on their way from one log to another.
struct CommitLogTests {
    private let committer = Station(2)

    /// The frames that carry a record.
    private func frames(_ log: CommitLog, _ counter: UInt64) -> [[UInt8]] {
        guard let entry = log.entry(counter) else { return [] }
        return (0..<RecordPiece.pieces(of: entry.total)).map { index in
            let piece = log.piece(index, of: entry)
            var frame = [UInt8](repeating: 0, count: Limits.headerBytes + piece.byteCount)
            var span = frame.mutableSpan
            var raw = span.mutableBytes
            log.emit(piece, of: entry, into: &raw, at: Limits.headerBytes)
            return frame
        }
    }

    @discardableResult
    private func insert(_ frame: [UInt8], into log: inout CommitLog) -> Bool {
        var isTaken = false
        let isSound = RecordList.forEach(frame.span.bytes, at: Limits.headerBytes) { piece, offset in
            isTaken = log.insert(piece, from: frame.span.bytes, at: offset)
        }
        return isSound && isTaken
    }

    private func append(_ counter: UInt64, _ pages: [UInt32], epoch: UInt32 = 1, to log: inout CommitLog) {
        log.append(GlobalTime(epoch: epoch, counter: counter), tokenNumber: 1, committer: committer, incarnation: 9,
                   pages: pages, count: pages.count)
    }

    private func pages(_ log: CommitLog, _ counter: UInt64) -> [UInt32]? {
        guard let entry = log.entry(counter), entry.isComplete else { return nil }
        return (0..<entry.total).map { log.page($0, of: entry).index }
    }

    @Test func piecesInAnyOrderMakeTheRecord() {
        var source = CommitLog(entries: 64, words: 4096)
        let written = (0..<700).map { UInt32($0 * 3) }
        append(1, written, to: &source)
        var pieces = frames(source, 1)
        #expect(pieces.count == 3)
        pieces.swapAt(0, 2)
        var target = CommitLog(entries: 64, words: 4096)
        for (index, piece) in pieces.enumerated() {
            #expect(pages(target, 1) == nil)
            #expect(insert(piece, into: &target))
            // Again changes nothing.
            #expect(insert(piece, into: &target))
            #expect((target.entry(1)?.isComplete == true) == (index == 2))
        }
        #expect(pages(target, 1) == written)
    }

    // [P16] One digest ties the pieces of a commit together.
    @Test func piecesOfDifferentCommitsDoNotMix() {
        var one = CommitLog(entries: 64, words: 4096)
        var other = CommitLog(entries: 64, words: 4096)
        append(1, (0..<400).map { UInt32($0) }, to: &one)
        append(1, (0..<400).map { UInt32($0 + 1) }, to: &other)
        var target = CommitLog(entries: 64, words: 4096)
        #expect(insert(frames(one, 1)[0], into: &target))
        #expect(!insert(frames(other, 1)[1], into: &target))
        #expect(pages(target, 1) == nil)
    }

    @Test func aWrongPageIsSeenByTheDigest() {
        var source = CommitLog(entries: 64, words: 4096)
        append(1, (0..<400).map { UInt32($0) }, to: &source)
        var pieces = frames(source, 1)
        pieces[1][Limits.headerBytes + RecordPiece.headBytes] ^= 1
        var target = CommitLog(entries: 64, words: 4096)
        #expect(insert(pieces[0], into: &target))
        #expect(!insert(pieces[1], into: &target))
        #expect(target.entry(1) == nil)
    }

    @Test func theRingForgetsTheOldest() {
        var log = CommitLog(entries: 8, words: 1024)
        for counter in 1...20 as ClosedRange<UInt64> { append(counter, [UInt32(counter)], to: &log) }
        #expect(log.entry(12) == nil)
        #expect(pages(log, 13) == [13])
        #expect(pages(log, 20) == [20])
        // A record that comes late does not push out a newer one.
        var old = CommitLog(entries: 8, words: 1024)
        append(4, [4], to: &old)
        #expect(!insert(frames(old, 4)[0], into: &log))
        #expect(pages(log, 20) == [20])
    }

    @Test func overwrittenWordsAreNeverShown() {
        var log = CommitLog(entries: 64, words: 256)
        append(1, (0..<100).map { UInt32($0) }, to: &log)
        append(2, (0..<100).map { UInt32($0) }, to: &log)
        #expect(pages(log, 1)?.count == 100)
        append(3, (0..<100).map { UInt32($0) }, to: &log)
        #expect(log.entry(1) == nil)
        #expect(pages(log, 2)?.count == 100)
    }

    // A digest of zero passed for none at all, and any two pieces for one commit.
    @Test func piecesOfALargeRecordNeedADigest() {
        let piece = RecordPiece(
            time: GlobalTime(epoch: 1, counter: 1), digest: 0, tokenNumber: 1, committer: committer,
            committerIncarnation: 9, index: 0, count: 2, total: 321, pages: 320)
        var log = CommitLog(entries: 64, words: 1024)
        for index in 0..<2 as Range<UInt8> {
            var part = piece
            part.index = index
            part.pages = index == 0 ? 320 : 1
            var frame = [UInt8](repeating: 0, count: Limits.headerBytes + part.byteCount)
            var span = frame.mutableSpan
            var raw = span.mutableBytes
            part.emit(into: &raw, at: Limits.headerBytes)
            #expect(insert(frame, into: &log) == (index == 0))
        }
        #expect(log.entry(1) == nil)
    }

    @Test func undoneRecordsAreGone() {
        var log = CommitLog(entries: 64, words: 1024)
        for counter in 1...5 as ClosedRange<UInt64> { append(counter, [1], to: &log) }
        log.removeAll(after: GlobalTime(epoch: 1, counter: 3))
        #expect(log.entry(3) != nil && log.entry(4) == nil && log.entry(5) == nil)
        append(4, [7], epoch: 2, to: &log)
        #expect(log.entry(4)?.time == GlobalTime(epoch: 2, counter: 4))
    }

    @Test func commitsMustLeaveRoomForWhatIsUnsaved() {
        var log = CommitLog(entries: 128, words: 1024)
        #expect(log.hasRoom(500, protecting: 1, upTo: 0))
        for counter in 1...62 as ClosedRange<UInt64> { append(counter, [1, 2], to: &log) }
        #expect(log.hasRoom(10, protecting: 1, upTo: 62))
        #expect(!log.hasRoom(10, protecting: 1, upTo: 64))
        #expect(!log.hasRoom(900, protecting: 1, upTo: 62))
        #expect(log.hasRoom(10, protecting: 60, upTo: 62))
    }
}

struct PreImagesTests {
    private func image(_ page: UInt32, _ counter: UInt64) -> PreImage {
        PreImage(page: PageNumber(page), version: GlobalTime(epoch: 1, counter: counter),
                 handle: FrameHandle(UInt32(counter)))
    }

    @Test func exactVersionsAreFoundAndSavedOnesGivenBack() {
        var images = PreImages(capacity: 3)
        images.append(image(1, 10))
        images.append(image(1, 11))
        images.append(image(2, 12))
        #expect(images.isFull)
        #expect(images.find(PageNumber(1), GlobalTime(epoch: 1, counter: 11)) == FrameHandle(11))
        #expect(images.find(PageNumber(2), GlobalTime(epoch: 1, counter: 11)) == nil)
        var returned: [UInt32] = []
        images.remove(where: { $0.version.counter <= 11 }, { returned.append($0.handle.number) })
        #expect(returned == [10, 11] && images.count == 1)
        #expect(images.removeOldest()?.handle == FrameHandle(12))
        #expect(images.removeOldest() == nil)
    }
}
