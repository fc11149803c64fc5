import Wire

@testable import Protocol

extension Target {
    /// The receive path of the arbiter: three nodes that join, commit, answer and lie, with valid tags; deaths, time.
    static let arbiter = Target("arbiter", longest: 1024) { bytes in
        var input = Input(bytes)
        var run = ArbiterRun(&input)
        while !input.isEmpty { run.step(&input) }
    }
}

/// One arbiter, and nodes that say anything.
struct ArbiterRun {
    private var core: Arbiter
    private var world: ArbiterStore
    private var forge = FrameForge()
    private var now: UInt64 = 1_000_000_000
    private var delivered: [[UInt8]] = []

    /// The most that one event may send: all records that the log has, or answers to all requests that waited.
    private static let mostFrames = 4000

    init(_ input: inout Input) {
        forge.receiver = .arbiter
        forge.maximumFrameBytes = input.flag() ? Limits.maximumFrameBytes : Limits.standardFrameBytes
        core = Arbiter(cluster: FrameForge.cluster, key: Target.key, build: FrameForge.build,
                       state: ArbiterState(sharedPages: forge.sharedPages), nonce: 3, logEntries: 128, logWords: 2048)
        world = ArbiterStore(sharedPages: forge.sharedPages, maximumFrameBytes: forge.maximumFrameBytes)
        core.start(now: now, &world)
        for number in 1..<1 + UInt8(input.below(4)) { join(Station(number)) }
        check(before: core)
    }

    /// The whole handshake, as a node does it.
    private mutating func join(_ node: Station) {
        var plain = Input([])
        forge.joinNonce = UInt64(node.number) << 32 | now
        for kind in [FrameHeader.Kind.joinRequest, .joinAnswer] {
            forge.challenge = core.member(node).challenge
            deliver(forge.frame(kind, from: node, incarnation: 0, &plain))
        }
    }

    mutating func step(_ input: inout Input) {
        let what = input.below(40)
        let before = core
        switch what {
        case 0..<24: receive(FrameHeader.Kind.allCases[what], &input)
        case 24, 25: receive(.commit, &input)
        case 26: receive(.pageTrain, &input)
        case 27: receive(.pageReply, &input)
        case 28: receive(FrameHeader.Kind.allCases[input.below(24)], payload: input.take(input.below(128)), &input)
        case 29: if !delivered.isEmpty { deliver(delivered[input.below(min(delivered.count, 256))]) }
        case 30: forged(&input)
        case 31: join(Station(UInt8(1 + input.below(3))))
        case 32: core.died(Station(UInt8(1 + input.below(3))), now: now, &world)
        case 33: core.command(Command(identifier: 1, verb: .perform, argument: 0, length: 4), [1, 2, 3, 4],
                              to: Station(UInt8(1 + input.below(3))), &world)
        case 34..<36: answer(&input)
        default: pass(&input)
        }
        check(before: before)
    }

    // MARK: Frames

    private mutating func receive(_ kind: FrameHeader.Kind, payload: [UInt8]? = nil, _ input: inout Input) {
        let who = input.byte()
        let sender = who < 0xF0 ? Station(1 + who % 3) : forge.station(&input)
        let incarnation = who != 0xFF && sender.isNode ? core.member(sender).incarnation : forge.incarnation(&input)
        let frame = if let payload {
            forge.frame(kind, from: sender, incarnation: incarnation, payload, &input)
        } else {
            forge.frame(kind, from: sender, incarnation: incarnation, &input)
        }
        delivered.append(frame)
        deliver(frame)
    }

    private mutating func deliver(_ frame: [UInt8]) { core.receive(frame.span.bytes, now: now, &world) }

    /// A node answers what it was asked: with all pieces of a page, or for a poll.
    private mutating func answer(_ input: inout Input) {
        let sender = Station(UInt8(1 + input.below(3)))
        let incarnation = core.member(sender).incarnation
        guard let request = forge.requests.first, !core.isPolling else {
            return deliver(forge.frame(.pollAnswer, from: sender, incarnation: incarnation, &input))
        }
        forge.requests.removeFirst()
        if request.count > 1, input.flag() { return answerByTrain(request, from: sender, incarnation) }
        let most = PageReply.pieceBytes(maximumFrame: forge.maximumFrameBytes)
        let pieces = (Limits.pageBytes + most - 1) / most
        for index in 0..<pieces {
            let length = min(most, Limits.pageBytes - index * most)
            let reply = PageReply(
                nonce: request.nonce, page: request.page, version: request.wanted, index: UInt8(index),
                count: UInt8(pieces), offset: UInt16(index * most), length: UInt16(length))
            var payload = [UInt8](repeating: 0, count: Limits.headerBytes + reply.byteCount)
            payload.write { reply.emit(into: &$0) }
            payload.removeFirst(Limits.headerBytes)
            var plain = Input([])
            deliver(forge.frame(.pageReply, from: sender, incarnation: incarnation, payload, &plain))
        }
    }

    private mutating func answerByTrain(_ request: PageRequest, from sender: Station, _ incarnation: UInt32) {
        let count = min(Int(request.count), Limits.trainPages)
        var train = PageTrain(nonce: request.nonce, version: request.wanted)
        for place in 0..<count { train.append(PageNumber(request.page.index &+ UInt32(place))) }
        var payload = [UInt8](repeating: 0, count: Limits.headerBytes + train.byteCount)
        payload.write { train.emit(into: &$0) }
        payload.removeFirst(Limits.headerBytes)
        var plain = Input([])
        deliver(forge.frame(.pageTrain, from: sender, incarnation: incarnation, payload, &plain))
    }

    /// A frame with a wrong tag changes nothing but a counter.
    private mutating func forged(_ input: inout Input) {
        var frame = forge.frame(FrameHeader.Kind.allCases[input.below(24)], from: Station(1), incarnation: 1, &input)
        frame[56 + input.below(16)] ^= 1 << (input.byte() & 7)
        let before = core
        deliver(frame)
        require(core.endpoint.received == before.endpoint.received, "a forged frame is not let in")
        require(core.endpoint.rejected == before.endpoint.rejected + 1, "a forged frame is counted")
        require(core.applied == before.applied && core.saved == before.saved && core.epoch == before.epoch
            && core.isPolling == before.isPolling && world.sent.isEmpty, "a forged frame changes nothing")
    }

    private mutating func pass(_ input: inout Input) {
        let steps: [UInt64] = [1_000, 500_000, 8_000_000, 64_000_000, 400_000_000, 2_500_000_000]
        now += steps[input.below(steps.count)]
        for _ in 0..<16 where core.deadline <= now || input.isEmpty { core.tick(now: now, &world) }
        require(core.deadline > now, "a timer that has fired is set anew: \(timers)")
    }

    /// Which timers are due, for a finding.
    private var timers: String {
        let needs = core.saving?.needs.filter { $0.state == .asked && $0.deadline <= now } ?? []
        return "heartbeat \(core.heartbeatAt), gap \(core.gap.deadline), open \(core.openAgainAt), save \(core.saveAt),"
            + " resend \(core.polling?.resendAt ?? 0), grace \(core.polling?.graceEnd ?? 0), records"
            + " \(core.polling?.recordsUntil ?? 0), needs \(needs), now \(now)"
    }

    // MARK: Promises

    private mutating func check(before: Arbiter) {
        require(core.saved >= before.saved && core.saved == world.saved, "what is announced is saved")
        require(core.epoch >= before.epoch, "epochs only grow")
        require(core.epoch == world.opened.first?.epoch, "an epoch is written down before it counts")
        require(core.polledEpoch == world.polled, "a poll is written down before it counts")
        require(core.epoch > before.epoch || core.applied >= before.applied, "the arbiter applies nothing backwards")
        require(core.saved <= core.applied, "only what is applied is saved")
        require(core.applied.epoch <= core.epoch, "nothing of an unknown epoch is applied")
        for index in 1..<max(1, core.chain.count) {
            require(core.chain[index].epoch < core.chain[index - 1].epoch, "the chain has every epoch once")
        }
        checkFrames()
        checkSent()
        forge.epoch = core.epoch
        forge.applied = core.applied
        forge.saved = core.saved
    }

    private func checkFrames() {
        let staged = (core.saving?.needs ?? []).compactMap(\.handle) + core.pushed.pages.map(\.handle)
        for handle in staged { world.pool.use(handle) }
        require(
            world.pool.count == staged.count, "every frame in use is known: \(world.pool.count) and \(staged.count)")
        require(core.laterRequests.count <= Arbiter.laterLimit, "there are so many late requests at most")
        require(core.chain.count <= 4 * Limits.maximumChain, "the chain is that long at most")
        let holders = core.holders.count + (core.polling?.holders.count ?? 0)
        require(holders <= 100_000, "there are so many holders at most: \(holders)")
    }

    /// What the arbiter sends is sound, and true.
    private mutating func checkSent() {
        require(world.sent.count <= Self.mostFrames, "one event sends so much at most: \(world.sent.count)")
        for frame in world.sent {
            guard let header = try? FrameHeader.parse(frame.span.bytes) else {
                broken("a sent frame has a sound header")
            }
            require(FrameHeader.isAuthentic(frame.span.bytes, key: Target.frameKey), "a sent frame is authentic")
            require(FrameForge.checkPayload(frame), "a sent \(header.kind) is sound")
            if header.kind == .heartbeat, let heartbeat = Heartbeat.parse(frame.span.bytes) {
                require(heartbeat.saved <= world.saved, "only what is saved is announced")
            }
            if header.kind == .pageRequest, let request = PageRequest.parse(frame.span.bytes),
                request.requester == .arbiter {
                forge.requests.insert(request, at: 0)
                if forge.requests.count > 8 { forge.requests.removeLast() }
            }
        }
        world.sent.removeAll()
    }
}
