import Wire

extension FrameForge {
    /// Reads a frame's payload as its kind says. Whatever is accepted is written back and read again without change.
    /// - Returns: whether it was accepted.
    @discardableResult
    static func checkPayload(_ frame: [UInt8]) -> Bool {
        guard let header = try? FrameHeader.parse(frame.span.bytes) else { return false }
        switch header.kind {
        case .joinRequest: return check(JoinRequest.self, frame)
        case .joinChallenge: return check(JoinChallenge.self, frame)
        case .joinAnswer: return check(JoinAnswer.self, frame)
        case .joinAccept: return check(JoinAccept.self, frame)
        case .joinRefusal: return check(JoinRefusal.self, frame)
        case .heartbeat: return check(Heartbeat.self, frame)
        case .pageRequest: return check(PageRequest.self, frame)
        case .pageReply: return check(PageReply.self, frame) { frame in
            guard let reply = PageReply.parse(frame.span.bytes) else { return }
            require(PageReply.dataOffset + Int(reply.length) == frame.count, "the bytes of a page fill their frame")
            require(Int(reply.offset) + Int(reply.length) <= Limits.pageBytes, "a piece lies in its page")
        }
        case .pageTrain: return check(PageTrain.self, frame) { frame in
            guard let train = PageTrain.parse(frame.span.bytes) else { return }
            require(train.dataOffset + train.count * Limits.pageBytes == frame.count, "pages fill their frame")
        }
        case .pageAbsent: return check(PageAbsent.self, frame)
        case .tokenRequest: return check(TokenRequest.self, frame)
        case .tokenGrant: return check(TokenGrant.self, frame) { checkRecords($0, from: TokenGrant.recordsOffset) }
        case .commit, .recordReply: return checkRecords(frame, from: Payload.at(0))
        case .recordRequest: return check(RecordRequest.self, frame)
        case .missing: return check(Missing.self, frame)
        case .poll: return check(Poll.self, frame)
        case .pollAnswer: return check(PollAnswer.self, frame) { frame in
            guard let answer = PollAnswer.parse(frame.span.bytes) else { return }
            for place in 0..<Int(answer.holdings) {
                let holding = PollAnswer.holding(at: place, of: frame.span.bytes)
                var copy = frame
                copy.write { PollAnswer.store(holding, at: place, into: &$0) }
                require(copy == frame, "a holding is written as it was read")
            }
        }
        case .open: return check(Open.self, frame) { frame in
            guard let open = Open.parse(frame.span.bytes) else { return }
            for place in 0..<Int(open.count) {
                let record = Open.record(at: place, of: frame.span.bytes)
                var copy = frame
                copy.write { Open.store(record, at: place, into: &$0) }
                require(copy == frame, "an epoch is written as it was read")
            }
        }
        case .epochQuestion: return check(EpochQuestion.self, frame)
        case .strictRead: return check(StrictRead.self, frame)
        case .saveRequest: return check(SaveRequest.self, frame)
        case .strictAnswer: return check(StrictAnswer.self, frame)
        case .command: return check(Command.self, frame)
        case .commandReply: return check(CommandReply.self, frame)
        case .report: return check(Report.self, frame)
        }
    }

    /// Emitting leaves out what the reader ignores: so the second time nothing changes any more.
    private static func check<M: Message>(_ type: M.Type, _ frame: [UInt8],
                                          _ more: ([UInt8]) -> Void = { _ in }) -> Bool {
        guard let message = M.parse(frame.span.bytes) else { return false }
        require(message.byteCount == Payload.count(frame.span.bytes), "\(M.kind) says how long it is")
        var once = frame
        once.write { message.emit(into: &$0) }
        guard let again = M.parse(once.span.bytes) else { broken("\(M.kind) reads what it has written") }
        var twice = once
        twice.write { again.emit(into: &$0) }
        require(once == twice, "\(M.kind) is read as it was written")
        more(frame)
        return true
    }

    @discardableResult
    private static func checkRecords(_ frame: [UInt8], from start: Int) -> Bool {
        var end = start
        let isList = RecordList.forEach(frame.span.bytes, at: start) { piece, offset in
            require(offset == end, "pieces lie one behind the other")
            end = offset + piece.byteCount
            require(end <= frame.count, "a piece lies in its frame")
            var copy = frame
            copy.write { piece.emit(into: &$0, at: offset) }
            require(RecordPiece.parse(copy.span.bytes, at: offset) == piece, "a piece is read as it was written")
            for index in 0..<Int(piece.pages) { _ = RecordPiece.page(index, of: frame.span.bytes, at: offset) }
        }
        require(!isList || end == frame.count || start > frame.count, "pieces fill their frame")
        return isList
    }
}
