import Testing
import Wire

/// Records of commits travel in pieces, several to a frame.
struct RecordPieceTests {
    private func frame(_ totals: [Int]) -> [UInt8] {
        var frame = [UInt8](repeating: 0, count: Limits.headerBytes)
        for (index, total) in totals.enumerated() {
            let piece = RecordPiece(time: GlobalTime(epoch: 1, counter: UInt64(index + 1)), digest: 0, tokenNumber: 3,
                                    committer: Station(2), committerIncarnation: 4, index: 0, count: 1,
                                    total: UInt32(total), pages: UInt16(total))
            let offset = frame.count
            frame += [UInt8](repeating: 0, count: piece.byteCount)
            var span = frame.mutableSpan
            var raw = span.mutableBytes
            piece.emit(into: &raw, at: offset)
            for page in 0..<total { raw.store(UInt32(100 + page), at: offset + RecordPiece.headBytes + 4 * page) }
        }
        return frame
    }

    @Test func severalInOneFrame() {
        let bytes = frame([3, 0, 5])
        var totals: [UInt32] = []
        var pages: [UInt32] = []
        let isSound = RecordList.forEach(bytes.span.bytes, at: Limits.headerBytes) { piece, offset in
            totals.append(piece.total)
            for index in 0..<Int(piece.pages) {
                pages.append(RecordPiece.page(index, of: bytes.span.bytes, at: offset).index)
            }
        }
        #expect(isSound)
        #expect(totals == [3, 0, 5])
        #expect(pages == [100, 101, 102, 100, 101, 102, 103, 104])
        #expect(hex(bytes.dropFirst(Limits.headerBytes).prefix(52)) == Golden.recordPiece)
    }

    @Test func cutOffListsAreRefused() {
        let bytes = frame([3, 5])
        let whole = Limits.headerBytes + RecordPiece.headBytes + 12
        for length in Limits.headerBytes + 1 ..< bytes.count where length != whole {
            let cut = Array(bytes.prefix(length))
            #expect(!isRecordList(cut), "length \(length)")
        }
    }

    @Test func numbersMustFitTogether() {
        func isRefused(_ offset: Int, _ value: UInt8) -> Bool {
            var bytes = frame([3])
            bytes[Limits.headerBytes + offset] = value
            return parsePiece(bytes, at: Limits.headerBytes) == nil
        }
        #expect(isRefused(24, 0))  // no committer
        #expect(isRefused(24, 0xF0))  // host stations never commit
        #expect(isRefused(25, 1))  // a piece beyond the last
        #expect(isRefused(26, 0))
        #expect(isRefused(26, 2))
        #expect(isRefused(28, 4))  // more pages than are there
        #expect(isRefused(31, 0xFF))
        #expect(isRefused(32, 2))
    }

    @Test func offsetsOutsideAreRefused() {
        let bytes = frame([1])
        #expect(parsePiece(bytes, at: -1) == nil)
        #expect(parsePiece(bytes, at: bytes.count) == nil)
        #expect(parsePiece(bytes, at: .max) == nil)
    }

    @Test func piecesFillTheirFrames() {
        #expect(RecordPiece.pieces(of: 0) == 1)
        #expect(RecordPiece.pieces(of: 320) == 1)
        #expect(RecordPiece.pieces(of: 321) == 2)
        #expect(Limits.headerBytes + RecordPiece.headBytes + 4 * RecordPiece.maximumPages <= Limits.standardFrameBytes)
    }
}

/// Each limit follows from the frames that must carry it.
struct LimitsTests {
    @Test func whatMustFitOneStandardFrame() {
        #expect(Limits.headerBytes + PollAnswer.headBytes + Holding.bytes * PollAnswer.maximumHoldings
            <= Limits.standardFrameBytes)
        #expect(Limits.headerBytes + Open.headBytes + 12 * Limits.maximumChain <= Limits.standardFrameBytes)
        let grant = TokenGrant.recordsOffset + RecordPiece.headBytes * Limits.grantRecords + 4 * Limits.grantPages
        #expect(grant <= Limits.standardFrameBytes)
    }

    @Test func aPageNeedsOneJumboFrameOrThreeStandardOnes() {
        #expect(PageReply.pieceBytes(maximumFrame: Limits.maximumFrameBytes) == Limits.pageBytes)
        let standard = PageReply.pieceBytes(maximumFrame: Limits.standardFrameBytes)
        #expect((Limits.pageBytes + standard - 1) / standard == 3)
        #expect(standard % 8 == 0)
    }

    @Test func timeOrdersByEpochThenCounter() {
        let late = GlobalTime(epoch: 1, counter: 900)
        let later = GlobalTime(epoch: 2, counter: 3)
        #expect(late < later)
        #expect(late.next(in: 2) == GlobalTime(epoch: 2, counter: 901))
        #expect(later.epoch == 2 && later.counter == 3)
        #expect(GlobalTime(epoch: Limits.maximumEpoch, counter: Limits.maximumCounter).raw == .max)
    }
}

/// The queue that travels with the token.
struct TokenQueueTests {
    private func list(_ queue: TokenQueue) -> [UInt8] { (0..<queue.count).map { queue[$0].number } }

    @Test func eachStandsInItOnce() {
        var queue = TokenQueue()
        for number in [3, 1, 3, 2, 1] as [UInt8] { queue.append(Station(number)) }
        #expect(list(queue) == [3, 1, 2])
        queue.prepend(Station(2))
        #expect(list(queue) == [2, 3, 1])
        queue.prepend(Station(9))
        #expect(list(queue) == [9, 2, 3, 1])
        #expect(queue.removeFirst() == Station(9))
        queue.remove(Station(3))
        #expect(list(queue) == [2, 1])
        #expect(!queue.contains(Station(3)) && queue.contains(Station(1)))
    }

    @Test func itHoldsEveryNode() {
        var queue = TokenQueue()
        for number in 1...64 { queue.append(Station(UInt8(number))) }
        #expect(queue.count == 64)
        queue.prepend(Station(64))
        #expect(queue.count == 64 && queue[0] == Station(64) && queue[63] == Station(63))
        for _ in 0..<64 { #expect(queue.removeFirst() != .nobody) }
        #expect(queue.removeFirst() == .nobody && queue.count == 0)
    }
}
