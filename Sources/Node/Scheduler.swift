import Kernel
import Machine
import Paging
import Protocol
import Wire

extension Nucleus {
    /// The node's life: join, enter the node table, then do what the shared memory says, for ever.
    func live() -> Never {
        core.start(now: Machine.nanoseconds(), &world)
        if benchmark != nil {
            joinAndRegister()
            runBenchmark()
        }
        while true {
            joinAndRegister()
            runCommands()
            runNextStep()
        }
    }

    /// Waits for membership and enters this incarnation into the node table; again after an epoch, which may have
    /// undone the entry, and after a rejoin.
    private func joinAndRegister() {
        wait { core.phase != .joining }
        if case .refused = core.phase { Machine.die() }
        guard registeredIncarnation != core.endpoint.incarnation || registeredEpoch != core.epoch else { return }
        let epoch = core.epoch
        guard case .committed = run(.register) else { Machine.fail("the node table cannot be written") }
        if !core.isReady { announceJoin() }
        registeredIncarnation = core.endpoint.incarnation
        registeredEpoch = epoch
    }

    private func announceJoin() {
        core.isReady = true
        core.counters.joinNanoseconds = Machine.nanoseconds()
        core.counters.joinPageRequests = core.counters.pageRequests
        core.sendReport(&world)
        Console.line("READY microseconds=", core.counters.joinNanoseconds / 1000, " pageRequests=",
                     core.counters.joinPageRequests)
    }

    /// Does what the host has asked for, each command as a transaction of its own.
    private func runCommands() {
        while world.commands.count > 0 {
            let command = world.commands.head
            switch command.verb {
            case .perform: performCommand(command)
            case .powerOff: powerOff(command)
            case .recordHistory: recordHistory(command)
            }
            world.commands.removeFirst()
        }
    }

    private func recordHistory(_ command: Wire.Command) {
        guard sharedPages <= Limits.maximumRecordedPages else {
            return core.reply(command.identifier, .refused, time: core.applied, &world)
        }
        if command.argument == 0 {
            world.history = nil
        } else if world.history != nil {
            // Told again: nothing may be missing in between.
            world.history?.adjust(hostClock: command.argument, now: Machine.nanoseconds())
        } else {
            var recorder = HistoryRecorder(station: station, pageCount: sharedPages, hostClock: command.argument,
                                           now: Machine.nanoseconds())
            for index in 0..<sharedPages where core.isPresent(PageNumber(UInt32(index))) {
                recorder.note(PageNumber(UInt32(index)), core.version(of: PageNumber(UInt32(index))))
            }
            world.history = recorder
        }
        core.reply(command.identifier, .done, time: core.applied, &world)
    }

    private func performCommand(_ command: Wire.Command) {
        commandError = nil
        switch run(.command) {
        case .committed(let time):
            core.reply(command.identifier, .done, time: time, &world)
        case .undone, .trapped, .calledOff:
            core.reply(command.identifier, .refused, time: core.applied, &world)
        }
    }

    /// Leaves the cluster: everything that this node has committed is saved first. While it cannot be, the node stays
    /// and says nothing, and is told again.
    private func powerOff(_ command: Wire.Command) {
        core.idle(now: Machine.nanoseconds(), &world)
        let last = core.applied
        core.awaitSaved(last, &world)
        let end = Machine.nanoseconds() + 2_000_000_000
        wait { core.awaited == nil || Machine.nanoseconds() >= end }
        guard core.awaited == nil else { return }
        core.reply(command.identifier, .done, time: core.applied, &world)
        // The card sends at its own pace, and what it has not sent goes with the machine.
        let farewell = Machine.nanoseconds() + 2_000_000
        wait { Machine.nanoseconds() >= farewell }
        Machine.write(serial: "OFF the host asked this node to leave\n")
        Machine.die()
    }

    /// Runs the next step of the current job, or sleeps until there may be one.
    private func runNextStep() {
        guard core.awaited == nil else { return waitUntilSaved() }
        switch run(.step) {
        case .committed(let time):
            attempt = 0
            stepCommits += 1
            isStrict = false
            if outcome == .wait { sleepUntilChange() }
            if outcome == .durably { core.awaitSaved(time, &world) }
        case .undone:
            switch outcome {
            case .failed(let reason):
                failure = JobFailure(reason)
                endPart()
            case .strictly: readStrictly()
            case .again, .wait, .durably, .abandon: attempt += 1
            }
        case .trapped:
            endPart()
        case .calledOff:
            break
        }
    }

    /// Lets the node catch up with all that had left the cluster by now [P2].
    private func readStrictly() {
        core.askStrict(now: Machine.nanoseconds(), &world)
        wait { core.isStrict || core.phase != .member }
        isStrict = core.isStrict
    }

    /// Until the last commit cannot be undone any more, or was: then the shared memory says what is next.
    private func waitUntilSaved() {
        core.idle(now: Machine.nanoseconds(), &world)
        wait { core.awaited == nil || hasOtherWork }
    }

    private func endPart() {
        attempt = 0
        isStrict = false
        _ = run(.recordFailure)
    }

    /// Sleeps until a page that the last step read has changed, the host asks for something, or history has.
    private func sleepUntilChange() {
        world.memory.watch()
        core.idle(now: Machine.nanoseconds(), &world)
        wait { world.memory.hasChanged || hasOtherWork }
    }

    /// The host asks for something, or history has.
    private var hasOtherWork: Bool {
        world.commands.count > 0 || core.phase != .member || core.epoch != registeredEpoch
            || core.endpoint.incarnation != registeredIncarnation
    }
}
