import Wire

// Expectations cannot hold spans, so these take arrays.

func isAuthentic(_ frame: [UInt8], _ key: FrameKey) -> Bool { FrameHeader.isAuthentic(frame.span.bytes, key: key) }
func parseModule(_ bytes: [UInt8]) -> BootModule? { BootModule.parse(bytes.span.bytes) }
func parsePiece(_ bytes: [UInt8], at offset: Int) -> RecordPiece? { RecordPiece.parse(bytes.span.bytes, at: offset) }
func isRecordList(_ bytes: [UInt8]) -> Bool { RecordList.forEach(bytes.span.bytes, at: Limits.headerBytes) { _, _ in } }

/// One sound message of each kind, with the way back from its bytes.
struct Sample: Sendable, CustomStringConvertible {
    let kind: FrameHeader.Kind
    let payload: [UInt8]
    /// Parses the frame and writes what was understood again; nil when the frame was refused.
    let again: @Sendable ([UInt8]) -> [UInt8]?

    var description: String { "\(kind)" }

    /// - Parameter behind: bytes that follow the head which the message writes itself.
    init<M: Message>(_ message: M, behind: [UInt8] = []) {
        kind = M.kind
        payload = Sample.emit(message, behind)
        again = { frame in
            guard let parsed = M.parse(frame.span.bytes) else { return nil }
            return Sample.emit(parsed, Array(frame.suffix(min(behind.count, parsed.byteCount))))
        }
    }

    /// The payload of a frame that carries the message; `behind` fills its end.
    static func emit<M: Message>(_ message: M, _ behind: [UInt8]) -> [UInt8] {
        var frame = [UInt8](repeating: 0, count: Limits.headerBytes + message.byteCount)
        var span = frame.mutableSpan
        var raw = span.mutableBytes
        message.emit(into: &raw)
        if !behind.isEmpty { frame.replaceSubrange((frame.count - behind.count)..., with: behind) }
        return Array(frame.dropFirst(Limits.headerBytes))
    }

    static let header = FrameHeader(
        kind: .heartbeat, sender: Station(3), target: .everyone, payloadBytes: 0, epoch: 7, incarnation: 5,
        cluster: 0x1122_3344_5566_7788, sequence: 99, applied: GlobalTime(epoch: 7, counter: 1234))
    static let key = FrameKey(SipHash.Key(low: 0x0102_0304_0506_0708, high: 0x1112_1314_1516_1718))

    /// The whole frame, signed.
    func frame(key: FrameKey = Sample.key) -> [UInt8] {
        var header = Sample.header
        header.kind = kind
        header.payloadBytes = payload.count
        var frame = [UInt8](repeating: 0, count: Limits.headerBytes) + payload
        var span = frame.mutableSpan
        var raw = span.mutableBytes
        header.emit(into: &raw, key: key)
        return frame
    }

    private static let time = GlobalTime(epoch: 2, counter: 0x1234)
    private static let build = BuildIdentifier(low: 0xA1A2_A3A4_A5A6_A7A8, high: 0xB1B2_B3B4_B5B6_B7B8)

    private static var train: PageTrain {
        var train = PageTrain(nonce: 3, version: time)
        for number in [77, 9, 78] as [UInt32] { train.append(PageNumber(number)) }
        return train
    }

    private static var queue: TokenQueue {
        var queue = TokenQueue()
        queue.append(Station(4))
        queue.append(Station(2))
        return queue
    }

    private static var counters: Counters {
        var counters = Counters()
        counters.commits = 1
        counters.aborts = 2
        counters.pagesFetched = 3
        counters.joinNanoseconds = 4
        counters.joinPageRequests = 5
        return counters
    }

    static let all: [Sample] = [
        Sample(JoinRequest(nonce: 1, build: build)),
        Sample(JoinChallenge(nonce: 1, challenge: 2)),
        Sample(JoinAnswer(nonce: 1, challenge: 2, build: build)),
        Sample(JoinAccept(nonce: 1, incarnation: 9, epoch: 2, applied: time, saved: .zero, sharedPages: 4096,
                          tokenHolder: Station(2), tokenNumber: 1, isPrimary: true)),
        Sample(JoinRefusal(nonce: 1, reason: .build, build: build)),
        Sample(Heartbeat(saved: time, tokenNumber: 8, holdsToken: true)),
        Sample(PageRequest(nonce: 3, page: PageNumber(77), count: 16, requester: Station(3), requesterIncarnation: 5,
                           applied: time, wanted: .zero)),
        Sample(PageReply(nonce: 3, page: PageNumber(77), version: time, index: 7, count: 8, offset: 4088, length: 8),
               behind: [1, 2, 3, 4, 5, 6, 7, 8]),
        Sample(train, behind: [UInt8](repeating: 0xA5, count: 3 * Limits.pageBytes)),
        Sample(PageAbsent(nonce: 3, page: PageNumber(77))),
        Sample(TokenRequest(requester: Station(3), requesterIncarnation: 5, hops: 1, isUrgent: true)),
        Sample(TokenGrant(
            number: 6, target: Station(3), targetIncarnation: 5, time: time, queue: queue, recordBytes: 0)),
        Sample(RecordRequest(first: 10, count: 64)),
        Sample(Missing(thing: .record, detail: 11)),
        Sample(Poll(epoch: 3, saved: time)),
        Sample(PollAnswer(epoch: 3, applied: time, index: 0, count: 1, holdings: 1),
               behind: [77, 0, 0, 0, 0x34, 0x12, 0, 0, 0, 0x20, 0, 0]),
        Sample(Open(saved: time, grantee: Station(1), granteeIncarnation: 4, count: 2),
               behind: [3, 0, 0, 0, 0x34, 0x12, 0, 0, 0, 0x20, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        Sample(EpochQuestion()),
        Sample(StrictRead(nonce: 12)),
        Sample(SaveRequest(time: GlobalTime(epoch: 3, counter: 14))),
        Sample(StrictAnswer(nonce: 12, time: time)),
        Sample(Command(identifier: 13, verb: .perform, argument: 14, length: 3), behind: [1, 2, 3]),
        Sample(CommandReply(identifier: 13, status: .refused, time: time)),
        Sample(Report(counters: counters, isReady: true)),
    ]
}
