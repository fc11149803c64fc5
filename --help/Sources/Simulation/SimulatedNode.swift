import Planted
import Protocol
import Wire

/// One node: the real protocol core over a simulated memory, and a program that runs transactions without end.
final class SimulatedNode {
    let station: Station
    let workload: Workload
    private let limits: Scenario.Memory
    var core: NodeCore
    var memory: NodeMemory
    var isAlive = false
    /// The frames that arrive are kept in a small ring until then.
    var pausedUntil: UInt64 = 0
    var ring: [Frame] = []
    /// What the node's clock lost by pauses.
    var clockLag: UInt64 = 0
    var wakeGeneration: UInt64 = 0
    var mayBegin = true
    var isListening = false
    var think: (low: UInt64, high: UInt64)
    var random: Generator
    private var runningStep: RunningStep?
    private var nextAt: UInt64 = 0
    private var isHeapKnown = false
    /// What had been saved when the node asked for a strict read that its next step is to make.
    private var strictFloor: GlobalTime?
    /// Commit times whose output waits for their being saved [P1].
    private var outputs: [GlobalTime] = []
    private(set) var commits = 0
    private(set) var aborts = 0
    private(set) var lastCommitAt: UInt64 = 0
    /// What the core has told, in words, while somebody listens.
    var diary: [String] = []
    private var stampBase: UInt64 = 0
    /// How far the core has told that it has applied.
    private var reached = GlobalTime.zero
    /// How far it had come when it was admitted: its records begin there.
    private(set) var knowsFrom = GlobalTime.zero
    /// Until when it only reads, and strictly.
    var readsUntil: UInt64 = 0
    /// Until when it drops all that it may.
    var evictsUntil: UInt64 = 0
    /// How often it was booted.
    private(set) var life = 0
    /// It gave everything up, since the last look.
    var hasRejoined = false
    let strictPerMille: Int
    let durablePerMille: Int
    private let trainPages: Int
    /// The commit that the program waits for.
    private var durableTime: GlobalTime?

    /// A transaction under way.
    struct RunningStep {
        var step: Step?
        var pages: [PageNumber]
        var position = 0
        var hasWritten = false
        let begun: UInt64
        var resumeAt: UInt64
        var reads: [Access] = []
        var writes: [Access] = []
    }

    init(station: Station, module: BootModule, workload: Workload, think: (low: UInt64, high: UInt64), tuning: Tuning,
         limits: Scenario.Memory, strictPerMille: Int = 0, durablePerMille: Int = 0, trainPages: Int = 0,
         random: Generator) {
        self.limits = limits
        self.strictPerMille = strictPerMille
        self.durablePerMille = durablePerMille
        self.trainPages = trainPages
        self.station = station
        self.workload = workload
        self.think = think
        self.random = random
        core = NodeCore(module: module, build: Simulation.build, writeLimit: 1024, preImageLimit: limits.preImages,
                        logEntries: limits.logEntries, logWords: limits.logWords, tuning: tuning)
        memory = NodeMemory(station: station, sharedPages: Int(module.sharedPages),
                            maximumFrameBytes: Int(module.maximumFrameBytes), trainPages: trainPages)
    }

    /// A boot: everything that was in memory is gone, and the clock begins anew.
    func boot(_ module: BootModule, tuning: Tuning, now: UInt64) {
        core = NodeCore(module: module, build: Simulation.build, writeLimit: 1024, preImageLimit: limits.preImages,
                        logEntries: limits.logEntries, logWords: limits.logWords, tuning: tuning)
        memory = NodeMemory(station: station, sharedPages: Int(module.sharedPages),
                            maximumFrameBytes: Int(module.maximumFrameBytes), trainPages: trainPages)
        isAlive = true
        life += 1
        evictsUntil = 0
        readsUntil = 0
        clockLag = now
        runningStep = nil
        nextAt = now
        isHeapKnown = false
        strictFloor = nil
        durableTime = nil
        outputs = []
        ring = []
        pausedUntil = 0
        core.start(now: clock(now), &memory)
    }

    func clock(_ now: UInt64) -> UInt64 { now - clockLag }

    /// When the node wants to look at the clock again.
    func deadline(_ now: UInt64) -> UInt64 {
        var next = core.deadline == .max ? UInt64.max : core.deadline + clockLag
        if core.phase == .member {
            if let runningStep { if runningStep.resumeAt > now { next = min(next, runningStep.resumeAt) } }
            else if mayBegin && nextAt > now { next = min(next, nextAt) }
        }
        return next
    }

    // MARK: The program

    /// Goes on with the program as far as it comes at this moment.
    func run(_ now: UInt64, _ checker: Checker) {
        guard isAlive else { return }
        follow(checker)
        guard core.phase == .member else {
            if runningStep != nil { abort(now, checker) }
            return
        }
        var isMoving = true
        while isMoving { isMoving = advance(now, checker) }
        follow(checker)
    }

    private func advance(_ now: UInt64, _ checker: Checker) -> Bool {
        guard let current = runningStep else { return begin(now, checker) }
        guard current.resumeAt <= now else { return false }
        if core.isDoomed {
            abort(now, checker)
            return false
        }
        if current.position < current.pages.count { return read(current.pages[current.position], now, checker) }
        if current.hasWritten { return commit(now, checker) }
        // A page that was read may have been evicted since: it is fetched again before it is used.
        var needed = current.pages
        if current.step == .makeHeap { needed += (0..<workload.layout.accounts).map { workload.layout.account($0) } }
        for page in needed where !core.isPresent(page) {
            core.fetch(page, ahead: 0, now: clock(now), &memory)
            return false
        }
        return current.step == nil ? plan(now) : write(now, checker)
    }

    private func begin(_ now: UInt64, _ checker: Checker) -> Bool {
        guard mayBegin else {
            core.idle(now: clock(now), &memory)
            return false
        }
        guard isDurable(now, checker), nextAt <= now, mayRead(now, checker),
            core.begin(now: clock(now), &memory)
        else { return false }
        memory.finish()
        var next = RunningStep(step: nil, pages: [Layout.control(station)], begun: now, resumeAt: now)
        if !isHeapKnown {
            next.step = core.isPrimary ? .makeHeap : .waitForHeap
        } else if readsUntil > now {
            // A page that everyone has: who is alone gets no other.
            next.step = .waitForHeap
        } else if random.chance(150) {
            let audits = workload.audits
            next.step = audits.count == 2 ? audits[random.chance(500) ? 0 : 1] : audits[random.below(audits.count)]
        }
        if let step = next.step { next.pages = workload.reads(of: step, at: station) }
        runningStep = next
        stampBase &+= 1 << 12
        return true
    }

    /// A program that waits for its last commit goes on when that is on the disk, or undone.
    private func isDurable(_ now: UInt64, _ checker: Checker) -> Bool {
        guard let time = durableTime else { return true }
        guard core.awaited == nil else {
            core.idle(now: clock(now), &memory)
            return false
        }
        checker.left(time)
        durableTime = nil
        return true
    }

    /// Now and then a step reads strictly: it waits until the node has all that had left the cluster [P2].
    private func mayRead(_ now: UInt64, _ checker: Checker) -> Bool {
        if strictFloor != nil { return core.isStrict }
        guard strictPerMille > 0, random.chance(strictPerMille) || readsUntil > now else { return true }
        strictFloor = checker.newestSaved
        core.askStrict(now: clock(now), &memory)
        return false
    }

    private func read(_ page: PageNumber, _ now: UInt64, _ checker: Checker) -> Bool {
        guard core.isPresent(page) else {
            core.fetch(page, ahead: random.below(4) == 0 ? 7 : 0, now: clock(now), &memory)
            return false
        }
        let isFirst = !memory.isAccessed(page)
        let content = memory.read(page)
        if isFirst || runningStep?.reads.contains(where: { $0.page == page }) == false {
            if !Workload.isWhole(content) {
                checker.fail(.content, "n\(station.number) read a torn page \(page.index)")
            }
            runningStep?.reads.append(Access(page: page, stamp: content[0]))
        } else if runningStep?.reads.first(where: { $0.page == page })?.stamp != content[0] {
            checker.fail(.opacity, "n\(station.number) read page \(page.index) twice and differently")
        }
        runningStep?.position += 1
        if let current = runningStep, let step = current.step, current.position == current.pages.count,
            let next = workload.follow(step, from: page, content) {
            // Only a doomed transaction that saw two states could go in circles.
            if current.pages.count > workload.layout.sharedPages {
                checker.fail(.opacity, "n\(station.number) goes in circles in \(step)")
            } else {
                runningStep?.pages.append(next)
            }
        }
        pauseABit(now)
        return true
    }

    /// A program computes between its accesses, mostly shortly.
    private func pauseABit(_ now: UInt64) {
        if random.chance(200) { runningStep?.resumeAt = now + random.between(100, 20_000) }
        if random.chance(3) { runningStep?.resumeAt = now + random.between(100_000, 5_000_000) }
        let scanPause = workload.layout.scanPause
        if scanPause > 0, runningStep?.step?.isAudit == true {
            runningStep?.resumeAt = now + random.between(scanPause / 2, scanPause)
        }
    }

    private func plan(_ now: UInt64) -> Bool {
        let done = memory.read(Layout.control(station))[1]
        let step = workload.step(of: station, after: done)
        runningStep?.step = step
        runningStep?.pages = workload.reads(of: step, at: station)
        return true
    }

    private func write(_ now: UInt64, _ checker: Checker) -> Bool {
        guard let step = runningStep?.step else { return false }
        if step == .makeHeap || step == .waitForHeap, memory.read(Layout.root)[1] == 1 {
            isHeapKnown = true
            runningStep?.hasWritten = true
            return true
        }
        guard let writes = workload.writes(of: step, at: station, { memory.read($0) }) else {
            checker.fail(.invariant, "n\(station.number) saw a broken invariant in \(step)")
            runningStep?.hasWritten = true
            return true
        }
        for (place, (page, content)) in writes.enumerated() {
            var content = content
            let stamp = UInt64(station.number) << 56 | stampBase &+ UInt64(place)
            Workload.stamp(&content, stamp)
            guard core.recordWrite(page) else {
                checker.fail(.invariant, "n\(station.number) may not write \(writes.count) pages")
                break
            }
            memory.write(page, content)
            runningStep?.writes.append(Access(page: page, stamp: stamp))
        }
        runningStep?.hasWritten = true
        pauseABit(now)
        return true
    }

    private func commit(_ now: UInt64, _ checker: Checker) -> Bool {
        guard let current = runningStep else { return false }
        switch core.commit(now: clock(now), &memory) {
        case .waiting: return false
        case .doomed:
            abort(now, checker)
            return false
        case .committed(let time):
            if let strictFloor { checker.strict(time, floor: strictFloor, at: station) }
            strictFloor = nil
            if current.writes.isEmpty {
                checker.checkReads(current.reads, at: time.raw, "reader n\(station.number)")
            } else {
                checker.committed(CommitRecord(time: time, node: station, incarnation: core.endpoint.incarnation,
                                               writes: current.writes), reads: current.reads)
                commits += 1
                lastCommitAt = now
                if durablePerMille > 0, random.chance(durablePerMille) {
                    durableTime = time
                    core.awaitSaved(time, &memory)
                }
            }
            checker.tell(current, of: self, .committed(time), now: now)
            outputs.append(time)
            memory.finish()
            runningStep = nil
            nextAt = now + random.between(think.low, think.high)
            return false
        }
    }

    private func abort(_ now: UInt64, _ checker: Checker) {
        if let current = runningStep {
            checker.checkSnapshot(current.reads, "aborted n\(station.number)")
            checker.tell(current, of: self, .aborted, now: now)
        }
        memory.finish()
        core.abort(isConflict: true)
        aborts += 1
        runningStep = nil
        // As in the image there is no other back-off than the queue for the token, after a few losses.
        nextAt = now + random.between(1_000, 20_000)
    }

    // MARK: What the core has told

    private func follow(_ checker: Checker) {
        for news in memory.news {
            if isListening { diary.append("\(news)") }
            switch news {
            case .rollback(let time):
                outputs.removeAll { $0 > time }
                if let wanted = durableTime, wanted > time { durableTime = nil }
                isHeapKnown = false
                reached = min(reached, time)
            case .event(.joined(_, let applied)):
                reached = applied
                knowsFrom = applied
            case .event(.rejoining):
                hasRejoined = true
                durableTime = nil
            case .event(.applied(let time, _)), .event(.committed(let time, _)):
                checker.applied(time, after: reached, at: station)
                reached = time
            case .event(.installed(let page, let version)):
                if let content = memory.content(of: page) {
                    if !Workload.isWhole(content) {
                        checker.fail(.content, "n\(station.number) holds a torn page \(page.index)")
                    }
                    checker.installed(page, version, stamp: content[0], at: station)
                }
            case .event: break
            }
        }
        memory.news.removeAll(keepingCapacity: true)
        while let first = outputs.first, planted(1) || first <= core.saved {
            checker.left(first)
            outputs.removeFirst()
        }
    }

    var activity: String { runningStep.map { "\($0.step.map { "\($0)" } ?? "planning") at \($0.position)" } ?? "idle" }

    /// Memory that nobody accounts for any more.
    var leakedFrames: Int { memory.frames.used - memory.presentCount - core.preImageCount }
}
