import Seeds
import Testing
import Wire

/// Every message there and back, byte for byte as it has always been, and whatever else may arrive.
struct MessageTests {
    @Test func everyKindHasASample() {
        let sampled = Set(Sample.all.map(\.kind.rawValue))
        // Commits and replies to record requests are lists of record pieces, tested by themselves.
        let lists: Set<UInt8> = [FrameHeader.Kind.commit.rawValue, FrameHeader.Kind.recordReply.rawValue]
        #expect(sampled.union(lists) == Set(FrameHeader.Kind.allCases.map(\.rawValue)))
    }

    @Test(arguments: Sample.all) func thereAndBack(sample: Sample) {
        #expect(sample.again(sample.frame()) == sample.payload)
    }

    @Test(arguments: Sample.all) func theBytesNeverChange(sample: Sample) {
        #expect(hex(sample.payload) == Golden.payloads["\(sample.kind)"])
    }

    @Test(arguments: Sample.all) func aFrameOfAnyOtherLengthIsRefused(sample: Sample) {
        let frame = sample.frame()
        for length in Limits.headerBytes..<frame.count { #expect(sample.again(Array(frame.prefix(length))) == nil) }
        // A grant carries records behind its head, of whatever length.
        guard sample.kind != .tokenGrant else { return }
        for more in 1...20 { #expect(sample.again(frame + [UInt8](repeating: 0, count: more)) == nil) }
    }

    @Test(arguments: Sample.all) func flippedBitsGiveASoundValueOrNone(sample: Sample) {
        let frame = sample.frame()
        for bit in 0..<(frame.count - Limits.headerBytes) * 8 {
            var hostile = frame
            hostile[Limits.headerBytes + bit / 8] ^= 1 << UInt8(bit % 8)
            guard let understood = sample.again(hostile) else { continue }
            // What was understood can be said again, and is then understood the same.
            let repeated = Array(hostile.prefix(Limits.headerBytes)) + understood
            #expect(sample.again(repeated) == understood, "bit \(bit)")
        }
    }

    @Test(arguments: Sample.all, SeededGenerator.seeds) func rubbishNeverTraps(sample: Sample, seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let frame = sample.frame()
        for _ in 0..<300 {
            let length = Limits.headerBytes + Int.random(in: 0...(2 * sample.payload.count + 8), using: &random)
            let tail = (Limits.headerBytes..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            _ = sample.again(Array(frame.prefix(Limits.headerBytes)) + tail)
        }
    }
}

/// Times that contradict their epoch, which no sound arbiter sends.
struct ImpossibleTimeTests {
    private func time(_ epoch: UInt32) -> GlobalTime { GlobalTime(epoch: epoch, counter: 1) }

    @Test(arguments: [(UInt32(2), UInt32(0), true), (3, 0, false), (1, 2, false)])
    func aNodeIsLetInAtATimeOfItsEpochThatIsSavedNoFurther(applied: UInt32, saved: UInt32, isSound: Bool) {
        let accept = JoinAccept(
            nonce: 1, incarnation: 1, epoch: 2, applied: time(applied), saved: saved == 0 ? .zero : time(saved),
            sharedPages: 1, tokenHolder: .nobody, tokenNumber: 0, isPrimary: false)
        #expect((Sample(accept).again(Sample(accept).frame()) != nil) == isSound)
    }

    // The arbiter saved zeros for a page that came without bytes.
    @Test(arguments: [(UInt32(0), UInt16(0), true), (1, 4096, true), (1, 0, false), (0, 4096, false)])
    func onlyAPageThatWasNeverCommittedHasNoBytes(version: UInt32, length: UInt16, isSound: Bool) {
        let reply = PageReply(
            nonce: 1, page: PageNumber(1), version: version == 0 ? .zero : time(version), index: 0, count: 1, offset: 0,
            length: length)
        let sample = Sample(reply, behind: [UInt8](repeating: 0, count: Int(length)))
        #expect((sample.again(sample.frame()) != nil) == isSound)
    }

    @Test(arguments: [(UInt32(2), UInt32(2), true), (3, 2, false), (2, 4, false)])
    func anEpochOpensAtACommitOfAnEarlierOne(opened: UInt32, saved: UInt32, isSound: Bool) {
        let open = Open(saved: time(saved), grantee: .nobody, granteeIncarnation: 0, count: 1)
        var record: [UInt8] = [3, 0, 0, 0]
        for shift in 0..<8 { record.append(UInt8(truncatingIfNeeded: time(opened).raw >> UInt64(8 * shift))) }
        let sample = Sample(open, behind: record)
        #expect((sample.again(sample.frame()) != nil) == isSound)
    }
}

struct FrameHeaderTests {
    private let frame = Sample.all[5].frame()

    @Test func thereAndBack() throws {
        let header = try FrameHeader.parse(frame.span.bytes)
        var expected = Sample.header
        expected.payloadBytes = 16
        #expect(header == expected)
        #expect(isAuthentic(frame, Sample.key))
    }

    @Test func theBytesNeverChange() {
        #expect(hex(frame.prefix(Limits.headerBytes)) == Golden.header)
    }

    @Test func eachBitIsCoveredByTheTag() {
        for bit in 16 * 8 ..< frame.count * 8 {
            var hostile = frame
            hostile[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!isAuthentic(hostile, Sample.key), "bit \(bit)")
        }
        #expect(!isAuthentic(frame, FrameKey(SipHash.Key(low: 1, high: 2))))
    }

    @Test func faultsAreNamed() {
        func fault(_ bytes: [UInt8]) -> FrameHeader.Fault? {
            do throws(FrameHeader.Fault) {
                _ = try FrameHeader.parse(bytes.span.bytes)
                return nil
            } catch { return error }
        }
        func changed(_ offset: Int, _ value: UInt8) -> [UInt8] {
            var bytes = frame
            bytes[offset] = value
            return bytes
        }
        #expect(fault(Array(frame.prefix(71))) == .truncated)
        #expect(fault([]) == .truncated)
        #expect(fault(changed(12, 8)) == .foreign)
        #expect(fault(changed(14, 1)) == .reserved)
        #expect(fault(changed(16, 2)) == .version)
        #expect(fault(changed(17, 0)) == .kind)
        #expect(fault(changed(20, 17)) == .length)
        #expect(fault(changed(22, 1)) == .reserved)
        #expect(fault(changed(27, 1)) == .reserved)
        #expect(fault(frame + [0]) == .length)
        #expect(fault(Array(frame.dropLast())) == .length)
        let large = [UInt8](repeating: 0, count: Limits.maximumFrameBytes + 1 - frame.count)
        var oversized = frame + large
        oversized[20] = UInt8((oversized.count - Limits.headerBytes) & 0xFF)
        oversized[21] = UInt8((oversized.count - Limits.headerBytes) >> 8)
        #expect(fault(oversized) == .length)
    }
}

struct BootModuleTests {
    private let module = BootModule(cluster: 1, key: SipHash.Key(low: 2, high: 3), nonce: 4, sharedPages: 4096,
                                    maximumFrameBytes: 1514, node: Station(7))

    private func emit(_ module: BootModule) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xFF, count: BootModule.byteCount)
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        module.emit(into: &raw)
        return bytes
    }

    @Test func thereAndBack() {
        let bytes = emit(module)
        #expect(parseModule(bytes) == module)
        #expect(hex(bytes) == Golden.bootModule)
        #expect(bytes.starts(with: Array("PLURIX\0\u{1}".utf8)))
    }

    @Test func impossibleOnesAreRefused() {
        let bytes = emit(module)
        for length in 0..<BootModule.byteCount { #expect(parseModule(Array(bytes.prefix(length))) == nil) }
        for (offset, value) in [(0, 0), (46, 0), (46, 65), (46, 0xF0), (45, 0xFF)] as [(Int, UInt8)] {
            var hostile = bytes
            hostile[offset] = value
            #expect(parseModule(hostile) == nil, "byte \(offset)")
        }
        var empty = module
        empty.sharedPages = 0
        #expect(parseModule(emit(empty)) == nil)
    }
}
