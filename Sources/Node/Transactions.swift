import Heap
import Kernel
import Machine
import Paging
import Programs
import Protocol
import Wire

/// What a program is entered for. Each is one transaction.
enum ProgramBody {
    /// The next step of the current job.
    case step
    /// The host's oldest waiting command.
    case command
    /// Sets up the memory if it is fresh, and enters this node into the node table.
    case register
    /// Ends the job because this node's part failed.
    case recordFailure
    /// A transaction of the benchmark.
    case measure
}

/// How a transaction ended.
enum TransactionEnd: Equatable {
    case committed(GlobalTime)
    /// It undid itself (`outcome` says why).
    case undone
    /// It trapped; `failure` says where.
    case trapped
    /// A command of the host came first that ends what the step was for. Nothing of it is left.
    case calledOff
}

extension Nucleus {
    /// Runs a body as a transaction until it commits, gives up, traps or is called off; conflicts run it again.
    func run(_ body: ProgramBody) -> TransactionEnd {
        self.body = body
        while !isCalledOff {
            begin()
            switch Machine.enter(runProgramBody, 0) {
            case 0:
                if body == .step, isGivenUp(outcome) { return undo() }
                if body == .command, commandError != nil { return undo() }
                if let time = commit() { return .committed(time) }
                undoForConflict()
            case AbortCode.conflict:
                undoForConflict()
            case AbortCode.tooLarge:
                failure = Self.transactionTooLarge
                _ = undo()
                return .trapped
            case AbortCode.calledOff:
                _ = undo()
            default:
                _ = undo()
                return .trapped
            }
        }
        return .calledOff
    }

    /// Ends the running program here if its transaction is lost, or nobody waits for its step any more.
    func abortIfOver() {
        if core.isDoomed { Machine.abort(AbortCode.conflict) }
        if isCalledOff { Machine.abort(AbortCode.calledOff) }
    }

    /// The running program need not go on: it is going to be aborted.
    var isOver: Bool { core.isDoomed || isCalledOff }

    /// A command waits that ends what the step is for.
    private var isCalledOff: Bool { body == .step && world.commands.endsSteps }

    private static var transactionTooLarge: JobFailure {
        JobFailure("transactionTooLarge: it needs more than the node's memory")
    }

    private func isGivenUp(_ outcome: StepOutcome) -> Bool {
        switch outcome {
        case .again, .wait, .durably: false
        case .abandon, .strictly, .failed: true
        }
    }

    func begin() {
        while !core.begin(now: Machine.nanoseconds(), &world) {
            if case .refused = core.phase { Machine.die() }
            waitForEvent()
        }
        let now = Machine.nanoseconds()
        takeReadings(now: now)
        world.memory.begin()
        world.history?.beginTransaction(now: now)
        Machine.resetArena()
        armTimer()
    }

    /// Nil when others' commits have doomed the transaction, or it was called off while it waited.
    func commit() -> GlobalTime? {
        world.history?.collect(world.memory)
        while true {
            switch core.commit(now: Machine.nanoseconds(), &world) {
            case .committed(let time):
                world.memory.committed()
                world.history?.committed(time, now: Machine.nanoseconds())
                return time
            case .doomed: return nil
            case .waiting:
                if isCalledOff { return nil }
                waitForEvent()
            }
        }
    }

    private func undoForConflict() {
        world.history?.aborted(applied: core.applied, now: Machine.nanoseconds())
        world.memory.abort()
        core.abort(isConflict: true)
    }

    func undo() -> TransactionEnd {
        world.history?.collect(world.memory)
        world.history?.aborted(applied: core.applied, now: Machine.nanoseconds())
        world.memory.abort()
        core.abort(isConflict: false)
        return .undone
    }
}

/// The program's side: on the program stack, interrupts on, free to touch the shared memory. It reads the nucleus and
/// leaves its outcome there with its last store.
@c func runProgramBody(_ argument: UInt64) {
    guard let nucleus else { return }
    let node = UInt32(nucleus.station.number)
    let memory = nucleus.shared
    switch nucleus.body {
    case .step:
        nucleus.outcome = JobRunner<ProgramTable>.runStep(memory, node: node, attempt: nucleus.attempt,
                                                          readings: nucleus.readings)
    case .command:
        nucleus.commandError = performCommand(memory, nucleus)
    case .register:
        register(memory, node, nucleus)
    case .recordFailure:
        JobRunner<ProgramTable>.recordFailure(memory, node: node, nucleus.failure, readings: nucleus.readings)
    case .measure:
        nucleus.benchmark?.body(memory)
    }
}

private func performCommand(_ memory: SharedMemory, _ nucleus: Nucleus) -> CommandError? {
    nucleus.world.commands.withPayload { payload in
        do throws(CommandError) {
            try Kernel.Command.perform(payload, on: memory)
            return nil
        } catch {
            return error
        }
    }
}

/// Any node may find the memory fresh, also after an epoch has undone its set-up; transactions see to it that one
/// does it.
private func register(_ memory: SharedMemory, _ node: UInt32, _ nucleus: Nucleus) {
    if Root(memory) == nil { SystemLayout.initialise(memory) }
    let readings = nucleus.readings
    let incarnation = UInt64(nucleus.core.endpoint.incarnation)
    if NodeEntry(of: node, in: memory)?.incarnation == incarnation { return }
    NodeEntry(node: node, incarnation: incarnation, joinMicroseconds: readings.nanoseconds / 1000,
              joinPageRequests: nucleus.core.counters.pageRequests).store(in: memory)
}
