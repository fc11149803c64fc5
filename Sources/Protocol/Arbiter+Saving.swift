import Wire

/// One round of saving: the state at one commit time, gathered while the cluster goes on.
///
/// Nodes keep every unsaved version that they hold (as the current copy or as a pre-image), so the exact version wanted
/// can be had from its committer however often the page has changed since; the cluster never stops for it.
struct Saving: Sendable {
    var time: GlobalTime
    var needs: [Need]
    /// Needs that were asked for at least once.
    var begun = 0
    var startedAt: UInt64
    var remaining: Int

    struct Need: Sendable {
        enum State: Sendable { case idle, asked, here }
        var page: PageNumber
        var version: GlobalTime
        var holder: Station
        var state = State.idle
        var question = Question()
        var handle: FrameHandle? = nil
        var pieces = PagePieces()
        /// The supposed holder has said that it has no such version.
        var isRefused = false
        var deadline: UInt64 = .max
    }

    /// Requests under way at a time: enough to keep the link busy, few enough not to flood a node's ring.
    static let window = 16

    func handle(of page: PageNumber, _ version: GlobalTime) -> FrameHandle? {
        for need in needs where need.page == page && need.version == version && need.state == .here {
            return need.handle
        }
        return nil
    }
}

extension Arbiter {
    /// Begins a round when there is something new and none is under way: not gathered, nor on its way to the disk.
    mutating func beginSave<World: ArbiterWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        guard saving == nil, polling == nil, held == saved, applied > held else { return }
        guard now >= saveAt || saveWanted > held else { return }
        collect(keeping: nil, now, &world)
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
        let needs = currentNeeds()
        var kept: [Saving.Need] = []
        for need in old?.needs ?? [] {
            guard let handle = need.handle else { continue }
            if need.state == .here && latest[Int(need.page.index)].version == need.version {
                kept.append(need)
            } else {
                world.discard(handle)
            }
        }
        let missing = needs.filter { need in !kept.contains { $0.page == need.page } }
        saving = Saving(time: applied, needs: kept + missing, begun: kept.count, startedAt: old?.startedAt ?? now,
                        remaining: missing.count)
        askForNeeds(now, &world)
        finishSave(now, &world)
    }

    /// The newest version of every page that was changed since the image.
    private func currentNeeds() -> [Saving.Need] {
        var pages: [PageNumber] = []
        var counter = held.counter + 1
        while counter <= applied.counter {
            guard let entry = log.entry(counter) else {
                // The log was overrun: every page newer than the image is wanted instead.
                pages = latest.indices.filter { latest[$0].version > held }.map { PageNumber(UInt32($0)) }
                break
            }
            for place in 0..<entry.total where Int(log.page(place, of: entry).index) < latest.count {
                let page = log.page(place, of: entry)
                if latest[Int(page.index)].version == entry.time { pages.append(page) }
            }
            counter += 1
        }
        return pages.map { page in
            let record = latest[Int(page.index)]
            return Saving.Need(page: page, version: record.version, holder: holder(of: page, record))
        }
    }

    /// Who has the version: who answered so at the last poll, else its committer.
    func holder(of page: PageNumber, _ record: PageRecord) -> Station {
        for holder in holders where holder.page == page && holder.version == record.version { return holder.station }
        return record.owner
    }

    private mutating func askForNeeds<World: ArbiterWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        guard let current = saving else { return }
        var begun = current.begun
        var open = begun - (current.needs.count - current.remaining)
        while begun < current.needs.count, open < patience.window(Saving.window) {
            ask(begun, now, &world)
            begun += 1
            open += 1
        }
        saving?.begun = begun
    }

    private mutating func ask<World: ArbiterWorld & ~Copyable>(_ place: Int, _ now: UInt64, _ world: inout World) {
        guard var need = saving?.needs[place] else { return }
        let tries = need.question.tries
        if tries == 0 { need.question = Question(nonce: nextNonce()) }
        need.state = .asked
        need.deadline = now + patience.wait(tries, tuning)
        let isAlive = need.holder.isNode && members[need.holder.index].state == .member
        let target = tries % 3 < 2 && isAlive && !need.isRefused ? need.holder : .everyone
        let nonce = need.question.ask(now)
        saving?.needs[place] = need
        send(PageRequest(nonce: nonce, page: need.page, count: 1, requester: .arbiter,
                         requesterIncarnation: endpoint.incarnation, applied: applied, wanted: need.version),
             to: target, &world)
        if need.question.tries >= Self.triesUntilLost, polling == nil {
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
        guard polling == nil, let current = saving, let place = current.needs.firstIndex(where: {
            $0.state == .asked && $0.page == reply.page && $0.version == reply.version
                && $0.question.isAnswered(by: reply.nonce)
        }) else { return true }
        var need = current.needs[place]
        guard need.pieces.take(reply) != .unwanted else { return true }
        let handle = need.handle ?? world.stage()
        need.handle = handle
        world.fill(handle, at: Int(reply.offset), with: frame, from: PageReply.dataOffset, count: Int(reply.length))
        if need.pieces.isComplete {
            need.state = .here
            if let delay = need.question.delay(of: reply.nonce, now) { patience.note(delay) }
        }
        saving?.needs[place] = need
        if need.state == .here {
            world.gathered(SavedPage(page: need.page, version: need.version, handle: handle))
            saving?.remaining -= 1
            askForNeeds(now, &world)
            finishSave(now, &world)
        }
        return true
    }

    mutating func receivePageAbsent<World: ArbiterWorld & ~Copyable>(_ frame: RawSpan, _ now: UInt64,
                                                                     _ world: inout World) -> Bool {
        guard let absent = PageAbsent.parse(frame) else { return false }
        guard polling == nil, let place = saving?.needs.firstIndex(where: {
            $0.state == .asked && $0.page == absent.page && $0.question.isAnswered(by: absent.nonce)
        }), var need = saving?.needs[place] else { return true }
        // Everyone is asked next, a little later so that a flood is impossible.
        need.isRefused = true
        need.deadline = min(need.deadline, now + Tuning.millisecond)
        saving?.needs[place] = need
        return true
    }

    mutating func retrySave<World: ArbiterWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        guard polling == nil else { return }
        guard let current = saving else { return beginSave(now, &world) }
        if current.needs.contains(where: { isGivenUp($0, now) }) { return aimAnew(now, &world) }
        for place in current.needs.indices.prefix(current.begun)
        where current.needs[place].state == .asked && current.needs[place].deadline <= now && polling == nil {
            ask(place, now, &world)
        }
    }

    /// Whether a version is wanted that is not the newest any more, and that its holder says it has not: it asked
    /// everyone after that, in vain. A holder that says nothing is given more time; the frames may have been lost.
    private func isGivenUp(_ need: Saving.Need, _ now: UInt64) -> Bool {
        guard need.state == .asked, need.deadline <= now, latest[Int(need.page.index)].version > need.version
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
        held = done.time
        holders.removeAll { $0.version <= held }
        saveAt = now + max(Self.saveInterval, min(Self.savePause * (now - done.startedAt), Self.longestPause))
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

    /// Rounds are at least this far apart, so that hot pages are fetched once for many commits.
    static let saveInterval: UInt64 = 4 * Tuning.millisecond

    /// And the pause after a round is this many times as long as the round: saving takes a quarter of the time at most.
    static let savePause: UInt64 = 3
    /// But a round that was long because frames were lost or someone slept does not delay the next.
    static let longestPause: UInt64 = 50 * Tuning.millisecond

    /// Tells everyone what is saved; it rides on a heartbeat.
    mutating func announce<World: ArbiterWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        heartbeatAt = now + tuning.heartbeat / 2
        send(Heartbeat(saved: saved, tokenNumber: 0, holdsToken: false), to: .everyone, &world)
    }

    /// Gives up the round under way, as an epoch change makes its state another one.
    mutating func cancelSave<World: ArbiterWorld & ~Copyable>(_ world: inout World) {
        guard let current = saving else { return }
        for need in current.needs { if let handle = need.handle { world.discard(handle) } }
        world.abandonSave()
        saving = nil
    }
}
