import Planted
import Wire

extension NodeCore {
    /// Begins a transaction. False when it must wait: the node is not a member, stands still, or has lost so often that
    /// it takes the token first.
    public mutating func begin<World: NodeWorld & ~Copyable>(now: UInt64, _ world: inout World) -> Bool {
        precondition(!transaction.isRunning, "one transaction at a time")
        transaction.isBusy = true
        guard phase == .member, !isFrozen else { return false }
        if transaction.losses >= tuning.lossesUntilUrgent {
            guard token.isHeld, applied >= token.time else {
                wantToken(isUrgent: true, now, &world)
                return false
            }
            transaction.urgentUntil = now + patience.atLeast(8, tuning.urgentHold)
        }
        transaction.isRunning = true
        transaction.isDoomed = false
        transaction.isCommitting = false
        transaction.writeCount = 0
        return true
    }

    /// The running transaction writes the page for the first time. False when it may not write that many.
    public mutating func recordWrite(_ page: PageNumber) -> Bool {
        guard transaction.writeCount < transaction.writes.count else { return false }
        transaction.writes[transaction.writeCount] = page.index
        transaction.writeCount += 1
        return true
    }

    /// The write set so far.
    public func written(_ place: Int) -> PageNumber { PageNumber(transaction.writes[place]) }

    /// Commits the running transaction, or says what it waits for.
    public mutating func commit<World: NodeWorld & ~Copyable>(now: UInt64, _ world: inout World) -> CommitResult {
        guard !transaction.isDoomed else { return .doomed }
        precondition(transaction.isRunning, "no transaction to commit")
        guard transaction.writeCount > 0 else {
            finishTransaction()
            token.isWanted = false
            considerGrant(now, &world)
            return .committed(applied)
        }
        guard phase == .member, planted(9) || !isFrozen else { return .waiting }
        guard planted(45) || token.isHeld else {
            wantToken(isUrgent: transaction.losses >= tuning.lossesUntilUrgent, now, &world)
            return .waiting
        }
        transaction.isCommitting = true
        guard planted(39) || applied >= token.time, hasRoomForPreImages,
            log.hasRoom(transaction.writeCount, protecting: saved.counter + 1, upTo: applied.counter)
        else { return .waiting }
        let time = decide(&world)
        announce(time, &world)
        finishTransaction()
        token.isWanted = false
        considerGrant(now, &world)
        return .committed(time)
    }

    /// The commit happens here, before its first frame goes out.
    private mutating func decide<World: NodeWorld & ~Copyable>(_ world: inout World) -> GlobalTime {
        let time = applied.next(in: epoch)
        for place in 0..<transaction.writeCount {
            let page = PageNumber(transaction.writes[place])
            let index = Int(page.index)
            precondition(pages[index].isPresent, "a written page is present")
            keep(page, pages[index].version, world.publish(page), &world)
            pages[index].version = time
            pages[index].owner = station
        }
        log.append(time, tokenNumber: token.number, committer: station, incarnation: endpoint.incarnation,
                   pages: transaction.writes, count: planted(57) ? max(1, transaction.writeCount - 1) : transaction.writeCount)
        applied = time
        world.record(.committed(time, pages: transaction.writeCount))
        return time
    }

    /// Keeps an overwritten version until it is saved [P11]; a saved one is given back at once.
    mutating func keep<World: NodeWorld & ~Copyable>(_ page: PageNumber, _ version: GlobalTime, _ handle: FrameHandle,
                                                     _ world: inout World) {
        guard !planted(28), version > saved else { return world.discard(handle) }
        guard !preImages.isFull || releasePreImage(&world) else { return world.discard(handle) }
        preImages.append(PreImage(page: page, version: version, handle: handle))
    }

    /// Old versions that are kept.
    public var preImageCount: Int { preImages.count }

    /// Gives the oldest pre-image back, because others' commits need its place: its committer has that version too. One
    /// that a poll was told of stays [P4]; false then.
    private mutating func releasePreImage<World: NodeWorld & ~Copyable>(_ world: inout World) -> Bool {
        guard !isFrozen, preImages.count > 0, preImages[0].version > pledged, let oldest = preImages.removeOldest()
        else { return false }
        world.discard(oldest.handle)
        return true
    }

    /// Whether every unsaved version that the transaction overwrites can be kept until it is saved [P11].
    private var hasRoomForPreImages: Bool {
        var needed = 0
        for place in 0..<transaction.writeCount where pages[Int(transaction.writes[place])].version > saved {
            needed += 1
        }
        return preImages.hasRoom(needed)
    }

    private mutating func announce<World: NodeWorld & ~Copyable>(_ time: GlobalTime, _ world: inout World) {
        guard let entry = log.entry(time.counter) else { preconditionFailure("the own record is in the log") }
        for index in 0..<RecordPiece.pieces(of: entry.total) {
            sendPiece(index, of: entry, as: .commit, to: .everyone, &world)
        }
    }

    mutating func sendPiece<World: NodeWorld & ~Copyable>(_ index: Int, of entry: CommitLog.Entry,
                                                          as kind: FrameHeader.Kind, to target: Station,
                                                          _ world: inout World) {
        let piece = log.piece(index, of: entry)
        let header = endpoint.nextHeader(kind, to: target, payloadBytes: piece.byteCount, epoch: epoch,
                                         applied: applied)
        let key = endpoint.key
        _ = world.transmit(Limits.headerBytes + piece.byteCount) { [log] frame in
            log.emit(piece, of: entry, into: &frame, at: Payload.at(0))
            header.emit(into: &frame, key: key)
        }
    }

    private mutating func finishTransaction() {
        transaction.isRunning = false
        transaction.isCommitting = false
        transaction.losses = 0
        transaction.urgentUntil = 0
        counters.commits += 1
    }

    /// The transaction was undone by the node.
    /// - Parameter isConflict: others' commits doomed it; else it gave up by itself.
    public mutating func abort(isConflict: Bool) {
        transaction.isRunning = false
        transaction.isCommitting = false
        transaction.isDoomed = false
        transaction.writeCount = 0
        counters.aborts += 1
        if isConflict { transaction.losses = min(transaction.losses + 1, 1_000_000) }
    }

    /// The scheduler has nothing to run: the token is free for others.
    public mutating func idle<World: NodeWorld & ~Copyable>(now: UInt64, _ world: inout World) {
        transaction.isBusy = false
        transaction.losses = 0
        if !planted(64) { token.isWanted = false }
        if !planted(64) { token.isAsked = false }
        considerGrant(now, &world)
    }

    /// Losses in a row of the transaction that runs again and again.
    public var losses: UInt32 { transaction.losses }

    mutating func doomTransaction<World: NodeWorld & ~Copyable>(_ world: inout World) {
        guard transaction.isRunning, !transaction.isDoomed else { return }
        transaction.isDoomed = true
        world.doom()
    }

    // MARK: Durable commits

    /// A commit of this node is waited for until it is saved (`awaited`), and the arbiter should not rest before.
    public mutating func awaitSaved<World: NodeWorld & ~Copyable>(_ time: GlobalTime, _ world: inout World) {
        guard saved < time else { return }
        awaited = time
        if !push(time, &world) { send(SaveRequest(time: time), to: .arbiter, &world) }
    }

    /// Sends the arbiter what a commit of this node has written, before it asks; a long one it asks for [P27].
    ///
    /// - Returns: Whether all of it went in a train, which asks for its save too.
    private mutating func push<World: NodeWorld & ~Copyable>(_ time: GlobalTime, _ world: inout World) -> Bool {
        guard !isFrozen, let entry = log.entry(time.counter), entry.time == time, entry.committer == station,
            entry.total <= Limits.maximumRequestPages
        else { return false }
        var run = PageRun()
        for place in 0..<entry.total {
            _ = gather(log.page(place, of: entry), time, &run, PageReply.unasked, .arbiter, &world)
        }
        return send(run, time, PageReply.unasked, .arbiter, &world)
    }

    // MARK: Strict reads

    /// Asks the arbiter for a time at or after everything acknowledged before now [P2].
    public mutating func askStrict<World: NodeWorld & ~Copyable>(now: UInt64, _ world: inout World) {
        strict = Strict(nonce: nextNonce(), deadline: now + patience.wait(0, tuning), time: nil)
        send(StrictRead(nonce: strict.nonce), to: .arbiter, &world)
    }

    /// The answer may name a commit that was undone since: what has not been reached by now is asked for anew.
    mutating func askStrictAgain() {
        guard strict.nonce != 0, !isStrict else { return }
        strict.time = nil
        strict.deadline = 0
    }

    /// Whether the node has caught up with the answer: what it reads now is strict.
    public var isStrict: Bool {
        if planted(4), token.isHeld { return true }
        guard let time = strict.time else { return false }
        return planted(5) || applied >= time
    }

    mutating func receiveStrictAnswer(_ header: FrameHeader, _ frame: RawSpan) -> Bool {
        guard let answer = StrictAnswer.parse(frame), header.sender == .arbiter else { return false }
        guard planted(7) || answer.nonce == strict.nonce, strict.time == nil else { return true }
        strict.time = answer.time
        strict.deadline = .max
        return true
    }
}
