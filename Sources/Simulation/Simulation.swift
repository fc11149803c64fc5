import Protocol
import Wire

/// One run of a cluster, decided by a seed: real protocol cores over a simulated network, memory, disk and clock.
public final class Simulation {
    static let build = BuildIdentifier(low: 0x504C_5552, high: 0x4958)
    static let cluster: UInt64 = 0xC1
    static let key = SipHash.Key(low: 0x0706_0504_0302_0100, high: 0x0F0E_0D0C_0B0A_0908)

    let seed: UInt64
    var random: Generator
    let scenario: Scenario
    var queue = EventQueue()
    var network: Network
    var nodes: [SimulatedNode]
    var arbiter: SimulatedArbiter
    var checker: Checker
    var trace = SHA256()
    var now: UInt64 = 0
    var events = 0
    /// Everything that happened, frames or not: a run that goes on without an end ends here.
    var steps = 0
    var phase = Phase.faults
    var calmCommits: [Int] = []
    var isEnded = false
    /// How often an epoch was begun, by its reason.
    var reasons: [String: Int] = [:]
    let stations: [UInt8]
    public var log: ((String) -> Void)?

    /// Of what befalls the disk.
    var diskRandom: Generator
    /// The host is without power, or its cluster is stopped.
    var isHostDown = false
    var labels = 0
    /// Acts that wait for their moment.
    var armed: [Spite] = []
    /// Frames that vanish for a while.
    var mutes: [Mute] = []
    var unheard: Unheard?
    var lonely: Lonely?
    /// Whose commit nobody has heard of, and who dies when it has granted the token.
    var lostCommitter: UInt8?
    /// Nobody is misled again before.
    var misledUntil: UInt64 = 0
    var slowStrict: (reader: UInt8, until: UInt64)?
    /// What each node said in its last answer to a poll.
    var promises: [Promise?]
    var incarnations: [(incarnation: UInt32, life: Int)]
    /// The newest grant of the newest epoch, and how many there were since somebody committed.
    var newestGrant: (epoch: UInt32, number: UInt32) = (0, 0)
    var grantsInVain = 0
    var vainSince: UInt64 = 0
    /// Which life of the arbiter each node began to ask when it wanted to come in.
    var admittedBy: [Int]
    /// When the arbiter last went on after it was dead or slept for long.
    var arbiterWoke: UInt64 = 0
    /// Frames to be played again to somebody new; kept only where that may happen.
    var archived: [Frame] = []
    let keepsArchive: Bool
    var pollUnderWay: PollUnderWay?
    var lastOpening: UInt64 = 0
    var lastDisturbance: UInt64 = 0
    var lastCut: UInt64 = 0
    var lullBegan: UInt64 = 0
    var vigil: Vigil
    /// In the vigil: the dead or deaf node, or one of the two that are apart.
    var absent = 0
    /// When the faults stopped, or will.
    var calmAt: UInt64
    private let calmAfter: Int
    /// Faults stopped before the script says so.
    var hasCalmedEarly = false

    enum Phase { case faults, lull, vigil, recovery, settling }

    /// Runs a seed to its verdict.
    /// - Parameters:
    ///   - nodes: how many, when not the seed decides.
    ///   - oneWay: how long frames are under way, milliseconds, when not the seed decides.
    ///   - restriction: what is taken away from what the seed decides.
    public static func run(seed: UInt64, trouble: Trouble = .all, nodes: Int? = nil, oneWay: UInt64? = nil,
                           restriction: Restriction = Restriction(), log: ((String) -> Void)? = nil) -> Verdict {
        let simulation = Simulation(seed: seed, trouble: trouble, nodes: nodes, oneWay: oneWay,
                                    restriction: restriction)
        simulation.log = log
        for node in simulation.nodes { node.isListening = log != nil }
        return simulation.run()
    }

    init(seed: UInt64, trouble: Trouble, nodes count: Int?, oneWay: UInt64? = nil,
         restriction: Restriction = Restriction()) {
        self.seed = seed
        random = Generator(seed)
        _ = random.next()
        var draw = random.split()
        var scenario = Scenario(&draw, trouble, Variety(seed: seed, trouble), nodes: count, oneWay: oneWay)
        scenario.restrict(restriction)
        self.scenario = scenario
        vigil = scenario.vigil
        calmAt = scenario.calm
        calmAfter = restriction.calmAfter ?? .max
        keepsArchive = scenario.script.contains { entry in
            if case .arm(let act) = entry.fault { act == .oldFrames || act == .oldAccepts } else { false }
        }
        promises = [Promise?](repeating: nil, count: scenario.nodes)
        admittedBy = [Int](repeating: 0, count: scenario.nodes)
        incarnations = [(incarnation: UInt32, life: Int)](repeating: (0, 0), count: scenario.nodes)
        network = Network(scenario, random: random.split())
        stations = (1...scenario.nodes).map { UInt8($0) } + [Station.arbiter.number]
        checker = Checker(sharedPages: scenario.layout.sharedPages)
        nodes = []
        let workload = Workload(layout: scenario.layout, seed: random.next())
        for index in 0..<scenario.nodes {
            let node = Station(UInt8(index + 1))
            nodes.append(SimulatedNode(
                station: node, module: Self.module(node, nonce: random.next() | 1, scenario), workload: workload,
                think: scenario.think,
                tuning: Tuning(), limits: scenario.memory, strictPerMille: scenario.strictPerMille,
                durablePerMille: scenario.durablePerMille, trainPages: scenario.trainPages,
                random: random.split()))
        }
        arbiter = SimulatedArbiter(sharedPages: scenario.layout.sharedPages,
                                   maximumFrameBytes: Int(scenario.maximumFrameBytes), memory: scenario.memory,
                                   random: random.split(), habits: scenario.disk, fate: Generator(seed ^ 0xD15C))
        diskRandom = Generator(seed ^ 0xD15D)
        for entry in scenario.script { queue.insert(.fault(entry.fault), at: entry.time) }
    }

    static func module(_ node: Station, nonce: UInt64, _ scenario: Scenario) -> BootModule {
        BootModule(cluster: cluster, key: key, nonce: nonce, sharedPages: UInt32(scenario.layout.sharedPages),
                   maximumFrameBytes: scenario.maximumFrameBytes, node: node)
    }

    func run() -> Verdict {
        arbiter.boot(now: 0, checker)
        finish(arbiterAt: 0)
        while !isEnded, checker.failures.isEmpty, let (time, event) = queue.removeFirst() {
            now = time
            steps += 1
            perform(event)
            if events >= calmAfter && phase == .faults { perform(.calm) }
            checkLength()
        }
        return verdict()
    }

    private func checkLength() {
        if events > Self.eventLimit { checker.fail(.storm, "more than \(Self.eventLimit) frames: a storm") }
        if steps > Self.stepLimit {
            checker.fail(.storm, "no end after \(Self.stepLimit) steps, in \(phase); arbiter: \(stateOfArbiter)")
        }
    }

    static let eventLimit = 2_000_000
    /// The longest runs take a tenth of it.
    static let stepLimit = 8_000_000
    /// To read a whole store takes as long as so many steps.
    static let openingSteps = 2000

    private func perform(_ event: Event) {
        arbiter.store.now = now
        switch event {
        case .deliver(let frame, let station): deliver(frame, to: station)
        case .wake(let station, let generation): wake(station, generation)
        case .store(let life): workStore(life)
        case .fault(let fault): perform(fault)
        }
    }

    private func deliver(_ frame: Frame, to station: UInt8) {
        if station == Station.arbiter.number {
            guard arbiter.isAlive else { return }
            if !arbiter.isListening(at: now) {
                if arbiter.ring.count < Self.ringFrames { arbiter.ring.append(frame) }
                return
            }
            count(frame, station)
            let bytes = frame.bytes
            let isJoin = bytes.count > 17 && bytes[17] <= FrameHeader.Kind.joinRefusal.rawValue
            threatenArbiter(isJoin ? 10 : 1)
            ambushArbiter(.opening)
            let admitted = arbiter.core.endpoint.received
            if bytes.count > 18, bytes[17] == FrameHeader.Kind.pollAnswer.rawValue {
                pollUnderWay?.heard.append(Station(bytes[18]))
            }
            arbiter.core.receive(bytes.span.bytes, now: now, &arbiter.store)
            if arbiter.core.endpoint.received > admitted {
                checkAdmission(frame, at: station, life: arbiter.life)
            }
            finish(arbiterAt: now)
        } else {
            let node = nodes[Int(station) - 1]
            guard node.isAlive else { return }
            if node.pausedUntil > now {
                if node.ring.count < Self.ringFrames { node.ring.append(frame) }
                return
            }
            count(frame, station)
            let bytes = frame.bytes
            let admitted = node.core.endpoint.received
            node.core.receive(bytes.span.bytes, now: node.clock(now), &node.memory)
            if node.core.endpoint.received > admitted {
                checkAdmission(frame, at: station, life: node.life)
                if !armed.isEmpty { afterReceiving(frame, at: node) }
            }
            finish(node)
        }
    }

    /// Frames that a paused machine's card takes in.
    static let ringFrames = 64

    private func count(_ frame: Frame, _ station: UInt8) {
        events += 1
        trace.absorb(now)
        trace.absorb(UInt64(station) << 32 | UInt64(frame.bytes.count))
        let bytes = frame.bytes
        if bytes.count >= Limits.headerBytes { trace.absorb(bytes.span.bytes.load(UInt64.self, at: 56)) }
        if let log { log("\(now) \(describe(frame)) -> \(name(station))") }
    }

    private func wake(_ station: UInt8, _ generation: UInt64) {
        if station == Station.arbiter.number {
            guard arbiter.isAlive, arbiter.wakeGeneration == generation else { return }
            if !arbiter.isListening(at: now) { return }
            threatenArbiter(1)
            ambushArbiter(.opening)
            arbiter.core.tick(now: now, &arbiter.store)
            finish(arbiterAt: now)
        } else {
            let node = nodes[Int(station) - 1]
            guard node.isAlive, node.wakeGeneration == generation, node.pausedUntil <= now else { return }
            node.core.tick(now: node.clock(now), &node.memory)
            finish(node)
        }
    }

    /// After each event at a node: its program goes on, its frames leave, its next look at the clock is set.
    func finish(_ node: SimulatedNode) {
        guard node.isAlive else { return }
        evict(node)
        node.run(now, checker)
        if node.hasRejoined {
            node.hasRejoined = false
            admittedBy[Int(node.station.number) - 1] = arbiter.life
            disturb()
        }
        if let log { for text in node.diary { log("\(now) n\(node.station.number): \(text)") } }
        node.diary.removeAll(keepingCapacity: true)
        let frames = node.memory.outbox
        node.memory.outbox.removeAll(keepingCapacity: true)
        send(frames, from: node.station.number)
        checkToken(node)
        checkIncarnation(node)
        node.wakeGeneration += 1
        let deadline = node.deadline(now)
        if deadline != .max {
            queue.insert(.wake(node.station.number, generation: node.wakeGeneration), at: max(deadline, now + 1_000))
        }
    }

    private func evict(_ node: SimulatedNode) {
        if node.evictsUntil > 0 || !armed.isEmpty { evictPledged(node) }
        guard phase == .faults, scenario.evictionPerMille > 0 else {
            node.memory.isShort = false
            return
        }
        node.memory.isShort = random.chance(scenario.evictionPerMille / 4)
        guard random.chance(scenario.evictionPerMille) else { return }
        let page = PageNumber(UInt32(random.below(scenario.layout.sharedPages)))
        guard node.core.phase == .member, node.core.canEvict(page), !node.memory.isWritten(page) else { return }
        node.memory.evict(page)
        node.core.evicted(page)
    }

    /// At most one node of an epoch holds its token.
    private func checkToken(_ node: SimulatedNode) {
        guard node.isAlive, node.core.phase == .member, node.core.holdsToken else { return }
        for other in nodes where other !== node && other.isAlive && other.core.phase == .member {
            if other.core.holdsToken && other.core.epoch == node.core.epoch {
                checker.fail(
                    .token, "two tokens in epoch \(node.core.epoch): n\(node.station.number), n\(other.station.number)")
            }
        }
    }

    /// An arbiter may be killed at any moment: also between two facts of one event.
    func threatenArbiter(_ likelihood: Int) {
        let perMille = min(500, likelihood * scenario.suddenDeathPerMille)
        guard perMille > 0, phase == .faults, random.chance(perMille) else { return }
        arbiter.store.host.callsUntilDeath = scenario.disk.isImmediate ? 2 * random.below(3) : random.below(10)
    }

    func finish(arbiterAt time: UInt64) {
        arbiter.follow(checker)
        for decision in arbiter.decisions {
            switch decision {
            case .poll(let reason, let time):
                checkPoll(reason, at: time)
                reasons[Self.name(of: reason), default: 0] += 1
            case .opening(let record): checkOpening(record)
            }
        }
        arbiter.decisions.removeAll(keepingCapacity: true)
        if let log { for text in arbiter.diary { log("\(now) arbiter: \(text)") } }
        arbiter.diary.removeAll(keepingCapacity: true)
        let frames = arbiter.store.outbox
        arbiter.store.outbox.removeAll(keepingCapacity: true)
        send(frames, from: Station.arbiter.number)
        afterArbiter()
        checkPolls()
        arbiter.wakeGeneration += 1
        if arbiter.store.isDead && arbiter.isAlive {
            // What it sent before its death is on the way.
            if let log { log("\(now) FAULT the arbiter has died in the middle of an event") }
            if arbiter.store.host.diesOfPower { return perform(.cutPower) }
            queue.insert(.fault(.startArbiter), at: now + random.between(1, 60) * Scenario.millisecond)
            arbiter.kill()
            disturb()
        }
        guard arbiter.isAlive else { return }
        awaitStore()
        if arbiter.core.deadline != .max {
            queue.insert(.wake(Station.arbiter.number, generation: arbiter.wakeGeneration),
                         at: max(arbiter.core.deadline, now + 1_000))
        }
    }
}
