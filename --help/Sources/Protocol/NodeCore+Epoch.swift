import Planted
import Wire

extension NodeCore {
    /// A poll is answered with a promise: no commit, grant, apply or serve until the new epoch is open [P4].
    mutating func receivePoll<World: NodeWorld & ~Copyable>(_ header: FrameHeader, _ frame: RawSpan,
                                                            _ world: inout World) -> Bool {
        guard let poll = Poll.parse(frame), header.sender == .arbiter else { return false }
        guard header.epoch == epoch else {
            if !planted(38), header.epoch > epoch { send(EpochQuestion(), to: .arbiter, &world) }
            return true
        }
        guard poll.epoch > epoch, poll.epoch >= frozenFor else { return true }
        if poll.epoch > frozenFor { world.record(.frozen(epoch: poll.epoch)) }
        frozenFor = poll.epoch
        pledged = applied
        answer(poll, &world)
        return true
    }

    /// Names every unsaved version that is held here, current or kept.
    private mutating func answer<World: NodeWorld & ~Copyable>(_ poll: Poll, _ world: inout World) {
        let floor = poll.saved
        var total = 0
        forEachHolding(after: floor) { _ in total += 1 }
        let most = PollAnswer.maximumHoldings
        let frames = max(1, (total + most - 1) / most)
        for index in 0..<frames {
            let count = min(most, total - index * most)
            let message = PollAnswer(epoch: poll.epoch, applied: applied, index: UInt16(index), count: UInt16(frames),
                                     holdings: UInt16(count))
            let header = endpoint.nextHeader(.pollAnswer, to: .arbiter, payloadBytes: message.byteCount, epoch: epoch,
                                             applied: applied)
            let key = endpoint.key
            _ = world.transmit(Limits.headerBytes + message.byteCount) { frame in
                message.emit(into: &frame)
                var place = 0
                forEachHolding(after: floor) { holding in
                    let target = place - index * most
                    if target >= 0 && target < count { PollAnswer.store(holding, at: target, into: &frame) }
                    place += 1
                }
                header.emit(into: &frame, key: key)
            }
        }
    }

    private func forEachHolding(after floor: GlobalTime, _ body: (Holding) -> Void) {
        for place in 0..<preImages.count where !planted(11) && preImages[place].version > floor {
            body(Holding(page: preImages[place].page, version: preImages[place].version))
        }
        for index in pages.indices where pages[index].isPresent && pages[index].version > floor {
            body(Holding(page: PageNumber(UInt32(index)), version: pages[index].version))
        }
    }

    /// A new epoch: what was committed after its opening time is undone.
    mutating func receiveOpen<World: NodeWorld & ~Copyable>(_ header: FrameHeader, _ frame: RawSpan, _ now: UInt64,
                                                            _ world: inout World) -> Bool {
        guard let open = Open.parse(frame), header.sender == .arbiter else { return false }
        let newest = Open.record(at: 0, of: frame)
        guard newest.epoch > epoch || planted(44) && newest.epoch == epoch, newest.epoch >= frozenFor else { return true }
        // The smallest opening time of all epochs that this node slept through [P5].
        var cutoff = newest.opened
        var reached = newest.epoch
        for place in 0..<Int(open.count) {
            let record = Open.record(at: place, of: frame)
            guard record.epoch > epoch else { break }
            cutoff = planted(12) ? newest.opened : min(cutoff, record.opened)
            reached = record.epoch
        }
        let isComplete = reached == epoch + 1 || chainReaches(open, frame)
        enter(newest, cutoff: isComplete ? cutoff : .zero, &world)
        if !isComplete {
            applied = newest.opened
            world.record(.joined(incarnation: endpoint.incarnation, applied: applied))
        }
        save(open.saved, &world)
        let isGrantee = open.grantee == station && open.granteeIncarnation == endpoint.incarnation
        // A heap that was undone, or never made, is made by who has the token now.
        if newest.opened == .zero { isPrimary = isGrantee }
        if isGrantee {
            takeToken(1, time: newest.opened, now, &world)
        } else {
            token.holder = open.grantee
        }
        if newest.opened.counter > applied.counter { hearOf(newest.opened.counter, from: .arbiter, at: now) }
        heartbeatAt = now
        return true
    }

    /// Whether the chain goes back to this node's epoch or before it: then no opening in between is unknown. (Epochs
    /// that were polled for and never opened leave gaps in the numbers.)
    private func chainReaches(_ open: Open, _ frame: RawSpan) -> Bool {
        Open.record(at: Int(open.count) - 1, of: frame).epoch <= epoch
    }

    private mutating func enter<World: NodeWorld & ~Copyable>(_ record: EpochRecord, cutoff: GlobalTime,
                                                              _ world: inout World) {
        doomTransaction(&world)
        if !planted(17) { cancelFetches(&world) }
        laterRequests.removeAll(keepingCapacity: true)
        countUndone(after: cutoff)
        if let awaited, awaited > cutoff { self.awaited = nil }
        if !planted(13) { dropPages(after: cutoff, &world) }
        preImages.remove(where: { $0.version > cutoff }) { world.discard($0.handle) }
        if !planted(14) { log.removeAll(after: cutoff) }
        applied = planted(15) ? record.opened : min(applied, cutoff)
        if !planted(6) { world.rollback(to: max(cutoff, saved)) }
        epoch = record.epoch
        frozenFor = record.epoch
        let wanted = token.isWanted
        token = Token()
        token.isWanted = wanted
        transaction.isCommitting = false
        if !planted(94) { gap = CatchUp() }
        askStrictAgain()
        world.record(.epochOpened(epoch: record.epoch, at: record.opened))
    }

    private mutating func countUndone(after cutoff: GlobalTime) {
        // The log has no more than these, and an arbiter's word of where the node stands may be any number.
        var counter = max(cutoff.counter, applied.counter - min(applied.counter, UInt64(log.capacity))) + 1
        while counter <= applied.counter {
            if let entry = log.entry(counter), entry.committer == station,
                entry.committerIncarnation == endpoint.incarnation {
                counters.undone += 1
            }
            counter += 1
        }
    }

    /// Forgets what is known of pages that were changed after `cutoff`; the arbiter knows their older versions.
    mutating func dropPages<World: NodeWorld & ~Copyable>(after cutoff: GlobalTime, _ world: inout World) {
        for index in pages.indices where pages[index].version > cutoff || (cutoff == .zero && pages[index].isPresent) {
            if pages[index].isPresent { world.drop(PageNumber(UInt32(index))) }
            if planted(16) { pages[index].isPresent = false } else { pages[index] = PageRecord() }
        }
    }

    /// A frame of another epoch: the node asks about a later one and tells the sender of an earlier one [P12].
    mutating func hintEpoch<World: NodeWorld & ~Copyable>(_ header: FrameHeader, _ now: UInt64,
                                                          _ world: inout World) {
        guard !planted(38), now >= epochHintAt else { return }
        epochHintAt = now + tuning.epochHint
        if header.epoch > epoch {
            send(EpochQuestion(), to: .arbiter, &world)
        } else if header.sender != .arbiter {
            sendHeartbeat(to: header.sender, &world)
        }
    }
}
