import Planted
import Wire

extension NodeCore {
    /// Every header says how far its sender has applied; a later time than this node's is a gap.
    mutating func hear(_ header: FrameHeader, _ now: UInt64) {
        guard header.applied.counter > applied.counter, header.kind != .commit else { return }
        hearOf(header.applied.counter, from: header.sender, at: now + tuning.reorder)
    }

    /// Records up to `counter` exist; `station` has them. They are asked for at `time` unless they arrive before.
    mutating func hearOf(_ counter: UInt64, from station: Station, at time: UInt64) {
        guard counter > applied.counter else { return }
        gap.hear(of: counter, from: station)
        gap.want(at: time)
    }

    /// Takes in the records of a commit, a reply or a grant.
    mutating func receiveRecords(_ frame: RawSpan, at offset: Int) -> Bool {
        let limit = applied.counter + UInt64(log.capacity) / 2
        let current = epoch
        let done = applied.counter
        return RecordList.forEach(frame, at: offset) { piece, at in
            let counter = piece.time.counter
            guard counter > done, counter <= limit, piece.time.epoch <= current else { return }
            guard log.insert(piece, from: frame, at: at) else { return }
            gap.hear(of: counter, from: piece.committer == station ? .arbiter : piece.committer)
        }
    }

    /// Applies every commit that is next and complete, in the order of their times, and goes on with what waited for
    /// it.
    mutating func advance<World: NodeWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        guard phase == .member else { return }
        if !isFrozen {
            let before = applied
            while let entry = log.entry(applied.counter + 1), planted(54) || entry.isComplete, entry.time.epoch <= epoch,
                entry.time > applied {
                apply(entry, &world)
            }
            if applied > before {
                gap.progress(to: applied.counter, now, &patience, tuning)
                settleFetches(now, &world)
                serveLater(now, &world)
            }
        }
        if gap.counter > applied.counter { gap.want(at: now + tuning.reorder) } else { gap = CatchUp() }
    }

    /// Another station's commit becomes part of this node's time: the pages that it names are invalid now.
    private mutating func apply<World: NodeWorld & ~Copyable>(_ entry: CommitLog.Entry, _ world: inout World) {
        for place in 0 ..< (planted(75) ? max(1, entry.total - 1) : entry.total) {
            let page = log.page(place, of: entry)
            guard Int(page.index) < pages.count else { continue }
            invalidate(page, by: entry, &world)
        }
        applied = entry.time
        if planted(58) || entry.time.epoch == epoch { noteToken(of: entry) }
        world.record(.applied(entry.time, committer: entry.committer))
    }

    /// A commit of this epoch tells where the token was. One of an earlier epoch, fetched by a node that was behind
    /// when the epoch opened, says nothing: the numbers begin anew with each epoch.
    private mutating func noteToken(of entry: CommitLog.Entry) {
        if entry.tokenNumber >= token.number, !token.isHeld {
            token.number = entry.tokenNumber
            token.holder = entry.committer
        }
        noteToken(entry.tokenNumber, from: entry.committer)
    }

    private mutating func invalidate<World: NodeWorld & ~Copyable>(_ page: PageNumber, by entry: CommitLog.Entry,
                                                                   _ world: inout World) {
        let index = Int(page.index)
        // The read set outlives the copy: an evicted page dooms as well [P18].
        if transaction.isRunning, !transaction.isDoomed, world.isAccessed(page), !planted(73) || pages[index].isPresent {
            world.record(.doomed(page, by: entry.time))
            doomTransaction(&world)
        }
        if pages[index].isPresent {
            pages[index].isPresent = false
            if !planted(29), pages[index].version > saved {
                keep(page, pages[index].version, world.retain(page), &world)
            } else {
                world.drop(page)
            }
        }
        pages[index].version = entry.time
        pages[index].owner = entry.committer
    }

    /// The arbiter announces that everything up to `time` is safe: older versions need not be kept any more.
    mutating func save<World: NodeWorld & ~Copyable>(_ time: GlobalTime, _ world: inout World) {
        guard time > saved else { return }
        saved = time
        if let awaited, awaited <= time { self.awaited = nil }
        preImages.remove(where: { planted(33) || $0.version <= time }) { world.discard($0.handle) }
    }

    // MARK: Catching up

    mutating func retryGap<World: NodeWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        guard !isFrozen, let count = gap.due(after: applied.counter, now, patience, tuning) else { return }
        counters.catchUps += 1
        let target = gap.tries % 2 == 1 && gap.heardFrom != station ? gap.heardFrom : .arbiter
        send(RecordRequest(first: applied.counter + 1, count: count), to: target, &world)
        if gap.tries > 2 * tuning.triesUntilMissing {
            send(Missing(thing: .record, detail: applied.counter + 1), to: .arbiter, &world)
        }
    }

    /// Others' requests for records are answered also while this node stands still: history does not change by telling.
    mutating func receiveRecordRequest<World: NodeWorld & ~Copyable>(_ header: FrameHeader, _ frame: RawSpan,
                                                                     _ world: inout World) -> Bool {
        guard let request = RecordRequest.parse(frame) else { return false }
        var counter = max(1, request.first)
        let most = UInt64(min(Int(request.count), Limits.requestRecords))
        let end = min(applied.counter, counter + most - 1)
        while counter <= end, let entry = log.entry(counter), entry.isComplete {
            let run = log.run(from: counter, to: end, limit: world.maximumFrameBytes - Limits.headerBytes)
            if run.count > 0 {
                sendRun(from: counter, run, to: header.sender, &world)
            } else {
                for index in 0..<RecordPiece.pieces(of: entry.total) {
                    sendPiece(index, of: entry, as: .recordReply, to: header.sender, &world)
                }
            }
            counter += max(run.count, 1)
        }
        return true
    }

    /// Sends as many records as fit into one frame.
    private mutating func sendRun<World: NodeWorld & ~Copyable>(
        from counter: UInt64, _ run: (count: UInt64, bytes: Int), to target: Station, _ world: inout World
    ) {
        let header = endpoint.nextHeader(.recordReply, to: target, payloadBytes: run.bytes, epoch: epoch,
                                         applied: applied)
        let key = endpoint.key
        _ = world.transmit(Limits.headerBytes + run.bytes) { [log] frame in
            log.emitRun(from: counter, count: run.count, into: &frame, at: Payload.at(0))
            header.emit(into: &frame, key: key)
        }
    }

    /// The arbiter says that the records this node needs exist nowhere any more: it joins anew.
    mutating func receiveMissing<World: NodeWorld & ~Copyable>(_ header: FrameHeader, _ frame: RawSpan, _ now: UInt64,
                                                               _ world: inout World) -> Bool {
        guard let missing = Missing.parse(frame), header.sender == .arbiter else { return false }
        if missing.thing == .record && missing.detail == applied.counter + 1 && !isFrozen { rejoin(now, &world) }
        return true
    }
}
