import Wire

@testable import Protocol

extension FrameForge {
    /// The payload of a message; its pieces and lists as well.
    func payload(_ kind: FrameHeader.Kind, _ input: inout Input) -> [UInt8] {
        switch kind {
        case .joinRequest: bytes(JoinRequest(nonce: nonce(joinNonce, &input), build: build(&input)))
        case .joinChallenge:
            bytes(JoinChallenge(nonce: nonce(joinNonce, &input), challenge: nonce(challenge, &input)))
        case .joinAnswer:
            bytes(JoinAnswer(
                nonce: nonce(joinNonce, &input), challenge: nonce(challenge, &input), build: build(&input)))
        case .joinAccept: joinAccept(&input)
        case .joinRefusal: joinRefusal(&input)
        case .heartbeat:
            bytes(Heartbeat(saved: time(&input), tokenNumber: tokenNumber(&input), holdsToken: input.flag()))
        case .pageRequest: pageRequest(&input)
        case .pageReply: pageReply(&input)
        case .pageTrain: pageTrain(&input)
        case .pageAbsent: pageAbsent(&input)
        case .tokenRequest:
            bytes(TokenRequest(requester: station(&input), requesterIncarnation: incarnation(&input),
                               hops: input.byte() & 7, isUrgent: input.flag()))
        case .tokenGrant: tokenGrant(&input)
        case .commit, .recordReply: records(&input)
        case .recordRequest:
            bytes(RecordRequest(first: counter(&input), count: input.flag() ? input.number() : UInt32(input.byte())))
        case .missing:
            bytes(Missing(thing: Missing.Thing(rawValue: UInt8(1 + input.below(3))) ?? .token,
                          detail: input.flag() ? applied.counter &+ 1 : counter(&input)))
        case .poll: bytes(Poll(epoch: epoch(&input), saved: time(&input)))
        case .pollAnswer: pollAnswer(&input)
        case .open: open(&input)
        case .epochQuestion: []
        case .strictRead: bytes(StrictRead(nonce: input.number()))
        case .saveRequest: bytes(SaveRequest(time: time(&input)))
        case .strictAnswer: bytes(StrictAnswer(nonce: nonce(strictNonce, &input), time: time(&input)))
        case .command: command(&input)
        case .commandReply:
            bytes(CommandReply(identifier: input.number(), status: input.flag() ? .done : .refused, time: time(&input)))
        case .report: bytes(Report(counters: Counters(), isReady: input.flag()))
        }
    }

    /// - Parameter more: fills the message's end.
    private func bytes<M: Message>(_ message: M, _ more: [UInt8] = []) -> [UInt8] {
        var frame = [UInt8](repeating: 0, count: Limits.headerBytes + message.byteCount)
        frame.write { message.emit(into: &$0) }
        return frame[Limits.headerBytes...].dropLast(more.count) + more
    }

    private func build(_ input: inout Input) -> BuildIdentifier {
        input.byte() < 0xF0 ? Self.build : BuildIdentifier(low: 0, high: 0)
    }

    private func counter(_ input: inout Input) -> UInt64 {
        input.flag() ? UInt64(input.byte()) : time(&input).counter
    }

    private func joinAccept(_ input: inout Input) -> [UInt8] {
        bytes(JoinAccept(
            nonce: nonce(joinNonce, &input), incarnation: incarnation(&input), epoch: epoch(&input),
            applied: time(&input), saved: time(&input),
            sharedPages: input.byte() < 0xF0 ? UInt32(sharedPages) : input.number(), tokenHolder: station(&input),
            tokenNumber: tokenNumber(&input), isPrimary: input.flag()))
    }

    private func joinRefusal(_ input: inout Input) -> [UInt8] {
        let reason = JoinRefusal.Reason(rawValue: UInt8(1 + input.below(3))) ?? .build
        let known = reason == .removed ? UInt64(incarnation) : joinNonce
        return bytes(JoinRefusal(nonce: nonce(known, &input), reason: reason, build: build(&input)))
    }

    private func pageRequest(_ input: inout Input) -> [UInt8] {
        bytes(PageRequest(
            nonce: input.number(), page: page(&input), count: UInt16(input.below(18)), requester: station(&input),
            requesterIncarnation: incarnation(&input), applied: time(&input),
            wanted: input.flag() ? .zero : time(&input)))
    }

    /// A piece of a page that was asked for.
    private func pageReply(_ input: inout Input) -> [UInt8] {
        let request = requests.isEmpty ? nil : requests[input.below(requests.count)]
        let most = PageReply.pieceBytes(maximumFrame: maximumFrameBytes)
        let isZero = input.below(4) == 0
        let pieces = isZero ? 1 : (Limits.pageBytes + most - 1) / most
        let index = input.below(pieces)
        let length = isZero ? 0 : min(most, Limits.pageBytes - index * most)
        let distance = request.map { input.below(Int($0.count)) } ?? 0
        let asked = request.map { PageNumber($0.page.index &+ UInt32(distance)) } ?? page(&input)
        let wanted = request?.wanted ?? .zero
        let version = wanted > .zero && input.byte() < 0xF0 ? wanted : time(&input)
        return bytes(
            PageReply(nonce: nonce(request?.nonce ?? 0, &input), page: asked, version: version,
                      index: UInt8(index), count: UInt8(pieces), offset: UInt16(index * most), length: UInt16(length)),
            [UInt8](repeating: input.byte(), count: length))
    }

    /// Neighbours that were asked for, or some of them, or others.
    private func pageTrain(_ input: inout Input) -> [UInt8] {
        let request = requests.isEmpty ? nil : requests[input.below(requests.count)]
        let count = 2 + input.below(Limits.trainPages - 1)
        let distance = request.map { input.below(Int($0.count)) } ?? 0
        let first = request.map { PageNumber($0.page.index &+ UInt32(distance)) } ?? page(&input)
        let wanted = request?.wanted ?? .zero
        let version = wanted > .zero && input.byte() < 0xF0 ? wanted : time(&input)
        var train = PageTrain(nonce: nonce(request?.nonce ?? 0, &input), version: version)
        for place in 0..<count {
            train.append(input.byte() < 0xE0 ? PageNumber(first.index &+ UInt32(place)) : page(&input))
        }
        return bytes(train, [UInt8](repeating: input.byte(), count: count * Limits.pageBytes))
    }

    private func pageAbsent(_ input: inout Input) -> [UInt8] {
        let request = requests.isEmpty ? nil : requests[input.below(requests.count)]
        return bytes(PageAbsent(nonce: nonce(request?.nonce ?? 0, &input), page: request?.page ?? page(&input)))
    }

    private func tokenGrant(_ input: inout Input) -> [UInt8] {
        var queue = TokenQueue()
        for _ in 0..<input.below(4) {
            let station = station(&input)
            if station.isNode { queue.append(station) }
        }
        let list = input.flag() ? records(&input) : []
        return bytes(
            TokenGrant(number: tokenNumber(&input), target: station(&input), targetIncarnation: incarnation(&input),
                       time: time(&input), queue: queue, recordBytes: list.count), list)
    }

    /// Some commits one after the other, or one piece of a large one.
    private func records(_ input: inout Input) -> [UInt8] {
        let committer = [Station(2), Station(3), receiver.isNode ? receiver : Station(1)][input.below(3)]
        let token = tokenNumber(&input)
        if input.below(4) == 0 { return largeRecord(committer, token, &input) }
        var list: [UInt8] = []
        var time = time(&input)
        for _ in 0...input.below(4) {
            let pages = (0..<input.below(6)).map { _ in page(&input).index }
            list += record(time, committer, token, all: pages, index: 0)
            time = GlobalTime(raw: time.raw &+ 1)
        }
        return list
    }

    private func largeRecord(_ committer: Station, _ token: UInt32, _ input: inout Input) -> [UInt8] {
        let total = [321, 400, 640, 641][input.below(4)]
        let all = (0..<total).map { UInt32($0 % (sharedPages + 2)) }
        return record(time(&input), committer, token, all: all, index: input.below(RecordPiece.pieces(of: total)))
    }

    private func record(_ time: GlobalTime, _ committer: Station, _ token: UInt32, all: [UInt32],
                        index: Int) -> [UInt8] {
        let first = index * RecordPiece.maximumPages
        let pages = Array(all[first..<min(all.count, first + RecordPiece.maximumPages)])
        let pieces = RecordPiece.pieces(of: all.count)
        let piece = RecordPiece(
            time: time, digest: pieces > 1 ? CommitLog.digest(all) : 0, tokenNumber: token, committer: committer,
            committerIncarnation: 1, index: UInt8(index), count: UInt8(pieces), total: UInt32(all.count),
            pages: UInt16(pages.count))
        var bytes = [UInt8](repeating: 0, count: piece.byteCount)
        bytes.write { bytes in
            piece.emit(into: &bytes, at: 0)
            for (place, page) in pages.enumerated() { bytes.store(page, at: RecordPiece.headBytes + 4 * place) }
        }
        return bytes
    }

    private func pollAnswer(_ input: inout Input) -> [UInt8] {
        let count = UInt16(input.byte() < 0xF0 ? 1 : input.byte())
        let holdings = (0..<input.below(8)).map { _ in Holding(page: page(&input), version: time(&input)) }
        let answer = PollAnswer(
            epoch: input.byte() < 0xE0 ? epoch + 1 : epoch(&input), applied: time(&input),
            index: UInt16(input.below(max(1, Int(count)))), count: count, holdings: UInt16(holdings.count))
        var frame = [UInt8](repeating: 0, count: Limits.headerBytes + answer.byteCount)
        frame.write { bytes in
            answer.emit(into: &bytes)
            for (place, holding) in holdings.enumerated() { PollAnswer.store(holding, at: place, into: &bytes) }
        }
        return Array(frame[Limits.headerBytes...])
    }

    private func open(_ input: inout Input) -> [UInt8] {
        var chain: [EpochRecord] = []
        var last = epoch(&input)
        for _ in 0...input.below(3) {
            chain.append(EpochRecord(epoch: last, opened: time(&input)))
            guard last > 0 else { break }
            last -= 1
        }
        let open = Open(saved: time(&input), grantee: station(&input), granteeIncarnation: incarnation(&input),
                        count: UInt16(chain.count))
        var frame = [UInt8](repeating: 0, count: Limits.headerBytes + open.byteCount)
        frame.write { bytes in
            open.emit(into: &bytes)
            for (place, record) in chain.enumerated() { Open.store(record, at: place, into: &bytes) }
        }
        return Array(frame[Limits.headerBytes...])
    }

    private func command(_ input: inout Input) -> [UInt8] {
        let length = input.below(64)
        let verb = Command.Verb(rawValue: UInt8(1 + input.below(3))) ?? .perform
        return bytes(
            Command(identifier: UInt64(input.byte()), verb: verb, argument: input.number(), length: UInt16(length)),
            [UInt8](repeating: 0, count: length))
    }
}

extension CommitLog {
    /// The digest of a write set, by a log that has it.
    static func digest(_ pages: [UInt32]) -> UInt64 {
        var log = CommitLog(entries: 1, words: 1024)
        log.append(GlobalTime(raw: 1), tokenNumber: 0, committer: Station(1), incarnation: 1, pages: pages,
                   count: pages.count)
        return log.entry(1)?.digest ?? 0
    }
}
