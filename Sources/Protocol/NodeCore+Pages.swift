import Wire

extension NodeCore {
    /// Whether a valid copy of the page is here.
    public func isPresent(_ page: PageNumber) -> Bool { pages[Int(page.index)].isPresent }

    /// Whether the page was asked for and has not come yet.
    public func isUnderWay(_ page: PageNumber) -> Bool { fetches.contains { $0.state != .idle && $0.page == page } }

    /// The commit that made the copy that is here, or the newest known one.
    public func version(of page: PageNumber) -> GlobalTime { pages[Int(page.index)].version }

    /// Whether this node can produce exactly this version, from its copy or from what it has kept [P4, P11].
    public func holds(_ page: PageNumber, _ version: GlobalTime) -> Bool {
        let record = pages[Int(page.index)]
        return record.isPresent && record.version == version || preImages.find(page, version) != nil
    }

    /// Whether the copy may be dropped: another station can produce it. What is owned here and not saved stays, and so
    /// does what the arbiter was told at a poll that it is here [P4].
    public func canEvict(_ page: PageNumber) -> Bool {
        let record = pages[Int(page.index)]
        return record.isPresent && (record.version <= saved || (record.owner != station && record.version > pledged))
    }

    /// The node has dropped its copy. The running transaction must not have written it; when it has read it, the world
    /// keeps saying so [P18].
    public mutating func evicted(_ page: PageNumber) {
        pages[Int(page.index)].isPresent = false
        counters.evictions += 1
    }

    /// A program needs the page; `ahead` more pages behind it are fetched along when they are missing too.
    public mutating func fetch<World: NodeWorld & ~Copyable>(_ page: PageNumber, ahead: Int, now: UInt64,
                                                             _ world: inout World) {
        precondition(Int(page.index) < pages.count, "page outside of the shared memory")
        if let slot = fetches.firstIndex(where: { $0.state != .idle && $0.page == page }) {
            fetches[slot].isDemand = true
            return
        }
        guard !pages[Int(page.index)].isPresent, let slot = freeFetch() else { return }
        begin(slot, page, isDemand: true)
        var count = 1
        while count <= ahead, count < Limits.maximumRequestPages, let more = wantsAhead(page, count) {
            begin(more, PageNumber(page.index + UInt32(count)), isDemand: false)
            count += 1
        }
        ask(slot, count: count, now, &world)
    }

    private mutating func freeFetch() -> Int? {
        if let slot = fetches.firstIndex(where: { $0.state == .idle }) { return slot }
        guard fetches.count < Self.maximumFetches else { return nil }
        fetches.append(Fetch())
        return fetches.count - 1
    }

    /// Drops free slots from the end. Not while the slots are being gone through.
    private mutating func trimFetches() {
        while let last = fetches.last, last.state == .idle { fetches.removeLast() }
    }

    /// A free slot for the page `count` behind `first`, if that has the same owner and is worth fetching.
    private mutating func wantsAhead(_ first: PageNumber, _ count: Int) -> Int? {
        let index = Int(first.index) + count
        guard index < pages.count, !pages[index].isPresent, pages[index].owner == pages[Int(first.index)].owner,
            !fetches.contains(where: { $0.state != .idle && Int($0.page.index) == index })
        else { return nil }
        return freeFetch()
    }

    private mutating func begin(_ slot: Int, _ page: PageNumber, isDemand: Bool) {
        fetches[slot] = Fetch()
        fetches[slot].state = .asked
        fetches[slot].page = page
        fetches[slot].isDemand = isDemand
    }

    /// Sends the request of a slot; the read-ahead slots right behind its page share the frame and the nonce.
    mutating func ask<World: NodeWorld & ~Copyable>(_ slot: Int, count: Int, _ now: UInt64, _ world: inout World) {
        let fetch = fetches[slot]
        let target = target(of: fetch, now)
        let deadline = now + patience.wait(fetch.question.tries, tuning)
        var question = fetch.question.tries == 0 ? Question(nonce: nextNonce()) : fetch.question
        let nonce = question.ask(now)
        for place in fetches.indices where fetches[place].state == .asked {
            let distance = Int(fetches[place].page.index) - Int(fetch.page.index)
            guard place == slot || (!fetches[place].isDemand && distance > 0 && distance < count) else { continue }
            fetches[place].question = question
            fetches[place].target = target
            fetches[place].deadline = deadline
        }
        counters.pageRequests += 1
        world.record(.asked(fetch.page, of: target))
        let request = PageRequest(nonce: nonce, page: fetch.page, count: UInt16(count), requester: station,
                                  requesterIncarnation: endpoint.incarnation, applied: applied)
        send(request, to: target, &world)
        if question.tries >= tuning.triesUntilMissing {
            send(Missing(thing: .page, detail: UInt64(fetch.page.index)), to: .arbiter, &world)
        }
    }

    /// The owner that the last commit names; then the arbiter, which knows better; at last everyone. Who was just asked
    /// in vain is asked after the arbiter [P29].
    private func target(of fetch: Fetch, _ now: UInt64) -> Station {
        let owner = pages[Int(fetch.page.index)].owner
        let isKnown = owner.isNode && owner != station
        if isKnown {
            let isPassedOver = now < passedOverUntil[owner.index]
            if fetch.question.tries == 1 || fetch.question.tries == 0 && !isPassedOver { return owner }
        }
        return fetch.question.tries < 4 || fetch.question.tries % 2 == 0 ? .arbiter : .everyone
    }

    // MARK: Answers to this node's requests

    mutating func receivePageReply<World: NodeWorld & ~Copyable>(_ header: FrameHeader, _ frame: RawSpan,
                                                                 _ now: UInt64, _ world: inout World) -> Bool {
        guard let reply = PageReply.parse(frame), Int(reply.page.index) < pages.count else { return false }
        guard let slot = fetches.firstIndex(where: {
            $0.state == .asked && $0.page == reply.page && $0.question.isAnswered(by: reply.nonce)
        }) else { return true }
        guard let handle = fetches[slot].handle ?? world.stage(for: fetches[slot].page) else { return true }
        fetches[slot].handle = handle
        guard fetches[slot].pieces.take(reply) != .unwanted else { return true }
        if reply.length == 0 { world.clear(handle, at: 0, count: Limits.pageBytes) }
        world.fill(handle, at: Int(reply.offset), with: frame, from: PageReply.dataOffset, count: Int(reply.length))
        if fetches[slot].pieces.isComplete {
            if let delay = fetches[slot].question.delay(of: reply.nonce, now) { patience.note(delay) }
            if fetches[slot].version > applied { hearOf(fetches[slot].version.counter, from: header.sender, at: now) }
            fetches[slot].state = .waiting
            settle(slot, now, &world)
            trimFetches()
        }
        return true
    }

    /// Installs an arrived page if it is the version that this node's time asks for [P17].
    private mutating func settle<World: NodeWorld & ~Copyable>(_ slot: Int, _ now: UInt64, _ world: inout World) {
        guard let handle = fetches[slot].handle, fetches[slot].version <= applied else { return }
        let index = Int(fetches[slot].page.index)
        if fetches[slot].version < pages[index].version {
            world.discard(handle)
            let isDemand = fetches[slot].isDemand
            begin(slot, fetches[slot].page, isDemand: isDemand)
            if isDemand { ask(slot, count: 1, now, &world) } else { fetches[slot] = Fetch() }
            return
        }
        pages[index].version = fetches[slot].version
        pages[index].isPresent = true
        world.install(handle, as: fetches[slot].page)
        world.record(.installed(fetches[slot].page, fetches[slot].version))
        counters.pagesFetched += 1
        if fetches[slot].isDemand { prolongHold(now) }
        fetches[slot] = Fetch()
    }

    /// Applied time has moved: pages that came from a later time may be due.
    mutating func settleFetches<World: NodeWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        for slot in fetches.indices where fetches[slot].state == .waiting { settle(slot, now, &world) }
        trimFetches()
    }

    mutating func receivePageAbsent<World: NodeWorld & ~Copyable>(_ header: FrameHeader, _ frame: RawSpan,
                                                                  _ now: UInt64, _ world: inout World) -> Bool {
        guard let absent = PageAbsent.parse(frame) else { return false }
        guard let slot = fetches.firstIndex(where: {
            $0.state == .asked && $0.page == absent.page && $0.question.isAnswered(by: absent.nonce)
        }) else { return true }
        guard fetches[slot].isDemand else {
            release(slot, &world)
            trimFetches()
            return true
        }
        // Who was asked before may say so late, and more than once: that is no news.
        if fetches[slot].target == header.sender, header.sender != .arbiter {
            fetches[slot].question.giveUpOnFirst()
            ask(slot, count: 1, now, &world)
        }
        return true
    }

    private mutating func release<World: NodeWorld & ~Copyable>(_ slot: Int, _ world: inout World) {
        if let handle = fetches[slot].handle { world.discard(handle) }
        fetches[slot] = Fetch()
    }

    /// Gives every outstanding request up; the programs that wait ask again.
    mutating func cancelFetches<World: NodeWorld & ~Copyable>(_ world: inout World) {
        for slot in fetches.indices where fetches[slot].state != .idle { release(slot, &world) }
        trimFetches()
    }

    /// Requests whose time is up: demanded pages are asked for again, read-ahead is forgotten.
    mutating func retryFetches<World: NodeWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        for slot in fetches.indices where fetches[slot].state == .asked && fetches[slot].deadline <= now {
            guard fetches[slot].isDemand else {
                release(slot, &world)
                continue
            }
            if fetches[slot].question.tries == 2, fetches[slot].target.isNode {
                passedOverUntil[fetches[slot].target.index] = now + tuning.heartbeat
            }
            ask(slot, count: 1, now, &world)
        }
        trimFetches()
    }

    // MARK: Others' requests

    mutating func receivePageRequest<World: NodeWorld & ~Copyable>(_ header: FrameHeader, _ frame: RawSpan,
                                                                   _ now: UInt64, _ world: inout World) -> Bool {
        guard let request = PageRequest.parse(frame), Int(request.page.index) < pages.count,
            request.requester.isNode || request.requester == .arbiter
        else { return false }
        guard request.requesterIncarnation >= endpoint.incarnation(of: request.requester) else { return true }
        let isAsked = header.target == station
        guard isAsked || request.wanted > .zero || pages[Int(request.page.index)].owner == station else { return true }
        serve(request, isAsked: isAsked, now, &world)
        return true
    }

    /// - Parameter isAsked: the request was for this node alone, which then also says when it has no copy.
    private mutating func serve<World: NodeWorld & ~Copyable>(_ request: PageRequest, isAsked: Bool, _ now: UInt64,
                                                              _ world: inout World) {
        guard !isFrozen, request.requester != station else { return }
        guard applied >= request.applied || request.wanted > .zero else {
            // A node that sees a later time than its own catches up before it answers.
            if laterRequests.count < Self.maximumLaterRequests { laterRequests.append(request) }
            hearOf(request.applied.counter, from: request.requester, at: now)
            return
        }
        guard request.wanted == .zero else { return serveVersions(request, isAsked: isAsked, &world) }
        for distance in 0..<Int(request.count) {
            let page = PageNumber(request.page.index + UInt32(distance))
            guard Int(page.index) < pages.count else { return }
            if pages[Int(page.index)].isPresent {
                sendPage(page, pages[Int(page.index)].version, nil, request.nonce, request.requester, &world)
            } else if isAsked {
                send(PageAbsent(nonce: request.nonce, page: page), to: request.requester, &world)
            }
        }
    }

    /// The arbiter wants exactly one version, for a state at one time; an old one may lie among the pre-images. Each
    /// page of a run is answered for itself [P26].
    private mutating func serveVersions<World: NodeWorld & ~Copyable>(_ request: PageRequest, isAsked: Bool,
                                                                      _ world: inout World) {
        let end = min(Int(request.page.index) + Int(request.count), pages.count)
        var run = PageRun()
        for index in Int(request.page.index)..<end {
            let page = PageNumber(UInt32(index))
            if !gather(page, request.wanted, &run, request.nonce, request.requester, &world), isAsked {
                send(PageAbsent(nonce: request.nonce, page: page), to: request.requester, &world)
            }
        }
        _ = send(run, request.wanted, request.nonce, request.requester, &world)
    }

    /// Adds a page to those that go together, and lets them go when they are as many as may [P28].
    ///
    /// - Returns: Whether exactly this version is here, as the copy or among the pre-images.
    mutating func gather<World: NodeWorld & ~Copyable>(
        _ page: PageNumber, _ version: GlobalTime, _ run: inout PageRun, _ nonce: UInt64, _ target: Station,
        _ world: inout World
    ) -> Bool {
        let record = pages[Int(page.index)]
        if record.isPresent && record.version == version {
            run.append(page, nil)
        } else if let handle = preImages.find(page, version) {
            run.append(page, handle)
        } else {
            return false
        }
        if run.count >= longestTrain(to: target, world) {
            _ = send(run, version, nonce, target, &world)
            run = PageRun()
        }
        return true
    }

    private func longestTrain<World: NodeWorld & ~Copyable>(to target: Station, _ world: borrowing World) -> Int {
        target == .arbiter ? max(1, min(world.trainPages, Limits.trainPages)) : 1
    }

    /// Sends pages in one frame, or one by one where that does not pass.
    ///
    /// - Returns: Whether it was one frame.
    mutating func send<World: NodeWorld & ~Copyable>(
        _ run: PageRun, _ version: GlobalTime, _ nonce: UInt64, _ target: Station, _ world: inout World
    ) -> Bool {
        if run.count > 1, sendTrain(run, version, nonce, target, &world) { return true }
        for place in 0..<run.count {
            sendPage(run[place].page, version, run[place].handle, nonce, target, &world)
        }
        return false
    }

    private mutating func sendTrain<World: NodeWorld & ~Copyable>(
        _ run: PageRun, _ version: GlobalTime, _ nonce: UInt64, _ target: Station, _ world: inout World
    ) -> Bool {
        let header = endpoint.nextHeader(.pageTrain, to: target, payloadBytes: PageTrain.byteCount(run.count),
                                         epoch: epoch, applied: applied)
        var writer = TrainWriter(header, nonce: nonce, version: version, count: run.count, key: endpoint.key)
        let isSent = world.transmit(run, &writer)
        if isSent { counters.pagesServed += UInt64(run.count) }
        return isSent
    }

    private mutating func sendPage<World: NodeWorld & ~Copyable>(
        _ page: PageNumber, _ version: GlobalTime, _ handle: FrameHandle?, _ nonce: UInt64, _ target: Station,
        _ world: inout World
    ) {
        counters.pagesServed += 1
        let key = endpoint.key
        PagePieces.split(page, version, nonce: nonce, maximumFrame: world.maximumFrameBytes) { reply in
            let header = endpoint.nextHeader(.pageReply, to: target, payloadBytes: reply.byteCount, epoch: epoch,
                                             applied: applied)
            let content = PageContent(page: page, handle: handle, offset: Int(reply.offset), count: Int(reply.length))
            _ = world.transmit(Limits.headerBytes + reply.byteCount, content, at: PageReply.dataOffset) { frame in
                reply.emit(into: &frame)
                header.emit(into: &frame, key: key)
            }
        }
    }

    /// Applied time has moved: requests that were too late for this node may be answered now.
    mutating func serveLater<World: NodeWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        guard !laterRequests.isEmpty, !isFrozen else { return }
        var place = 0
        while place < laterRequests.count {
            let request = laterRequests[place]
            if applied >= request.applied {
                laterRequests.remove(at: place)
                serve(request, isAsked: true, now, &world)
            } else {
                place += 1
            }
        }
    }
}
