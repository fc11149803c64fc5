import Wire

/// An act that waits for the moment when it hurts most. Chance finds these moments too, but once in thousands of seeds.
enum Spite: Equatable, CaseIterable {
    /// The arbiter dies when it has admitted a node, and the node hears of it late: it lives on, taken for dead.
    case lateAccept
    /// A node dies as it gets the token, and is back at once.
    case crashGrantee
    /// A node dies when another has got a page from it that is not saved.
    case crashServer
    /// A commit reaches one other station, and its committer dies.
    case lonelyCommit
    /// Who has just come in hears again what its station was told in earlier lives.
    case oldFrames
    /// While nodes stand still for a poll, and shortly after it, they drop every copy that they may.
    case evictPledged
    /// The token's grant is lost at first, and comes again and again later.
    case lateGrant
}

extension Scenario {
    /// Arms a few acts at random times.
    mutating func addSpite(_ random: inout Generator, _ trouble: Trouble) {
        guard random.chance(600) else { return }
        let acts = Spite.allCases.filter { act in
            switch act {
            case .lateAccept: trouble.contains(.arbiterKills)
            case .crashGrantee, .crashServer, .lonelyCommit: trouble.contains(.crashes)
            case .lateGrant: trouble.contains(.loss)
            case .oldFrames: trouble.contains(.hostility)
            case .evictPledged: trouble.contains(.eviction)
            }
        }
        guard !acts.isEmpty else { return }
        let favourite = acts[random.below(acts.count)]
        for _ in 0...random.below(8) {
            let act = random.chance(500) ? favourite : acts[random.below(acts.count)]
            let time = random.between(0, calm)
            script.append((time, .arm(act)))
            if act.isDisaster { isPeaceful = false }
            // Nobody is admitted late unless somebody comes.
            if act == .lateAccept || act == .oldFrames, trouble.contains(.crashes) {
                isPeaceful = false
                let node = random.below(nodes)
                script.append((time + 1, .crash(node)))
                script.append((time + random.between(1, 60) * Self.millisecond, .boot(node)))
            }
        }
        script.sort { $0.time < $1.time }
    }

    /// Programs stop for a while before the calm.
    mutating func addLull(_ random: inout Generator, _ trouble: Trouble) {
        if random.chance(500) { strictPerMille = random.below(300) }
        guard random.chance(400), let place = script.firstIndex(where: { $0.fault.isCalm }) else { return }
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

extension Spite {
    /// Whether an epoch may be its consequence.
    var isDisaster: Bool {
        switch self {
        case .lateAccept, .crashGrantee, .crashServer, .lonelyCommit: true
        case .oldFrames, .evictPledged, .lateGrant: false
        }
    }
}

extension Fault {
    /// What does not happen in quiet times.
    var isDisaster: Bool {
        switch self {
        case .crash, .pause, .pauseArbiter, .cut, .killArbiter, .fillDisk, .failDisk, .interrupt, .cutPower, .goBack:
            true
        case .boot, .report, .heal, .startArbiter, .resume, .resumeArbiter, .arm, .lull, .endOfAbsence, .endOfLull,
            .emptyDisk, .startHost, .keep, .examineDisk, .calm, .rest, .end: false
        }
    }

    /// What only the script brings, or waits for it.
    var isScripted: Bool {
        isLull || isDisaster
    }

    var isLull: Bool { if case .lull = self { true } else { false } }

    var isCalm: Bool { if case .calm = self { true } else { false } }

    /// The kind of trouble that it belongs to; none for what must happen.
    var kind: Trouble? {
        switch self {
        case .crash, .report: .crashes
        case .pause, .pauseArbiter: .pauses
        case .cut, .heal: .partitions
        case .killArbiter, .startArbiter: .arbiterKills
        case .arm: .spite
        case .lull: .lulls
        case .fillDisk, .emptyDisk, .failDisk, .interrupt, .cutPower, .keep, .examineDisk: .disks
        case .goBack: .restores
        case .boot, .resume, .resumeArbiter, .startHost, .endOfAbsence, .endOfLull, .calm, .rest, .end: nil
        }
    }
}

extension Simulation {
    /// Entries of the fault script that a seed draws.
    public static func scriptLength(seed: UInt64, trouble: Trouble, nodes: Int?) -> Int {
        Simulation(seed: seed, trouble: trouble, nodes: nodes).scenario.script.count
    }
}
