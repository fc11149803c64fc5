import Wire

/// One entry of the fault script.
enum Fault {
    case crash(Int)
    case boot(Int)
    /// The host tells the arbiter that the machine is gone.
    case report(Int)
    case pause(Int, nanoseconds: UInt64)
    /// Frames from a station to another vanish.
    case cut(UInt8, UInt8)
    case heal
    case killArbiter
    case startArbiter
    case resume(Int)
    case pauseArbiter(nanoseconds: UInt64)
    case resumeArbiter
    /// From now on someone waits for the moment of this act.
    case arm(Spite)
    /// No space is left but for so many bytes.
    case fillDisk(Int)
    case emptyDisk
    /// The disk fails, once.
    case failDisk(FaultyDisk<SimulatedDisk>.Fault, after: Int)
    /// The arbiter is killed, or the power fails, in the middle of what it does with its disk.
    case interrupt(after: Int, isPower: Bool)
    /// The power of the host fails: the arbiter and all machines are gone at once.
    case cutPower
    case startHost
    /// Everything is stopped, and starts again from the state at an earlier checkpoint.
    case goBack
    /// Somebody wants to keep the state.
    case keep(isLabelled: Bool)
    /// What would be on the disk if the power failed now.
    case examineDisk
    /// Programs stop, disasters too, but frames go on being lost; perhaps without the arbiter.
    case lull(withoutArbiter: Bool)
    /// The arbiter comes back into the lull.
    case endOfAbsence
    case endOfLull
    /// Something stays broken, and nothing else fails.
    case vigil
    case endOfVigil
    /// Faults stop: the network heals, everyone who is down is started.
    case calm
    /// Programs stop; everything settles.
    case rest
    case end
}

/// Everything about a run that its seed decides.
struct Scenario {
    var nodes: Int
    var layout: Layout
    var maximumFrameBytes: UInt16
    var latency: (low: UInt64, high: UInt64)
    var lossPerMille = 0
    var duplicationPerMille = 0
    var reorderPerMille = 0
    var reorderMaximum: UInt64 = 0
    var ghostPerMille = 0
    var hostilePerMille = 0
    var evictionPerMille = 0
    /// Nothing but frames and memory gives trouble: nobody fails or is cut off.
    var isPeaceful = false
    /// How often an event of the arbiter may be its last.
    var suddenDeathPerMille = 0
    var think: (low: UInt64, high: UInt64)
    var script: [(time: UInt64, fault: Fault)] = []
    var memory = Memory()
    var disk = DiskHabits()
    /// How often a transaction begins with a strict read.
    var strictPerMille = 20
    /// How often a program waits until its commit is durable.
    var durablePerMille = 0
    /// Pages that one frame to the arbiter may carry.
    var trainPages = 0
    /// What stays broken in the vigil, if there is one.
    var vigil = Vigil.dead

    /// How much of the past stations remember.
    struct Memory {
        var logEntries = 1024
        var logWords = 1 << 15
        var preImages = 4096
        var arbiterLogEntries = 4096
        var arbiterLogWords = 1 << 16
        var chain = Limits.maximumChain
    }

    static let second: UInt64 = 1_000_000_000
    static let millisecond: UInt64 = 1_000_000
    /// After the calm, everyone must have committed again within this.
    static let recovery = 12 * second
    /// This long after the calm nothing can be lost any more, so no epoch may begin.
    static let needlessEpoch = 3 * second
    /// The token may not change hands so often in so short a time without a commit.
    static let grantsInVain = 24
    static let vainTime = 100 * millisecond
    /// An arbiter that slept longer than this begins its patience anew.
    static let longNap = 600 * millisecond
    /// Silent nodes are waited for at least this long.
    static let patience = 1500 * millisecond
    /// After the programs have stopped, all must have settled within this.
    static let settling = 4 * second

    init(_ random: inout Generator, _ trouble: Trouble, _ variety: Variety, nodes fixed: Int?, oneWay: UInt64?) {
        let few = 1 + (fixed == nil ? random.below(5) : 0)
        nodes = fixed ?? variety.nodes ?? few
        layout = Layout(accounts: 2 + random.below(7), registers: random.below(5),
                        bulk: random.chance(60) ? 321 + random.below(400) : 0)
        layout.accounts = variety.accounts ?? layout.accounts
        layout.buckets = variety.buckets
        layout.links = variety.links
        layout.scanPause = variety.scanPause
        maximumFrameBytes = random.chance(500) ? UInt16(Limits.maximumFrameBytes) : UInt16(Limits.standardFrameBytes)
        let base = random.between(5_000, 200_000)
        latency = (base, base + random.between(0, base))
        let pace = [100_000, 500_000, 2_000_000, 5_000_000, 10_000_000][random.below(5)] + random.between(0, 100_000)
        think = (random.chance(200) ? 0 : pace / 10, pace)
        if trouble.contains(.loss) && random.chance(700) { lossPerMille = random.below(random.chance(300) ? 300 : 60) }
        if trouble.contains(.duplication) && random.chance(600) { duplicationPerMille = random.below(500) }
        if trouble.contains(.reordering) && random.chance(600) {
            reorderPerMille = random.below(300)
            reorderMaximum = random.between(10_000, 20 * Self.millisecond)
        }
        if trouble.contains(.ghosts) && random.chance(400) { ghostPerMille = 1 + random.below(15) }
        if trouble.contains(.hostility) && random.chance(300) { hostilePerMille = 1 + random.below(20) }
        if trouble.contains(.eviction) && random.chance(500) { evictionPerMille = random.below(200) }
        if trouble.contains(.siege) && random.chance(400) {
            shrinkMemory(&random)
            if trouble.contains(.arbiterKills) && random.chance(500) { suddenDeathPerMille = 1 + random.below(10) }
            writeScript(&random, trouble, isSiege: true)
        } else if trouble.contains([.siege, .partitions, .crashes]) && nodes > 2 && random.chance(80) {
            writeLongSleep(&random)
        } else {
            writeScript(&random, trouble, isSiege: false)
        }
        if trouble.contains(.distance) && (oneWay != nil || random.chance(40)) {
            let base = (oneWay ?? random.between(5, 100)) * Self.millisecond
            latency = (base, base + random.between(0, base / 4))
        }
        if trouble.contains(.spite) { addSpite(&random, trouble) }
        addLongPause(variety)
        durablePerMille = variety.durablePerMille
        vigil = variety.vigil
        if maximumFrameBytes == Limits.maximumFrameBytes { trainPages = variety.trainPages }
        if trouble.contains(.lulls) { addLull(&random, trouble) }
        if trouble.contains(.disks) { addDisk(&random, trouble) }
        if trouble.contains(.restores) { addRestore(&random) }
        disk.page = StoredPage(layout)
        // A segment begins with a list of all others: a memory that fills hundreds of them would not fit (seed 101930).
        disk.segmentBytes = max(disk.segmentBytes, layout.sharedPages * (disk.page.byteCount + 72) / 16)
    }

    /// How much longer everything may take, because frames are under way for long. (A transaction that reads hundreds
    /// of pages takes ten times as long.)
    var slowness: UInt64 { 100 * latency.high }

    /// A step that reads hundreds of pages one by one.
    private var longestStep: UInt64 { UInt64(layout.bulk) * 2 * latency.high }

    /// How much longer it may take until all is saved: the last step may have read and written hundreds of pages.
    var settlingSlowness: UInt64 { 10 * slowness + longestStep }

    /// How much longer it may take until everyone has committed again. A transaction over hundreds of pages takes long
    /// over a long way, and so do those of the others, which it waits for.
    var recoverySlowness: UInt64 { (layout.bulk > 0 ? 100 : 10) * slowness + 4 * UInt64(nodes) * longestStep }

    private mutating func shrinkMemory(_ random: inout Generator) {
        guard random.chance(500) else { return }
        memory.logEntries = 128 << random.below(3)
        memory.logWords = 2048 << random.below(3)
        memory.preImages = 2 << random.below(10)
        memory.arbiterLogEntries = memory.logEntries << random.below(3)
        memory.arbiterLogWords = memory.logWords << random.below(3)
    }

    /// The time at which the faults stop.
    var calm: UInt64 = 0

    private mutating func writeScript(_ random: inout Generator, _ trouble: Trouble, isSiege: Bool) {
        let longest = isSiege ? Self.second : 2 * Self.second
        let length = random.between(300 * Self.millisecond, longest)
        for node in 0..<nodes {
            let isLate = node > 0 && random.chance(300)
            let boot = isLate ? random.below(Int(length)).asTime : random.between(0, 2 * Self.millisecond)
            script.append((boot, .boot(node)))
        }
        let canFail = !trouble.isDisjoint(with: [.pauses, .crashes, .partitions, .arbiterKills])
        let disasters = !canFail ? 0 : isSiege ? 5 + random.below(35) : random.below(random.chance(300) ? 16 : 6)
        isPeaceful = disasters == 0 && suddenDeathPerMille == 0
        for _ in 0..<disasters {
            let time = random.between(20 * Self.millisecond, length)
            if isSiege && random.chance(250) { addInterruptedPoll(&random, at: time) }
            addDisaster(&random, trouble, at: time)
        }
        calm = length
        script.append((calm, .calm))
        script.sort { $0.time < $1.time }
    }

    private mutating func addDisaster(_ random: inout Generator, _ trouble: Trouble, at time: UInt64) {
        let node = random.below(nodes)
        switch random.below(10) {
        case 0, 1:
            guard trouble.contains(.pauses) else { return }
            let length = random.chance(700) ? random.between(1, 100) : random.between(100, 3000)
            if random.chance(200) {
                script.append((time, .pauseArbiter(nanoseconds: length * Self.millisecond)))
            } else {
                script.append((time, .pause(node, nanoseconds: length * Self.millisecond)))
            }
        case 2, 3, 4:
            guard trouble.contains(.crashes) else { return }
            script.append((time, .crash(node)))
            if random.chance(700) {
                script.append((time + random.between(1, 400) * Self.millisecond, .report(node)))
            }
            if random.chance(700) {
                script.append((time + random.between(1, 900) * Self.millisecond, .boot(node)))
            }
        case 5, 6:
            guard trouble.contains(.partitions) else { return }
            addPartition(&random, at: time)
        case 7:
            guard trouble.contains(.partitions), trouble.contains(.crashes), nodes > 1 else { return }
            addSleeper(&random, node, at: time)
        default:
            guard trouble.contains(.arbiterKills) else { return }
            script.append((time, .killArbiter))
            script.append((time + random.between(1, 700) * Self.millisecond, .startArbiter))
        }
    }

    /// One node is alone, perhaps with the token, for so long that the arbiter opens two epochs without it.
    private mutating func writeLongSleep(_ random: inout Generator) {
        for node in 0..<nodes { script.append((random.between(0, 2 * Self.millisecond), .boot(node))) }
        let sleeper = random.below(nodes)
        let start = random.between(100, 400) * Self.millisecond
        isolate(sleeper, at: start)
        let other = (sleeper + 1 + random.below(nodes - 1)) % nodes
        var moment = start
        for _ in 0..<2 {
            moment += random.between(1, 300) * Self.millisecond
            script.append((moment, .crash(other)))
            script.append((moment, .report(other)))
            moment += 2100 * Self.millisecond
            script.append((moment, .boot(other)))
        }
        script.append((moment + random.between(1, 500) * Self.millisecond, .heal))
        calm = moment + 600 * Self.millisecond
        script.append((calm, .calm))
        script.sort { $0.time < $1.time }
    }

    mutating func isolate(_ node: Int, at time: UInt64) {
        let sleeper = UInt8(node + 1)
        for station in (1...nodes).map({ UInt8($0) }) + [Station.arbiter.number] where station != sleeper {
            script.append((time, .cut(sleeper, station)))
            script.append((time, .cut(station, sleeper)))
        }
    }

    /// One node is alone for a long time, perhaps with the token, while the others go through epochs.
    private mutating func addSleeper(_ random: inout Generator, _ node: Int, at time: UInt64) {
        isolate(node, at: time)
        var moment = time
        for _ in 0..<3 {
            let other = (node + 1 + random.below(nodes - 1)) % nodes
            moment += random.between(1, 600) * Self.millisecond
            script.append((moment, .crash(other)))
            script.append((moment + random.between(1, 50) * Self.millisecond, .report(other)))
            script.append((moment + random.between(10, 200) * Self.millisecond, .boot(other)))
        }
        script.append((moment + random.between(1, 1500) * Self.millisecond, .heal))
    }

    /// The arbiter is killed while it opens an epoch, or just before or after.
    private mutating func addInterruptedPoll(_ random: inout Generator, at time: UInt64) {
        let node = random.below(nodes)
        script.append((time, .crash(node)))
        script.append((time, .report(node)))
        let killed = time + random.between(0, 30 * Self.millisecond)
        script.append((killed, .killArbiter))
        script.append((killed + random.between(1, 60) * Self.millisecond, .startArbiter))
        script.append((time + random.between(1, 120) * Self.millisecond, .boot(node)))
    }

    /// Cuts the segment in two, or one way only.
    private mutating func addPartition(_ random: inout Generator, at time: UInt64) {
        let stations = (1...nodes).map { UInt8($0) } + [Station.arbiter.number]
        let side = stations.filter { _ in random.chance(500) }
        let isOneWay = random.chance(250)
        for a in stations where side.contains(a) {
            for b in stations where !side.contains(b) {
                script.append((time, .cut(a, b)))
                if !isOneWay { script.append((time, .cut(b, a))) }
            }
        }
        script.append((time + random.between(1, 2500) * Self.millisecond, .heal))
    }
}

extension Int {
    fileprivate var asTime: UInt64 { UInt64(self) }
}
