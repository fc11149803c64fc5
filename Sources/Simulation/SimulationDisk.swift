import Durability
import Protocol
import Store
import Wire

/// The arbiter's store at work, and what befalls its disk and its host.
extension Simulation {
    // MARK: The store's thread

    /// The thread of the store looks at its work after a while, if there is any.
    func awaitStore() {
        guard arbiter.store.hasWork, !arbiter.isStoreAwaited, arbiter.isAlive else { return }
        arbiter.isStoreAwaited = true
        queue.insert(.store(life: arbiter.life), at: now + max(storeDelay, 1_000))
    }

    private var storeDelay: UInt64 {
        let habits = scenario.disk
        if arbiter.store.keeper.isFailing { return DiskHabits.retryInterval }
        if diskRandom.chance(habits.delayPerMille) {
            return diskRandom.between(habits.latency.high, habits.longestDelay)
        }
        return diskRandom.between(habits.latency.low, habits.latency.high)
    }

    func workStore(_ life: Int) {
        guard arbiter.isAlive, arbiter.life == life else { return }
        guard arbiter.pausedUntil <= now else {
            return queue.insert(.store(life: life), at: arbiter.pausedUntil)
        }
        arbiter.isStoreAwaited = false
        if arbiter.store.keeper.isFailing {
            retryStore()
        } else if let time = arbiter.store.takeDurable() {
            // The checker hears of it before the nodes.
            arbiter.follow(checker)
            arbiter.core.becameDurable(time, now: now, &arbiter.store)
        } else if arbiter.store.hasJobs, !arbiter.store.isCleaningNext {
            arbiter.store.work()
        } else if arbiter.store.hasLatePages, !arbiter.store.isCleaningWanted || diskRandom.chance(500) {
            arbiter.store.readBehind()
        } else {
            arbiter.store.clean()
        }
        finish(arbiterAt: now)
    }

    private func retryStore() {
        let wasStalled = arbiter.store.isStalled
        steps += Self.openingSteps
        if wasStalled { disturb() }
        arbiter.store.retry()
        if !arbiter.store.keeper.isFailing { examineDisk() }
        if wasStalled, !arbiter.store.isStalled, arbiter.isAlive, !arbiter.store.isDead { resumeArbiter() }
    }

    // MARK: Faults

    func performOnDisk(_ fault: Fault) {
        let host = arbiter.host
        switch fault {
        case .fillDisk(let room): host.contents.base.capacity = host.contents.base.used + room
        case .emptyDisk: host.contents.base.capacity = .max
        case .failDisk(let fault, let calls): host.contents.await(fault, after: calls)
        case .interrupt(let calls, let isPower):
            guard arbiter.isAlive else { return }
            host.callsUntilDeath = calls
            host.diesOfPower = isPower
        case .cutPower: cutPower()
        case .startHost: startHost()
        case .goBack: goBack()
        case .keep(let isLabelled): keep(isLabelled)
        case .examineDisk: examineDisk()
        default: break
        }
    }

    func startArbiter() {
        if phase == .faults, scenario.suddenDeathPerMille > 0 || isDiskDangerous, diskRandom.chance(100) {
            arbiter.deathAtStart = diskRandom.below(6)
        }
        arbiterWoke = now
        steps += Self.openingSteps
        guard arbiter.boot(now: now, checker) else {
            queue.insert(.fault(.startArbiter), at: now + diskRandom.between(1, 60) * Scenario.millisecond)
            return
        }
        finish(arbiterAt: now)
    }

    private var isDiskDangerous: Bool {
        scenario.script.contains { if case .interrupt = $0.fault { true } else { false } }
    }

    /// Everybody is gone.
    private func stopEverything() {
        disturb()
        arbiter.kill()
        for node in nodes { crash(node) }
        isHostDown = true
        queue.insert(.fault(.startHost), at: now + diskRandom.between(1, 300) * Scenario.millisecond)
    }

    private func cutPower() {
        guard !isHostDown else { return }
        stopEverything()
        arbiter.host.cutPower()
    }

    private func startHost() {
        guard isHostDown else { return }
        do throws(StoreError) { try arbiter.bury() } catch {
            guard case .disk = error else { return checker.fail(.saved, "the store was refused: \(error)") }
            queue.insert(.fault(.startHost), at: now + 50 * Scenario.millisecond)
            return
        }
        isHostDown = false
        startArbiter()
        for index in nodes.indices {
            queue.insert(.fault(.boot(index)), at: now + diskRandom.between(0, 50) * Scenario.millisecond)
        }
    }

    private func goBack() {
        guard !isHostDown else { return }
        stopEverything()
        do throws(StoreError) {
            guard let time = try arbiter.goBack(&diskRandom) else { return }
            if let log { log("\(now) FAULT everything goes back to \(checker.describe(time.raw))") }
            checker.wentBack(to: time)
        } catch {
            if case .disk = error {} else { checker.fail(.saved, "the store was refused: \(error)") }
        }
    }

    private func keep(_ isLabelled: Bool) {
        guard arbiter.isAlive, arbiter.isListening(at: now) else { return }
        labels += 1
        arbiter.store.mark(isLabelled ? "state-\(labels)" : "", notBefore: arbiter.core.applied)
        // Somebody who gives a label waits for it; what is kept from time to time can wait.
        if isLabelled { arbiter.core.hasten(now: now) }
        finish(arbiterAt: now)
    }

    /// The disk is whole again, has room, and what could not be written is written or tried by another process.
    func mendDisk() {
        let host = arbiter.host
        host.contents.base.capacity = .max
        host.contents.fault = nil
        host.callsUntilDeath = nil
        host.diesOfPower = false
        if isHostDown { performOnDisk(.startHost) }
        guard arbiter.isAlive, arbiter.store.keeper.isFailing else { return }
        retryStore()
        if arbiter.store.keeper.isFailing {
            disturb()
            arbiter.kill()
            perform(.startArbiter)
        } else {
            finish(arbiterAt: now)
        }
    }

    // MARK: What is on the disk

    /// Whatever a power cut at this moment would leave is what must not be lost.
    private func examineDisk() {
        guard arbiter.isAlive, !arbiter.store.isDead else { return }
        for _ in 0..<3 {
            let copy = arbiter.host.copy(diskRandom.split())
            copy.cutPower()
            do throws(StoreError) {
                var state = try DurableState(Store.open(DiskAccess(host: copy)))
                let found = try SavedState(reading: &state, at: nil, scenario.disk.page)
                checker.checkStore(found, state.facts, expected: arbiter.expectedFacts, "after a power cut the disk")
                if try !state.verify().isSound { checker.fail(.saved, "after a power cut the store is not sound") }
            } catch {
                checker.fail(.saved, "after a power cut the store is refused: \(error)")
            }
        }
    }

    /// In the end every checkpoint is a state that was, also in a fork, and no bit of it may be another one.
    func checkDisk() {
        do throws(StoreError) {
            var state = try DurableState(Store.open(DiskAccess(host: arbiter.host.copy(diskRandom.split()))))
            let checkpoints = state.store.checkpoints
            for checkpoint in checkpoints.suffix(5) {
                let found = try SavedState(reading: &state, at: checkpoint.time, scenario.disk.page)
                checker.checkState(found, "a checkpoint")
            }
            for kept in checker.keptCheckpoints where !kept.label.isEmpty {
                let found = state.store.checkpoint(at: kept.time)
                // Others may have wanted that state later.
                guard found?.labels.prefix(kept.labels.count) == kept.labels[...] else {
                    checker.fail(.saved, "checkpoint \(kept.label) is missing")
                    continue
                }
            }
            guard !checkpoints.isEmpty else { return }
            try checkFork(&state, at: checkpoints[diskRandom.below(checkpoints.count)].time)
            try checkFlips()
        } catch {
            checker.fail(.saved, "in the end the store is refused: \(error)")
        }
    }

    private func checkFork(_ state: inout DurableState<DiskAccess>, at time: GlobalTime) throws(StoreError) {
        let host = HostDisk(tearsLastWrite: true, random: diskRandom.split())
        _ = try state.fork(at: time, into: DiskAccess(host: host), cluster: 7, identity: diskRandom.next())
        host.cutPower()
        var fork = try DurableState(Store.open(DiskAccess(host: host), cluster: 7))
        if fork.time != time { checker.fail(.saved, "a fork is of \(checker.describe(fork.time.raw))") }
        if fork.facts.chain[0].opened != time || fork.facts.members.contains(where: { $0 != 0 }) {
            checker.fail(.saved, "a fork has wrong facts: \(fork.facts)")
        }
        checker.checkState(try SavedState(reading: &fork, at: nil, scenario.disk.page), "a fork")
        if try !fork.verify().isSound { checker.fail(.saved, "a fork is not sound") }
        checker.checkState(try SavedState(reading: &state, at: nil, scenario.disk.page), "what was forked")
    }

    /// When all is settled, a bit that is another one is found, or makes no difference.
    private func checkFlips() throws(StoreError) {
        let settled = arbiter.host.copy(diskRandom.split())
        var original = try DurableState(Store.open(DiskAccess(host: settled)))
        try original.settle()
        for _ in 0..<3 {
            let copy = settled.copy(diskRandom.split())
            let files = copy.contents.base.files()
            let file = files[diskRandom.below(files.count)]
            var bytes = copy.contents.base[file]
            guard !bytes.isEmpty else { continue }
            bytes[diskRandom.below(bytes.count)] ^= 1 << UInt8(diskRandom.below(8))
            copy.contents.base[file] = bytes
            do throws(StoreError) {
                var state = try DurableState(Store.open(DiskAccess(host: copy)))
                let found = try SavedState(reading: &state, at: nil, scenario.disk.page)
                checker.checkStore(
                    found, state.facts, expected: arbiter.expectedFacts, "with a flipped bit in \(file) the disk")
            } catch {
                guard case .damaged = error else { throw error }
            }
        }
    }
}

extension Fault {
    /// What happens to a host without power, too.
    var isFree: Bool {
        switch self {
        case .cut, .heal, .emptyDisk, .startHost, .arm, .lull, .endOfAbsence, .endOfLull, .vigil, .endOfVigil,
            .calm, .rest, .end: true
        case .crash, .boot, .report, .pause, .killArbiter, .startArbiter, .resume, .pauseArbiter, .resumeArbiter,
            .fillDisk, .failDisk, .interrupt, .cutPower, .goBack, .keep, .examineDisk: false
        }
    }
}
