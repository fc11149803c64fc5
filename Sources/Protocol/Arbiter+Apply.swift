import Wire

extension Arbiter {
    mutating func receiveRecords(_ frame: RawSpan) -> Bool {
        let limit = applied.counter + UInt64(log.capacity) / 2
        let current = epoch
        let done = applied.counter
        return RecordList.forEach(frame, at: Payload.at(0)) { piece, at in
            let counter = piece.time.counter
            guard counter > done, counter <= limit, piece.time.epoch <= current else { return }
            if log.insert(piece, from: frame, at: at) { gap.hear(of: counter, from: piece.committer) }
        }
    }

    mutating func hearOf(_ counter: UInt64, from station: Station, at time: UInt64) {
        guard counter > applied.counter else { return }
        gap.hear(of: counter, from: station)
        gap.want(at: time)
    }

    /// Follows the commits in the order of their times.
    mutating func advance<World: ArbiterWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        let before = applied
        var isTokenSeen = false
        while let entry = log.entry(applied.counter + 1), entry.isComplete, entry.time.epoch <= epoch,
            entry.time > applied {
            for place in 0..<entry.total {
                let index = Int(log.page(place, of: entry).index)
                guard index < latest.count else { continue }
                latest[index].version = entry.time
                latest[index].owner = entry.committer
            }
            applied = entry.time
            tokenHolder = entry.committer
            // Who commits with a token that it does not claim hears nobody, and would keep it for ever [P29].
            if members[entry.committer.index].disclaimed != entry.tokenNumber { isTokenSeen = true }
        }
        if applied > before { gap.progress(to: applied.counter, now, &patience, tuning) }
        if gap.counter > applied.counter { gap.want(at: now + tuning.reorder) } else { gap = CatchUp() }
        guard applied > before else { return }
        if polling == nil, isTokenSeen { tokenEvidenceAt = now }
        serveLater(now, &world)
        // A poll may have waited for just these records.
        proceed(now, &world)
        beginSave(now, &world)
    }

    mutating func retryGap<World: ArbiterWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        guard let count = gap.due(after: applied.counter, now, patience, tuning) else { return }
        let isKnown = gap.heardFrom.isNode && members[gap.heardFrom.index].state == .member
        let target = gap.tries % 2 == 1 && isKnown ? gap.heardFrom : .everyone
        send(RecordRequest(first: applied.counter + 1, count: count), to: target, &world)
        // A record that nobody supplies is a reason for an epoch [P10].
        if gap.tries >= 30, polling == nil {
            gap.restart()
            beginPoll(.recordMissing(applied.counter + 1), now, &world)
        }
    }

    mutating func receiveRecordRequest<World: ArbiterWorld & ~Copyable>(_ header: FrameHeader, _ frame: RawSpan,
                                                                        _ world: inout World) -> Bool {
        guard let request = RecordRequest.parse(frame) else { return false }
        var counter = max(1, request.first)
        let most = UInt64(min(Int(request.count), Limits.requestRecords))
        let end = min(applied.counter, counter + most - 1)
        if counter <= end, log.entry(counter) == nil {
            send(Missing(thing: .record, detail: counter), to: header.sender, &world)
            return true
        }
        while counter <= end, let entry = log.entry(counter), entry.isComplete {
            let run = log.run(from: counter, to: end, limit: world.maximumFrameBytes - Limits.headerBytes)
            if run.count > 0 {
                reply(run.bytes, to: header.sender, &world) { log, frame in
                    log.emitRun(from: counter, count: run.count, into: &frame, at: Payload.at(0))
                }
            } else {
                for index in 0..<RecordPiece.pieces(of: entry.total) {
                    let piece = log.piece(index, of: entry)
                    reply(piece.byteCount, to: header.sender, &world) { log, frame in
                        log.emit(piece, of: entry, into: &frame, at: Payload.at(0))
                    }
                }
            }
            counter += max(run.count, 1)
        }
        return true
    }

    /// Sends a frame of records that `fill` writes.
    private mutating func reply<World: ArbiterWorld & ~Copyable>(
        _ byteCount: Int, to target: Station, _ world: inout World, _ fill: (CommitLog, inout MutableRawSpan) -> Void
    ) {
        let header = endpoint.nextHeader(.recordReply, to: target, payloadBytes: byteCount, epoch: epoch,
                                         applied: applied)
        let key = endpoint.key
        _ = world.transmit(Limits.headerBytes + byteCount) { [log] frame in
            fill(log, &frame)
            header.emit(into: &frame, key: key)
        }
    }

    /// Something is missing at a node. Only what nobody can produce is declared lost.
    mutating func receiveMissing<World: ArbiterWorld & ~Copyable>(_ header: FrameHeader, _ frame: RawSpan,
                                                                  _ now: UInt64, _ world: inout World) -> Bool {
        guard let missing = Missing.parse(frame) else { return false }
        guard polling == nil, header.epoch == epoch else { return true }
        switch missing.thing {
        case .token:
            if now - tokenEvidenceAt > Self.tokenPatience { beginPoll(.tokenMissing, now, &world) }
        case .record:
            if missing.detail > applied.counter { hearOf(missing.detail, from: header.sender, at: now) }
        case .page:
            guard missing.detail < UInt64(latest.count) else { return false }
            let page = PageNumber(UInt32(missing.detail))
            let record = latest[Int(page.index)]
            let holder = holder(of: page, record)
            guard record.version > held, holder.isNode else { return true }
            let isSilent = now - members[holder.index].lastHeard > Self.silence
            if members[holder.index].state != .member || isSilent { beginPoll(.pageMissing(page), now, &world) }
        }
        return true
    }

    /// No sign of the token for this long, and a node that misses it: nine heartbeats, of which on the worst of links
    /// one arrives. (That a holder died is mostly known at once.)
    static let tokenPatience = Tuning.nineSigns
    /// A member that was not heard for this long is silent.
    public static let silence: UInt64 = 1_500 * Tuning.millisecond
}
