import Wire

@testable import Protocol

extension Target {
    /// The receive path of a node in every phase: frames with valid tags from the arbiter and from two other nodes,
    /// time, memory shortage, and transactions in between.
    static let node = Target("node", longest: 1024) { bytes in
        var input = Input(bytes)
        var run = NodeRun(&input)
        while !input.isEmpty { run.step(&input) }
        run.end()
    }
}

/// One node, and a hostile rest of the cluster.
struct NodeRun: ~Copyable {
    private var core: NodeCore
    private var world: NodeMemory
    private var forge = FrameForge()
    private var now: UInt64 = 1_000_000_000
    private var isRunning = false
    private var isFinished = false
    private var delivered: [[UInt8]] = []
    private var newestCommit = GlobalTime.zero
    private var lastSequence: UInt64 = 0

    private static let preImageLimit = 5
    /// The most that one event may send: answers to all requests that waited, each for 16 pages of three pieces, or all
    /// records that the log has.
    private static let mostFrames = 1200

    init(_ input: inout Input) {
        let isJumbo = input.flag()
        forge.maximumFrameBytes = isJumbo ? Limits.maximumFrameBytes : Limits.standardFrameBytes
        let module = BootModule(
            cluster: FrameForge.cluster, key: Target.key, nonce: 5, sharedPages: UInt32(forge.sharedPages),
            maximumFrameBytes: UInt16(forge.maximumFrameBytes), node: Station(1))
        core = NodeCore(module: module, build: FrameForge.build, writeLimit: 4, preImageLimit: Self.preImageLimit,
                        logEntries: 128, logWords: 2048)
        world = NodeMemory(sharedPages: forge.sharedPages, maximumFrameBytes: forge.maximumFrameBytes)
        core.start(now: now, &world)
        check(before: .init(core))
        if input.byte() < 0xE0 { admit(&input) }
    }

    /// Lets the node in, as an arbiter does.
    private mutating func admit(_ input: inout Input) {
        let accept = JoinAccept(
            nonce: forge.joinNonce, incarnation: 1, epoch: 1, applied: .zero, saved: .zero,
            sharedPages: UInt32(forge.sharedPages), tokenHolder: input.flag() ? Station(1) : Station(2),
            tokenNumber: input.flag() ? 1 : 0, isPrimary: true)
        var payload = [UInt8](repeating: 0, count: Limits.headerBytes + accept.byteCount)
        payload.write { accept.emit(into: &$0) }
        payload.removeFirst(Limits.headerBytes)
        var plain = Input([])
        deliver(forge.frame(.joinAccept, from: .arbiter, incarnation: 1, payload, &plain))
    }

    mutating func step(_ input: inout Input) {
        let what = input.below(48)
        let before = State(core)
        switch what {
        case 0..<26: receive(FrameHeader.Kind.allCases[what % FrameHeader.Kind.allCases.count], &input)
        case 26: receive(FrameHeader.Kind.allCases[input.below(24)], payload: input.take(input.below(128)), &input)
        case 27: repeatFrame(&input)
        case 28: forged(&input)
        case 29: world.isShort = input.flag()
        case 30: world.isDeafened = input.flag()
        case 31: evict(forge.page(&input))
        case 32: core.askStrict(now: now, &world)
        case 33: core.reply(1, .done, time: core.applied, &world)
        case 34: if !isRunning { core.idle(now: now, &world) }
        case 35: abort(isConflict: input.flag())
        case 36: if input.byte() == 0 { admit(&input) }
        case 37..<40: pass(&input)
        case 40..<42: begin()
        case 42..<44: read(forge.page(&input), ahead: input.below(16))
        case 44..<46: write(forge.page(&input))
        default: commit()
        }
        check(before: before)
    }

    // MARK: Frames

    private mutating func receive(_ kind: FrameHeader.Kind, payload: [UInt8]? = nil, _ input: inout Input) {
        let who = input.byte()
        let sender = who < 0x90 ? Station.arbiter : who < 0xF0 ? Station(2 + (who & 1)) : forge.station(&input)
        let frame = if let payload {
            forge.frame(kind, from: sender, incarnation: 1, payload, &input)
        } else {
            forge.frame(kind, from: sender, incarnation: who == 0xFF ? forge.incarnation(&input) : 1, &input)
        }
        delivered.append(frame)
        deliver(frame)
    }

    private mutating func deliver(_ frame: [UInt8]) { core.receive(frame.span.bytes, now: now, &world) }

    /// What came once comes again: nothing may happen, unless it was refused for want of a sound header then.
    private mutating func repeatFrame(_ input: inout Input) {
        guard !delivered.isEmpty else { return }
        deliver(delivered[input.below(min(delivered.count, 256))])
    }

    /// A frame with a wrong tag changes nothing but a counter.
    private mutating func forged(_ input: inout Input) {
        var frame = forge.frame(FrameHeader.Kind.allCases[input.below(24)], from: .arbiter, incarnation: 1, &input)
        frame[56 + input.below(16)] ^= 1 << (input.byte() & 7)
        let before = State(core)
        let counters = (core.endpoint.received, core.endpoint.rejected)
        deliver(frame)
        require(
            core.endpoint.received == counters.0 && core.endpoint.rejected == counters.1 + 1,
            "a forged frame is counted")
        require(State(core) == before, "a forged frame changes nothing")
    }

    private mutating func pass(_ input: inout Input) {
        let steps: [UInt64] = [1_000, 500_000, 8_000_000, 64_000_000, 300_000_000, 2_000_000_000]
        now += steps[input.below(steps.count)]
        core.tick(now: now, &world)
        // Every timer moves on when it fires: a loop that sleeps until the deadline gets on.
        for _ in 0..<16 where core.deadline <= now { core.tick(now: now, &world) }
        let isWaiting = core.deadline > now || core.holdsToken
        require(isWaiting, "a timer that has fired is set anew: \(timers)")
    }

    /// Which timers are due, for a finding.
    private var timers: String {
        let asked = core.fetches.filter { $0.state == .asked && $0.deadline <= now }.map(\.page.index)
        return "heartbeat \(core.heartbeatAt), report \(core.reportAt), strict \(core.strict.deadline), pages \(asked),"
            + " gap \(core.gap.deadline) to \(core.gap.counter), token \(core.token.requestDeadline), grant"
            + " \(core.token.grant?.deadline ?? 0), applied \(core.applied.counter), now \(now)"
    }

    // MARK: Transactions

    private mutating func begin() {
        guard !isRunning else { return }
        isRunning = core.begin(now: now, &world)
        isFinished = false
    }

    private mutating func read(_ page: PageNumber, ahead: Int) {
        guard Int(page.index) < forge.sharedPages else { return }
        guard core.isPresent(page) else { return core.fetch(page, ahead: ahead, now: now, &world) }
        if isRunning && !isFinished && !core.isDoomed { world.read(page) }
    }

    private mutating func write(_ page: PageNumber) {
        guard isRunning, !isFinished, !core.isDoomed, Int(page.index) < forge.sharedPages else { return }
        guard core.isPresent(page) else { return core.fetch(page, ahead: 0, now: now, &world) }
        guard !world.isWritten(page), core.recordWrite(page) else { return }
        world.write(page)
    }

    private mutating func commit() {
        guard isRunning else { return }
        let before = core.applied
        let isWriter = core.writeCount > 0
        switch core.commit(now: now, &world) {
        case .waiting: isFinished = true
        case .doomed: abort(isConflict: true)
        case .committed(let time):
            require(time == core.applied, "a commit is applied")
            if isWriter {
                require(time > before && time.counter == before.counter + 1, "a commit is the next one")
                require(time.epoch == core.epoch, "a commit belongs to its epoch")
                require(time > newestCommit, "no commit time is used twice")
                newestCommit = time
            }
            isRunning = false
            world.finish()
        }
    }

    private mutating func abort(isConflict: Bool) {
        guard isRunning else { return }
        core.abort(isConflict: isConflict)
        world.finish()
        isRunning = false
    }

    private mutating func evict(_ page: PageNumber) {
        guard Int(page.index) < forge.sharedPages, core.canEvict(page), !world.isWritten(page) else { return }
        world.evict(page)
        core.evicted(page)
    }

    // MARK: Promises

    /// What must not go backwards.
    struct State: Equatable {
        var phase: NodeCore.Phase
        var incarnation: UInt32
        var epoch: UInt32
        var frozenFor: UInt32
        var applied: GlobalTime
        var saved: GlobalTime
        var holdsToken: Bool

        init(_ core: borrowing NodeCore) {
            phase = core.phase
            incarnation = core.endpoint.incarnation
            epoch = core.epoch
            frozenFor = core.frozenFor
            applied = core.applied
            saved = core.saved
            holdsToken = core.holdsToken
        }
    }

    private mutating func check(before: State) {
        let after = State(core)
        require(after.saved >= before.saved, "what is saved stays saved")
        // A node that is let in anew takes the arbiter's word of where the cluster stands.
        if after.phase != .member { newestCommit = .zero }
        if after.phase == .member && before.phase == .member && after.incarnation == before.incarnation {
            require(after.epoch >= before.epoch, "a node goes back to no earlier epoch")
            require(after.epoch > before.epoch || after.applied >= before.applied, "a node applies nothing backwards")
        }
        if after.phase == .member {
            require(after.applied.epoch <= after.epoch, "a node applies nothing of an epoch that it does not know")
            require(after.frozenFor >= after.epoch, "a node is frozen for a later epoch or not at all")
        }
        checkFrames()
        checkLimits()
        checkSent()
        forge.epoch = core.epoch
        forge.applied = core.applied
        forge.saved = core.saved
        forge.strictNonce = core.strict.nonce
        forge.joinNonce = core.join.nonce
        forge.incarnation = core.endpoint.incarnation
    }

    /// Every frame is a copy, a shadow, a pre-image or on its way in, and only one of these.
    private func checkFrames() {
        let staged = core.fetches.compactMap(\.handle)
        let kept = (0..<core.preImages.count).map { core.preImages[$0].handle }
        let used = world.copies.compactMap(\.self) + world.working.compactMap(\.self) + staged + kept
        for handle in used { world.pool.use(handle) }
        require(Set(used.map(\.number)).count == used.count, "a frame has one use")
        require(world.pool.count == used.count, "every frame in use is known: \(world.pool.count) and \(used.count)")
        for page in world.copies.indices {
            let isHere = core.isPresent(PageNumber(UInt32(page)))
            require(isHere == (world.copies[page] != nil), "core and memory agree on what is here")
            let version = core.version(of: PageNumber(UInt32(page)))
            require(!isHere || version <= core.applied, "no page from the future is here")
        }
    }

    private func checkLimits() {
        require(core.fetches.count <= NodeCore.maximumFetches, "there are so many fetches at most")
        require(core.laterRequests.count <= NodeCore.maximumLaterRequests, "there are so many late requests at most")
        require(core.preImages.count <= Self.preImageLimit, "there are so many old versions at most")
        require(core.isDoomed == (isRunning && world.isUnreachable), "a doomed transaction reaches nothing")
    }

    /// What a node sends is what a node accepts.
    private mutating func checkSent() {
        require(world.sent.count <= Self.mostFrames, "one event sends so much at most: \(world.sent.count)")
        for frame in world.sent {
            guard let header = try? FrameHeader.parse(frame.span.bytes) else {
                broken("a sent frame has a sound header")
            }
            require(FrameHeader.isAuthentic(frame.span.bytes, key: Target.frameKey), "a sent frame is authentic")
            require(FrameForge.checkPayload(frame), "a sent \(header.kind) is sound")
            require(header.sender == Station(1) && header.target != Station(1), "a node sends to others")
            if header.kind == .pageRequest, let request = PageRequest.parse(frame.span.bytes),
                request.requester == Station(1) {
                forge.requests.insert(request, at: 0)
                if forge.requests.count > 8 { forge.requests.removeLast() }
            }
        }
        world.sent.removeAll()
    }

    /// When all is over every frame comes back.
    mutating func end() {
        abort(isConflict: false)
        check(before: State(core))
    }
}
