import Testing

@testable import Wire

@Suite struct PageTrainTests {
    private static let counts = [2, 3, Limits.trainPages]

    private static func page(_ number: Int) -> [UInt64] {
        (0..<UInt64(Limits.pageBytes / 8)).map { ($0 + UInt64(1000 * number)) &* 0x9E37_79B9_7F4A_7C15 }
    }

    private static func header(_ train: PageTrain) -> FrameHeader {
        var header = Sample.header
        header.kind = .pageTrain
        header.payloadBytes = train.byteCount
        return header
    }

    private static func train(_ count: Int) -> PageTrain {
        var train = PageTrain(nonce: 3, version: GlobalTime(epoch: 2, counter: 9))
        for place in 0..<UInt32(count) { train.append(PageNumber(100 - 3 * place)) }
        return train
    }

    private static func frame(_ count: Int) -> [UInt8] {
        let train = train(count)
        var writer = TrainWriter(
            header(train), nonce: train.nonce, version: train.version, count: count, key: Sample.key)
        var frame = [UInt8](repeating: 0, count: writer.byteCount)
        var span = frame.mutableSpan
        var bytes = span.mutableBytes
        writer.begin(&bytes)
        for number in 0..<count { writer.append(train[number], page(number).span.bytes, to: &bytes) }
        writer.finish(&bytes)
        return frame
    }

    @Test(arguments: counts) func whatIsWrittenInOnePassIsWhatAnyFrameWouldBe(count: Int) throws {
        let frame = Self.frame(count)
        let header = try FrameHeader.parse(frame.span.bytes)
        #expect(header == Self.header(Self.train(count)))
        let train = PageTrain.parse(frame.span.bytes)
        #expect(train?.count == count && train?.nonce == 3)
        #expect((0..<count).allSatisfy { train?[$0] == PageNumber(100 - 3 * UInt32($0)) })
        #expect(isAuthentic(frame, Sample.key))
        for number in 0..<count {
            for (word, value) in Self.page(number).enumerated() {
                let place = PageTrain.dataOffset(count) + number * Limits.pageBytes + 8 * word
                let found = frame.span.bytes.load(UInt64.self, at: place)
                #expect(found == value)
            }
        }
        var again = [UInt8](repeating: 0, count: frame.count)
        again.replaceSubrange(Limits.headerBytes..., with: frame[Limits.headerBytes...])
        var span = again.mutableSpan
        var bytes = span.mutableBytes
        Self.header(Self.train(count)).emit(into: &bytes, key: Sample.key)
        #expect(again == frame)
    }

    @Test(arguments: counts) func nothingOfItCanBeChanged(count: Int) {
        let frame = Self.frame(count)
        for bit in stride(from: 16 * 8, to: frame.count * 8, by: 127) {
            var hostile = frame
            hostile[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!isAuthentic(hostile, Sample.key), "bit \(bit)")
        }
        // Two pages change places; one goes, one comes, a part of one.
        let first = PageTrain.dataOffset(count)
        let second = first + Limits.pageBytes
        let swapped = frame[..<first] + frame[second..<second + Limits.pageBytes] + frame[first..<second]
            + frame[(second + Limits.pageBytes)...]
        for hostile in [
            Array(swapped), frame.dropLast(Limits.pageBytes), frame + frame.suffix(Limits.pageBytes), frame + [0],
            frame.dropLast(), frame.dropLast(8), Array(frame.prefix(first - 1)),
        ] as [[UInt8]] {
            #expect(!isAuthentic(hostile, Sample.key), "\(hostile.count) bytes")
        }
    }

    @Test func impossibleOnesAreNone() {
        func isRead(_ train: PageTrain, _ bytes: Int) -> Bool {
            var frame = [UInt8](repeating: 0, count: train.dataOffset + bytes)
            var header = Self.header(train)
            header.payloadBytes = frame.count - Limits.headerBytes
            var span = frame.mutableSpan
            var bytes = span.mutableBytes
            train.emit(into: &bytes)
            header.emit(into: &bytes, key: Sample.key)
            return PageTrain.parse(bytes.bytes) != nil
        }
        let page = Limits.pageBytes
        #expect(isRead(Self.train(2), 2 * page) && isRead(Self.train(15), 15 * page))
        #expect(!isRead(Self.train(2), 3 * page) && !isRead(Self.train(2), page))
        #expect(!isRead(Self.train(2), 2 * page - 8))
        #expect(!isRead(Self.train(1), page) && !isRead(Self.train(0), 0))
        var train = Self.train(2)
        train.version = .zero
        #expect(!isRead(train, 2 * page))
    }
}
