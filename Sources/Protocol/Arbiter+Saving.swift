import Wire

extension Arbiter {
    /// Begins a round when there is something new and none is under way: not gathered, nor on its way to the disk.
    mutating func beginSave<World: ArbiterWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        guard saving == nil, polling == nil, held == saved, applied > held else { return }
        guard now >= saveAt || saveWanted > held else { return }
        collect(keeping: nil, now, &world)
    }

    /// Somebody waits for a checkpoint of what is known by now: no round on the way there is paused for, but after one
    /// that was hurried for. (With no pauses at all, checkpoints one after the other took three tenths of what `bank`
    /// gets done.)
    public mutating func hasten(now: UInt64) {
        hurriedTo = max(hurriedTo, applied)
        saveAt = min(saveAt, max(now, hurryAgainAt))
    }

    /// A transaction waits until the state at this time, or a later one, is saved: the next round is not paused for.
    mutating func want<World: ArbiterWorld & ~Copyable>(_ time: GlobalTime, now: UInt64, _ world: inout World) {
        saveWanted = max(saveWanted, time)
        beginSave(now, &world)
    }

    /// Aims at a newer time than the round under way: a version that it wants was overwritten meanwhile and given up by
    /// who had it, for want of memory. What has arrived and is still the newest is kept.
    private mutating func aimAnew<World: ArbiterWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        let old = saving
        saving = nil
        collect(keeping: old, now, &world)
    }

    private mutating func collect<World: ArbiterWorld & ~Copyable>(keeping old: Saving?, _ now: UInt64,
                                                                   _ world: inout World) {
        var next = Saving(time: applied, needs: [], startedAt: old?.startedAt ?? now, remaining: 0)
        for need in old?.needs ?? [] {
            guard let handle = need.handle else { continue }
            if need.state == .here && latest[Int(need.page.index)].version == need.version {
                add(need, to: &next)
            } else {
                world.discard(handle)
            }
        }
        for page in pushed.takeAll() {
            if page.isComplete, page.version > held, latest[Int(page.number.index)].version == page.version {
                addPushed(page, to: &next, &world)
            } else {
                world.discard(page.handle)
            }
        }
        next.begun = next.needs.count
        for page in changedPages() {
            let record = latest[Int(page.index)]
            add(Saving.Need(page: page, version: record.version, holder: holder(of: page, record)), to: &next)
        }
        next.remaining = next.needs.count - next.begun
        saving = next
        askForNeeds(now, &world)
        finishSave(now, &world)
    }

    /// Adds a need, if there is none of its page.
    private mutating func add(_ need: Saving.Need, to round: inout Saving) {
        guard !round.isPlace(Int(needPlaces[Int(need.page.index)]), of: need.page) else { return }
        needPlaces[Int(need.page.index)] = UInt32(round.needs.count)
        round.needs.append(need)
    }

    /// Adds what is here already [P27].
    private mutating func addPushed<World: ArbiterWorld & ~Copyable>(_ page: PushedPages.Page, to round: inout Saving,
                                                                     _ world: inout World) {
        guard !round.isPlace(Int(needPlaces[Int(page.number.index)]), of: page.number) else {
            return world.discard(page.handle)
        }
        var need = Saving.Need(page: page.number, version: page.version, holder: .arbiter)
        need.state = .here
        need.handle = page.handle
        add(need, to: &round)
        world.gathered(SavedPage(page: page.number, version: page.version, handle: page.handle))
    }

    /// The place of the need of a page in the round under way.
    private func needPlace(_ page: PageNumber) -> Int? {
        guard let saving, Int(page.index) < needPlaces.count else { return nil }
        let place = Int(needPlaces[Int(page.index)])
        return saving.isPlace(place, of: page) ? place : nil
    }

    /// The content of a version that this round has gathered.
    func gatheredHandle(of page: PageNumber, _ version: GlobalTime) -> FrameHandle? {
        guard let place = needPlace(page), let need = saving?.needs[place], need.version == version,
            need.state == .here
        else { return nil }
        return need.handle
    }

    /// Every page that was changed since the image.
    private func changedPages() -> [PageNumber] {
        var pages: [PageNumber] = []
        var counter = held.counter + 1
        while counter <= applied.counter {
            guard let entry = log.entry(counter) else {
                // The log was overrun: every page newer than the image is wanted instead.
                return latest.indices.filter { latest[$0].version > held }.map { PageNumber(UInt32($0)) }
            }
            for place in 0..<entry.total where Int(log.page(place, of: entry).index) < latest.count {
                let page = log.page(place, of: entry)
                if latest[Int(page.index)].version == entry.time { pages.append(page) }
            }
            counter += 1
        }
        return pages
    }

    /// Who has the version: who answered so at the last poll, else its committer.
    func holder(of page: PageNumber, _ record: PageRecord) -> Station {
        holders.station(of: page, record.version) ?? record.owner
    }

    private mutating func askForNeeds<World: ArbiterWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        let shortest = Saving.window(piecesPerPage: PageReply.pieces(maximumFrame: world.maximumFrameBytes))
        let window = min(patience.window(shortest), Saving.longest(shortest))
        while let begun = saving?.begun, let length = saving?.nextRun, length > 0,
            saving?.hasRoom(for: length, window) == true
        {
            let question = Question(nonce: nextNonce())
            for place in begun..<begun + length {
                saving?.needs[place].question = question
                saving?.needs[place].state = .asked
                saving?.asked.append(place)
            }
            saving?.begun += length
            ask(begun, count: length, now, &world)
        }
    }

    /// Asks for a run of pages in one frame [P26].
    private mutating func ask<World: ArbiterWorld & ~Copyable>(_ first: Int, count: Int, _ now: UInt64,
                                                               _ world: inout World) {
        guard let need = saving?.needs[first] else { return }
        let tries = need.question.tries
        let isAlive = need.holder.isNode && members[need.holder.index].state == .member
        let target = tries % 3 < 2 && isAlive && !need.isRefused ? need.holder : .everyone
        var nonce: UInt64 = 0
        for place in first..<first + count {
            nonce = saving?.needs[place].question.ask(now) ?? nonce
            saving?.needs[place].deadline = now + patience.wait(tries, tuning)
        }
        send(PageRequest(nonce: nonce, page: need.page, count: UInt16(count), requester: .arbiter,
                         requesterIncarnation: endpoint.incarnation, applied: applied, wanted: need.version),
             to: target, &world)
        if tries + 1 >= Self.triesUntilLost, polling == nil {
            beginPoll(.pageMissing(need.page), now, &world)
        }
    }

    /// Tries after which a version that is not the newest any more is not asked for again.
    static let triesWhenRefused: UInt8 = 2
    static let triesUntilOverwritten: UInt8 = 10

    /// Tries after which a page version that is needed for saving is suspected to be lost: about a second.
    static let triesUntilLost: UInt8 = 20

    mutating func receivePageReply<World: ArbiterWorld & ~Copyable>(_ frame: RawSpan, _ now: UInt64,
                                                                    _ world: inout World) -> Bool {
        guard let reply = PageReply.parse(frame) else { return false }
        guard polling == nil else { return true }
        switch take(reply, frame, from: PageReply.dataOffset, now, &world) {
        case .unwanted:
            if reply.nonce == PageReply.unasked { keepPush(reply, frame, from: PageReply.dataOffset, &world) }
        case .part: break
        case .whole(let delay):
            if let delay { patience.note(delay) }
            askForNeeds(now, &world)
            finishSave(now, &world)
        }
        return true
    }

    /// Takes each page of a train as if it had come alone; one that nobody asked for also asks for its save [P27, P28].
    mutating func receivePageTrain<World: ArbiterWorld & ~Copyable>(_ frame: RawSpan, _ now: UInt64,
                                                                    _ world: inout World) -> Bool {
        guard let train = PageTrain.parse(frame) else { return false }
        guard polling == nil else { return true }
        let isPushed = train.nonce == PageReply.unasked
        var delay: UInt64?
        for place in 0..<train.count {
            let reply = PageReply(nonce: train.nonce, page: train[place], version: train.version, index: 0, count: 1,
                                  offset: 0, length: UInt16(Limits.pageBytes))
            let start = train.dataOffset + place * Limits.pageBytes
            switch take(reply, frame, from: start, now, &world) {
            case .whole(let after): delay = after ?? delay
            case .part: break
            case .unwanted: if isPushed { keepPush(reply, frame, from: start, &world) }
            }
        }
        if let delay { patience.note(delay) }
        if isPushed { want(train.version, now: now, &world) }
        askForNeeds(now, &world)
        finishSave(now, &world)
        return true
    }

    /// What an arrived piece of a page was for the round under way; the way of a whole one that was asked for.
    private enum Taken { case unwanted, part, whole(delay: UInt64?) }

    private mutating func take<World: ArbiterWorld & ~Copyable>(
        _ reply: PageReply, _ frame: RawSpan, from start: Int, _ now: UInt64, _ world: inout World
    ) -> Taken {
        let isPushed = reply.nonce == PageReply.unasked
        guard let place = needPlace(reply.page), let need = saving?.needs[place], need.state == .asked,
            need.version == reply.version, isPushed || need.question.isAnswered(by: reply.nonce)
        else { return .unwanted }
        guard let arrival = saving?.needs[place].pieces.take(reply), arrival != .unwanted else { return .part }
        let handle = need.handle ?? world.stage()
        saving?.needs[place].handle = handle
        world.fill(handle, at: Int(reply.offset), with: frame, from: start, count: Int(reply.length))
        guard saving?.needs[place].pieces.isComplete == true else { return .part }
        world.gathered(SavedPage(page: need.page, version: need.version, handle: handle))
        saving?.finish(place)
        return .whole(delay: isPushed ? nil : need.question.delay(of: reply.nonce, now))
    }

    /// Keeps a piece of a page that the next round will want: of the newest version, and not in the image [P27].
    private mutating func keepPush<World: ArbiterWorld & ~Copyable>(_ reply: PageReply, _ frame: RawSpan,
                                                                    from start: Int, _ world: inout World) {
        guard Int(reply.page.index) < latest.count, reply.version > held,
            latest[Int(reply.page.index)].version == reply.version,
            gatheredHandle(of: reply.page, reply.version) == nil,
            let handle = pushed.take(reply, stage: { world.stage() })
        else { return }
        world.fill(handle, at: Int(reply.offset), with: frame, from: start, count: Int(reply.length))
    }

    mutating func receivePageAbsent<World: ArbiterWorld & ~Copyable>(_ frame: RawSpan, _ now: UInt64,
                                                                     _ world: inout World) -> Bool {
        guard let absent = PageAbsent.parse(frame) else { return false }
        guard polling == nil, let place = needPlace(absent.page), let need = saving?.needs[place],
            need.state == .asked, need.question.isAnswered(by: absent.nonce)
        else { return true }
        // Everyone is asked next, a little later so that a flood is impossible.
        saving?.needs[place].isRefused = true
        saving?.needs[place].deadline = min(need.deadline, now + Tuning.millisecond)
        return true
    }

    mutating func retrySave<World: ArbiterWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        guard polling == nil else { return }
        guard let due = saving?.due(now) else { return beginSave(now, &world) }
        for place in due {
            guard let need = saving?.needs[place], polling == nil else { return }
            if isGivenUp(need) { return aimAnew(now, &world) }
        }
        for place in due where polling == nil { ask(place, count: 1, now, &world) }
    }

    /// Whether a version is wanted that is not the newest any more, and that its holder says it has not: it asked
    /// everyone after that, in vain. A holder that says nothing is given more time; the frames may have been lost.
    private func isGivenUp(_ need: Saving.Need) -> Bool {
        guard latest[Int(need.page.index)].version > need.version
        else { return false }
        return need.question.tries >= (need.isRefused ? Self.triesWhenRefused : Self.triesUntilOverwritten)
    }

    private mutating func finishSave<World: ArbiterWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        guard let done = saving, done.remaining == 0 else { return }
        saving = nil
        let pages = done.needs.compactMap { need in
            need.handle.map { SavedPage(page: need.page, version: need.version, handle: $0) }
        }
        precondition(pages.count == done.needs.count, "a saved state has every page")
        let isDurable = world.save(done.time, pages)
        for page in pages { imageVersions[Int(page.page.index)] = page.version }
        let wasHurried = hurriedTo > held
        held = done.time
        holders.removeAll { $0.version <= held }
        saveAt = now + max(Self.saveInterval, min(Self.savePause * (now - done.startedAt), Self.longestPause))
        if wasHurried, hurriedTo <= held { hurryAgainAt = now + Self.hastyPause }
        if hurriedTo > held { saveAt = min(saveAt, max(now, hurryAgainAt)) }
        if isDurable { becameDurable(held, now: now, &world) }
    }

    /// The image of this time is where neither a killed arbiter nor a power cut loses it: only now is it saved, and the
    /// nodes may let go of what they kept [P7].
    public mutating func becameDurable<World: ArbiterWorld & ~Copyable>(
        _ time: GlobalTime, now: UInt64, _ world: inout World
    ) {
        guard time > saved else { return }
        precondition(time <= held, "only what the image holds can be durable")
        saved = time
        announce(now, &world)
        beginSave(now, &world)
    }

    /// Rounds that nobody waits for are at least this far apart, so that hot pages are fetched once for many commits.
    static let saveInterval: UInt64 = 4 * Tuning.millisecond

    /// And the pause after a round is this many times as long as the round: saving takes a quarter of the time at
    /// most, unless somebody waits for it.
    static let savePause: UInt64 = 3
    /// But a round that was long because frames were lost or someone slept does not delay the next.
    static let longestPause: UInt64 = 50 * Tuning.millisecond

    /// The longest pause before a round that somebody waits for, when one was hurried for just before.
    static let hastyPause: UInt64 = 20 * Tuning.millisecond

    /// Tells everyone what is saved; it rides on a heartbeat.
    mutating func announce<World: ArbiterWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        heartbeatAt = now + tuning.heartbeat / 2
        send(Heartbeat(saved: saved, tokenNumber: 0, holdsToken: false), to: .everyone, &world)
    }

    /// Gives up the round under way, as an epoch change makes its state another one.
    mutating func cancelSave<World: ArbiterWorld & ~Copyable>(_ world: inout World) {
        for page in pushed.takeAll() { world.discard(page.handle) }
        guard let current = saving else { return }
        for need in current.needs { if let handle = need.handle { world.discard(handle) } }
        world.abandonSave()
        saving = nil
    }
}
