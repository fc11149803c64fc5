import Control
import Foundation
import Heap
import Kernel
import Programs
import Protocol
import Segment
import Synchronization
import Wire

/// A node without a machine: the real protocol core and the real programs over an ordinary buffer, on a thread.
///
/// It has no page tables, so it cannot see what a step touches. Instead every page is fetched before a step, a step
/// counts as having read all of them, and its write set is what differs afterwards.
final class HostNode: @unchecked Sendable {
    private enum Work {
        case enter
        case command(Wire.Command, [UInt8])
        case step
    }

    let number: UInt8
    private let station: HostStation
    private var core: NodeCore
    private var world: BufferWorld
    private let isStopping = Atomic(false)
    private let hasStopped = Atomic(false)
    /// The work whose transaction waits for the token.
    private var committing: Work?
    private var afterCommit: StepOutcome = .again
    private var attempt: UInt64 = 0
    private var isWaiting = false
    private var changesSeen = -1

    init(_ number: UInt8, _ settings: NodeSettings, in directory: RunDirectory) throws {
        self.number = number
        station = try HostStation(Station(number), in: directory)
        let module = BootModule(
            cluster: settings.cluster, key: settings.key, nonce: .random(in: 1 ... .max),
            sharedPages: settings.sharedPages, maximumFrameBytes: UInt16(settings.maximumFrameBytes),
            node: Station(number))
        core = NodeCore(module: module, build: settings.build, writeLimit: 128, preImageLimit: 4096)
        world = BufferWorld(station, pages: Int(settings.sharedPages), maximumFrameBytes: settings.maximumFrameBytes)
        let thread = Thread { self.run() }
        thread.stackSize = 4 << 20
        thread.start()
    }

    /// The node is gone from one moment to the next.
    func kill() {
        isStopping.store(true, ordering: .relaxed)
        station.wake()
        while !hasStopped.load(ordering: .acquiring) { usleep(500) }
    }

    private func run() {
        core.start(now: now(), &world)
        while !isStopping.load(ordering: .relaxed) {
            let time = now()
            let due = min(core.deadline, time + 5_000_000)
            let wait = world.isBusy || due <= time ? 0 : due - time
            station.receive(waiting: wait) { frame in core.receive(frame, now: now(), &world) }
            if core.deadline <= now() { core.tick(now: now(), &world) }
            world.isBusy = false
            schedule()
        }
        hasStopped.store(true, ordering: .releasing)
    }

    private func now() -> UInt64 { DispatchTime.now().uptimeNanoseconds }

    /// Does as much as can be done without waiting.
    private func schedule() {
        guard core.phase == .member else {
            committing = nil
            return
        }
        if core.isDoomed {
            core.abort(isConflict: true)
            world.isRunning = false
            committing = nil
        }
        if committing != nil { return commit() }
        guard let work = nextWork() else { return core.idle(now: now(), &world) }
        guard arePagesHere(), core.begin(now: now(), &world) else { return }
        world.beginStep()
        perform(work)
    }

    private func nextWork() -> Work? {
        if !core.isReady { return .enter }
        if let command = world.commands.first { return .command(command.head, command.payload) }
        return core.awaited != nil || isWaiting && changesSeen == world.changes ? nil : .step
    }

    private func arePagesHere() -> Bool {
        var open = 0
        var page = 0
        while page < core.sharedPages, open < 2 {
            if !core.isPresent(PageNumber(UInt32(page))) {
                core.fetch(PageNumber(UInt32(page)), ahead: 15, now: now(), &world)
                open += 1
                page += 16
            } else {
                page += 1
            }
        }
        return open == 0
    }

    private func perform(_ work: Work) {
        let memory = world.memory
        afterCommit = .again
        switch work {
        case .enter:
            if core.isPrimary && core.applied == .zero { SystemLayout.initialise(memory) }
            NodeEntry(
                node: UInt32(number), incarnation: UInt64(core.endpoint.incarnation), joinMicroseconds: 1000,
                joinPageRequests: core.counters.pageRequests
            ).store(in: memory)
        case .command(let head, let payload):
            guard head.verb == .perform else { break }
            do { try Kernel.Command.perform(payload.span.bytes, on: memory) } catch {
                world.isRunning = false
                core.abort(isConflict: false)
                core.reply(head.identifier, .refused, time: core.applied, &world)
                world.commands.removeFirst()
                return
            }
        case .step:
            changesSeen = world.changes
            afterCommit = JobRunner<ProgramTable>.runStep(
                memory, node: UInt32(number), attempt: attempt, readings: readings)
            guard !isGivenUp() else { return }
        }
        for page in world.writtenPages() { precondition(core.recordWrite(page), "a write set that is too large") }
        committing = work
        commit()
    }

    /// A step that asks to be undone.
    private func isGivenUp() -> Bool {
        switch afterCommit {
        case .again, .wait, .durably: return false
        case .abandon: attempt += 1
        case .strictly: core.askStrict(now: now(), &world)
        case .failed(let reason):
            world.beginStep()
            JobRunner<ProgramTable>.recordFailure(
                world.memory, node: UInt32(number), JobFailure(reason), readings: readings)
            afterCommit = .again
            return false
        }
        world.isRunning = false
        core.abort(isConflict: false)
        return true
    }

    private var readings: NodeReadings {
        NodeReadings(
            commits: core.counters.commits, aborts: core.counters.aborts, pagesFetched: core.counters.pagesFetched,
            nanoseconds: now())
    }

    private func commit() {
        guard let work = committing else { return }
        switch core.commit(now: now(), &world) {
        case .waiting: return
        case .doomed:
            core.abort(isConflict: true)
            world.isRunning = false
            committing = nil
        case .committed(let time):
            world.isRunning = false
            committing = nil
            world.isBusy = true
            finish(work, time)
        }
    }

    private func finish(_ work: Work, _ time: GlobalTime) {
        switch work {
        case .enter:
            core.isReady = true
            core.sendReport(&world)
        case .command(let head, _):
            world.commands.removeFirst()
            core.reply(head.identifier, .done, time: time, &world)
            isWaiting = false
        case .step:
            attempt = 0
            isWaiting = afterCommit == .wait
            if afterCommit == .durably { core.awaitSaved(time, &world) }
        }
    }
}

/// What all nodes of a test cluster know.
struct NodeSettings {
    var cluster: UInt64 = 0xC1
    var key = SipHash.Key(low: 1, high: 2)
    var build = BuildIdentifier(low: 3, high: 4)
    var sharedPages: UInt32 = 160
    var maximumFrameBytes = Limits.maximumFrameBytes
}
