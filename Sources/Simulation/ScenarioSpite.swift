import Wire

extension Scenario {
    /// Arms a few acts at random times.
    mutating func addSpite(_ random: inout Generator, _ trouble: Trouble) {
        if random.chance(220) { return addPressure(&random, trouble) }
        guard random.chance(700) else { return }
        let acts = Spite.allCases.filter { $0.isPossible(trouble, nodes: nodes) }
        guard !acts.isEmpty else { return }
        let favourite = acts[random.below(acts.count)]
        for _ in 0...(2 + random.below(10)) {
            let act = random.chance(700) ? favourite : acts[random.below(acts.count)]
            // Now and then before anything was saved.
            let time = random.chance(100) ? random.between(0, 10 * Self.millisecond) : random.between(0, calm)
            script.append((time, .arm(act)))
            if act.isDisaster { isPeaceful = false }
            prepare(&random, for: act, at: time, trouble)
        }
        if random.chance(200) { memory.preImages = 2 << random.below(6) }
        script.sort { $0.time < $1.time }
    }

    /// What an act needs so that its moment comes.
    private mutating func prepare(_ random: inout Generator, for act: Spite, at time: UInt64, _ trouble: Trouble) {
        if act.needsDeath, trouble.contains(.crashes) { addDeath(&random, at: time) }
        switch act {
        case .slowStrict: strictPerMille = 300
        case .mutedRecords: think = (0, 100_000)
        case .lostRecord where layout.bulk == 0: layout.bulk = 321 + random.below(200)
        case .lostAccept: postponeCalm(until: time + 3 * Self.second)
        case .lostHolder:
            // Now and then so long that an Open frame does not name all the epochs.
            if random.chance(300) {
                memory.chain = 2
                // Programs without a pause are millions of frames in ten seconds (seed 998428893).
                if think.high < Self.millisecond { think.high = 20 * Self.millisecond }
            }
            postponeCalm(until: time + UInt64(roundsAlone) * Self.roundAlone + Self.second)
        default: break
        }
    }

    /// How many epochs open while a node is alone, at least, and how long each takes.
    var roundsAlone: Int { memory.chain == 2 ? 4 : 1 }
    static let roundAlone = 2200 * millisecond

    private mutating func postponeCalm(until time: UInt64) {
        guard time > calm else { return }
        calm = time
        script.removeAll { $0.fault.isCalm }
        script.append((calm, .calm))
    }

    /// Nothing fails, but there is little memory, or the way is long, and everyone wants the same.
    private mutating func addPressure(_ random: inout Generator, _ trouble: Trouble) {
        script.removeAll { $0.fault.isDisaster || $0.fault.kind == .crashes }
        suddenDeathPerMille = 0
        isPeaceful = true
        think = (0, random.between(10_000, 500_000))
        if random.chance(700) {
            memory.preImages = 2 << random.below(3)
            memory.logEntries = 128
            memory.logWords = 2048
        }
        if trouble.contains(.distance), random.chance(400) {
            let way = random.between(5, 100) * Self.millisecond
            latency = (way, way + random.between(0, way / 4))
            if random.chance(200) { layout.bulk = 321 + random.below(400) }
        }
    }

    /// A node dies, is back soon, and perhaps its machine is known to be dead.
    private mutating func addDeath(_ random: inout Generator, at time: UInt64) {
        isPeaceful = false
        let node = random.below(nodes)
        script.append((time + 1, .crash(node)))
        if random.chance(500) { script.append((time + random.between(1, 5 * Self.millisecond), .report(node))) }
        script.append((time + random.between(1, 60) * Self.millisecond, .boot(node)))
    }

    /// Programs stop for a while before the calm.
    mutating func addLull(_ random: inout Generator, _ trouble: Trouble) {
        if random.chance(500) { strictPerMille = random.below(300) }
        guard let place = script.firstIndex(where: { $0.fault.isCalm }) else { return }
        guard random.chance(400) else {
            if nodes > 1, trouble.contains(.crashes), random.chance(200) {
                isPeaceful = false
                script[place].fault = .vigil
            }
            return
        }
        let withoutArbiter = trouble.contains(.arbiterKills) && random.chance(500)
        // An arbiter that was killed while it admitted somebody opens an epoch when it is back.
        if withoutArbiter { isPeaceful = false }
        script[place].fault = .lull(withoutArbiter: withoutArbiter)
    }

    /// In a lull without the arbiter, nodes must agree among themselves within this.
    static let agreement = 1500 * millisecond
    /// In a lull, everyone must know everything, and that it is saved, within this: the longest recovery, and then as
    /// many heartbeats that at least one of them arrives.
    static let staleness = 8 * second

    /// Takes away what is not wanted.
    mutating func restrict(_ restriction: Restriction) {
        let without = restriction.without
        if without.contains(.loss) { lossPerMille = 0 }
        if without.contains(.duplication) { duplicationPerMille = 0 }
        if without.contains(.reordering) { reorderPerMille = 0 }
        if without.contains(.eviction) { evictionPerMille = 0 }
        if without.contains(.ghosts) { ghostPerMille = 0 }
        if without.contains(.hostility) { hostilePerMille = 0 }
        if without.contains(.arbiterKills) { suddenDeathPerMille = 0 }
        if without.contains(.distance) { latency = (min(latency.low, 200_000), min(latency.high, 400_000)) }
        if without.contains(.lulls) { strictPerMille = 0 }
        if without.contains(.partitions) { vigil = .dead }
        if without.contains(.disks) {
            disk = DiskHabits()
            disk.page = StoredPage(layout)
        }
        script = script.enumerated().filter { place, entry in
            entry.fault.isCalm || entry.fault.kind.map(without.contains) != true
                && restriction.faults?.contains(place) != false
        }.map(\.element)
        if !script.contains(where: { $0.fault.isCalm || $0.fault.isLull }) { script.append((calm, .calm)) }
    }
}

extension Fault {
    /// What does not happen in quiet times.
    var isDisaster: Bool {
        switch self {
        case .crash, .pause, .pauseArbiter, .cut, .killArbiter, .fillDisk, .failDisk, .interrupt, .cutPower, .goBack:
            true
        case .boot, .report, .heal, .startArbiter, .resume, .resumeArbiter, .arm, .lull, .endOfAbsence, .endOfLull,
            .emptyDisk, .startHost, .keep, .examineDisk, .vigil, .endOfVigil, .calm, .rest, .end: false
        }
    }

    /// What does not happen while something is kept broken.
    var isForVigil: Bool {
        switch self {
        case .boot, .report, .lull, .vigil, .arm, .heal: true
        default: isDisaster
        }
    }

    /// What only the script brings, or waits for it.
    var isScripted: Bool {
        isLull || isDisaster
    }

    /// Takes the place of the calm, which follows it.
    var isLull: Bool {
        switch self {
        case .lull, .vigil: true
        default: false
        }
    }

    var isCalm: Bool { if case .calm = self { true } else { false } }

    /// The kind of trouble that it belongs to; none for what must happen.
    var kind: Trouble? {
        switch self {
        case .crash, .report: .crashes
        case .pause, .pauseArbiter: .pauses
        case .cut, .heal: .partitions
        case .killArbiter, .startArbiter: .arbiterKills
        case .arm: .spite
        case .lull, .vigil: .lulls
        case .fillDisk, .emptyDisk, .failDisk, .interrupt, .cutPower, .keep, .examineDisk: .disks
        case .goBack: .restores
        case .boot, .resume, .resumeArbiter, .startHost, .endOfAbsence, .endOfLull, .endOfVigil,
            .calm, .rest, .end: nil
        }
    }
}

extension Simulation {
    /// Entries of the fault script that a seed draws.
    public static func scriptLength(seed: UInt64, trouble: Trouble, nodes: Int?) -> Int {
        Simulation(seed: seed, trouble: trouble, nodes: nodes).scenario.script.count
    }
}
