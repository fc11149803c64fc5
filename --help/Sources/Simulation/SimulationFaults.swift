import Protocol
import Wire

extension Simulation {
    func perform(_ fault: Fault) {
        if phase == .vigil && fault.isForVigil { return }
        if phase != .faults && fault.isDisaster || hasCalmedEarly && fault.isScripted { return }
        if isHostDown && !fault.isFree { return }
        if let log { log("\(now) FAULT \(fault)") }
        switch fault {
        case .crash(let index): crash(nodes[index])
        case .boot(let index): boot(nodes[index])
        case .report(let index): report(nodes[index])
        case .pause(let index, let length): pause(nodes[index], length)
        case .cut(let from, let to):
            disturb()
            lastCut = now
            network.cut(from, to)
        case .heal:
            disturb()
            lastCut = now
            network.heal()
        case .killArbiter:
            disturb()
            arbiter.kill()
        case .startArbiter:
            if !arbiter.isAlive {
                startArbiter()
            }
        case .pauseArbiter(let length):
            if arbiter.isAlive { pauseArbiter(length) }
        case .resume(let index): resume(nodes[index])
        case .resumeArbiter: resumeArbiter()
        case .arm(let act): if phase == .faults { armed.append(act) }
        case .fillDisk, .emptyDisk, .failDisk, .interrupt, .cutPower, .startHost, .goBack, .keep, .examineDisk:
            performOnDisk(fault)
        case .lull(let withoutArbiter): beginLull(withoutArbiter: withoutArbiter)
        case .endOfAbsence: endAbsence()
        case .endOfLull: endLull()
        case .vigil: beginVigil()
        case .endOfVigil: endVigil()
        case .calm: calmDown()
        case .rest: rest()
        case .end: end()
        }
    }

    /// The host tells the arbiter that a machine is gone.
    func report(_ node: SimulatedNode) {
        guard !node.isAlive, arbiter.isAlive, arbiter.isListening(at: now) else { return }
        threatenArbiter(100)
        ambushArbiter(.death)
        arbiter.core.died(node.station, now: now, &arbiter.store)
        finish(arbiterAt: now)
    }

    func crash(_ node: SimulatedNode) {
        disturb()
        node.isAlive = false
        node.memory.outbox = []
    }

    func boot(_ node: SimulatedNode) {
        guard !node.isAlive else { return }
        node.boot(Self.module(node.station, nonce: random.next() | 1, scenario), tuning: Tuning(), now: now)
        admittedBy[Int(node.station.number) - 1] = arbiter.life
        afterBooting(node)
        finish(node)
    }

    private func pause(_ node: SimulatedNode, _ length: UInt64) {
        guard node.isAlive, node.pausedUntil <= now else { return }
        disturb()
        node.pausedUntil = now + length
        // The clock of a paused guest may stand still.
        if random.chance(500) { node.clockLag += length }
        queue.insert(.fault(.resume(Int(node.station.number) - 1)), at: now + length)
    }

    private func resume(_ node: SimulatedNode) {
        guard node.isAlive, node.pausedUntil <= now else { return }
        disturb()
        let frames = node.ring
        node.ring = []
        for frame in frames { queue.insert(.deliver(frame, to: node.station.number), at: now) }
        node.core.tick(now: node.clock(now), &node.memory)
        finish(node)
    }

    private func pauseArbiter(_ length: UInt64) {
        guard arbiter.pausedUntil <= now else { return }
        disturb()
        arbiter.pausedUntil = now + length
        if length > Scenario.longNap { arbiterWoke = now + length }
        queue.insert(.fault(.resumeArbiter), at: now + length)
    }

    func resumeArbiter() {
        guard arbiter.isAlive, arbiter.isListening(at: now) else { return }
        disturb()
        let frames = arbiter.ring
        arbiter.ring = []
        for frame in frames { queue.insert(.deliver(frame, to: Station.arbiter.number), at: now) }
        arbiter.core.tick(now: now, &arbiter.store)
        finish(arbiterAt: now)
    }

    /// From now on every frame arrives.
    func stopLosing() {
        network.isCalm = true
        network.heal()
        stopSpite()
    }

    /// Nothing waits for its moment any more to do harm.
    func stopSpite() {
        arbiter.store.ambush = nil
        mendDisk()
        mutes.removeAll()
        unheard = nil
        lonely = nil
        lostCommitter = nil
        slowStrict = nil
    }

    /// Faults stop. From here on everyone must come back within a bound.
    private func calmDown() {
        guard phase == .faults || phase == .lull || phase == .vigil else { return }
        if phase == .faults { hasCalmedEarly = now < scenario.calm }
        phase = .recovery
        // Who sleeps through the calm comes back later.
        calmAt = nodes.reduce(max(now, arbiter.pausedUntil)) { $1.isAlive ? max($0, $1.pausedUntil) : $0 }
        stopLosing()
        if !arbiter.isAlive { perform(.startArbiter) }
        for node in nodes where !node.isAlive { perform(.report(Int(node.station.number) - 1)) }
        for node in nodes { boot(node) }
        calmCommits = nodes.map(\.commits)
        queue.insert(.fault(.rest), at: now + 300 * Scenario.millisecond)
    }

    /// Programs stop as soon as each node has committed again; that may take a while, but not for ever.
    private func rest() {
        let hasAll = nodes.indices.allSatisfy { nodes[$0].commits >= calmCommits[$0] + 3 }
        let isEnough = checker.commits.count - checker.unwanted >= Self.wantedCommits
            && (events >= Self.wantedEvents || checker.commits.count - checker.unwanted >= Self.wantedEvents)
        if !hasAll || !isEnough {
            let isLate = now > calmAt + Scenario.recovery + scenario.recoverySlowness
            if !hasAll && isLate {
                for index in nodes.indices where nodes[index].commits < calmCommits[index] + 3 {
                    checker.fail(.liveness, "n\(index + 1) is stuck: \(state(of: nodes[index]))")
                }
                checker.fail(.liveness, "arbiter: \(stateOfArbiter)")
                return
            }
            if !isLate || !isEnough { return queue.insert(.fault(.rest), at: now + 100 * Scenario.millisecond) }
        }
        phase = .settling
        for node in nodes {
            node.mayBegin = false
            finish(node)
        }
        queue.insert(.fault(.end), at: now + Scenario.settling + scenario.settlingSlowness)
    }

    static let wantedCommits = 300
    static let wantedEvents = 5000

    /// Everything must be the same everywhere, saved, and add up.
    private func end() {
        isEnded = true
        let tip = arbiter.core.applied
        if arbiter.core.saved != tip { checker.fail(.settlement, "not all is saved: \(stateOfArbiter)") }
        for node in nodes {
            if node.core.applied != tip || node.core.epoch != arbiter.core.epoch || node.core.phase != .member {
                checker.fail(
                    .settlement, "n\(node.station.number) is not up to date: "
                        + "\(state(of: node)); arbiter: \(stateOfArbiter)")
            }
            if node.core.saved != tip {
                checker.fail(.settlement, "n\(node.station.number) does not know that all is saved")
            }
            if node.leakedFrames != 0 {
                checker.fail(.leak, "n\(node.station.number) leaks \(node.leakedFrames) frames")
            }
        }
        if arbiter.store.frames.used != 0 {
            checker.fail(.leak, "the arbiter leaks \(arbiter.store.frames.used) frames")
        }
        checkDisk()
        for node in nodes where node.core.applied == tip {
            for index in 0..<scenario.layout.sharedPages {
                if let content = node.memory.content(of: PageNumber(UInt32(index))),
                    content != arbiter.store.image[index] {
                    checker.fail(.settlement, "n\(node.station.number) and the image differ in page \(index)")
                }
            }
        }
    }

    func state(of node: SimulatedNode) -> String {
        "phase \(node.core.phase) epoch \(node.core.epoch) frozen \(node.core.isFrozen) "
            + "applied \(checker.describe(node.core.applied.raw)) saved \(checker.describe(node.core.saved.raw)) "
            + "token \(node.core.holdsToken) \(node.activity)"
    }

    var stateOfArbiter: String {
        let core = arbiter.core
        return "epoch \(core.epoch) polling \(core.isPolling) applied \(checker.describe(core.applied.raw)) "
            + "saved \(checker.describe(core.saved.raw)) held \(checker.describe(core.held.raw))"
            + (arbiter.store.keeper.isFailing ? " store failing" : "") + (arbiter.store.isStalled ? " stalled" : "")
    }

    static func name(of reason: ArbiterNotice.Reason) -> String {
        switch reason {
        case .died: "died"
        case .restarted: "restarted"
        case .tokenMissing: "token missing"
        case .recordMissing: "record missing"
        case .pageMissing: "page missing"
        case .interrupted: "interrupted"
        case .nobodyLeft: "nobody left"
        }
    }

    func name(_ station: UInt8) -> String {
        station == Station.arbiter.number ? "arbiter" : station == Station.everyone.number ? "all" : "n\(station)"
    }

    func describe(_ frame: Frame) -> String {
        let array = frame.bytes
        let bytes = array.span.bytes
        guard let header = parse(bytes) else { return "rubbish" }
        var text = "\(name(header.sender.number)) e\(header.epoch) i\(header.incarnation) "
            + "@\(checker.describe(header.applied.raw)) \(header.kind)"
        if let request = PageRequest.parse(bytes), header.kind == .pageRequest {
            text += " page \(request.page.index)+\(request.count) for \(name(request.requester.number)) "
                + "wanted \(checker.describe(request.wanted.raw))"
        }
        if let reply = PageReply.parse(bytes), header.kind == .pageReply {
            text += " page \(reply.page.index) \(checker.describe(reply.version.raw)) \(reply.index)/\(reply.count)"
        }
        if let train = PageTrain.parse(bytes), header.kind == .pageTrain {
            let pages = (0..<train.count).map { String(train[$0].index) }.joined(separator: ",")
            text += " pages \(pages) \(checker.describe(train.version.raw))"
        }
        if header.kind == .commit || header.kind == .recordReply,
            let piece = RecordPiece.parse(bytes, at: Payload.at(0)) {
            text += " \(checker.describe(piece.time.raw)) token \(piece.tokenNumber) \(piece.index)/\(piece.count)"
        }
        if header.kind == .tokenGrant, let grant = TokenGrant.parse(bytes) {
            text += " \(grant.number) to n\(grant.target.number)"
        }
        if header.kind == .missing, let missing = Missing.parse(bytes) {
            text += " \(missing.thing) \(missing.detail)"
        }
        if header.kind == .recordRequest, let request = RecordRequest.parse(bytes) {
            text += " \(request.first)+\(request.count)"
        }
        return text
    }

    private func parse(_ bytes: RawSpan) -> FrameHeader? {
        do throws(FrameHeader.Fault) { return try FrameHeader.parse(bytes) } catch { return nil }
    }

    func verdict() -> Verdict {
        let survivors = checker.survivors(of: arbiter.core.applied)
        if checker.failures.isEmpty {
            checkProgramState(survivors)
        }
        for time in survivors.map(\.time.raw).sorted() { trace.absorb(time) }
        return Verdict(seed: seed, failures: checker.failures, events: events, commits: survivors.count,
                       aborts: nodes.reduce(0) { $0 + $1.aborts }, undone: checker.commits.count - survivors.count,
                       epochs: checker.openings.count, reasons: reasons, framesSent: network.sent,
                       framesOfKind: network.sentOfKind, duration: now, trace: trace.finish())
    }

    /// The counter's value is the number of additions that the nodes count.
    private func checkProgramState(_ survivors: [CommitRecord]) {
        let image = arbiter.store.image
        let counted = (1...Layout.maximumNodes).reduce(UInt64(0)) {
            $0 + image[Int(Layout.control(Station(UInt8($1))).index)][2]
        }
        if image[Int(Layout.counter.index)][1] != counted {
            checker.fail(.invariant, "counter \(image[9][1]), additions \(counted)")
        }
        let additions = survivors.filter { $0.writes.contains { $0.page == Layout.counter } }.count
        if UInt64(additions) != counted {
            checker.fail(.invariant, "\(additions) surviving additions, counter \(counted)")
        }
    }
}
