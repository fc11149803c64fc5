import Heap

/// What a node does after a step.
public enum StepOutcome: Equatable {
    /// Commit, and run the next step.
    case again
    /// Commit, and run the next step when another node has changed a page that this one read.
    case wait
    /// Commit, and run the next step when this commit is saved.
    case durably
    /// Undo, and run the step again with the next `attempt`.
    case abandon
    /// Undo, make a strict read, and run the step again.
    case strictly
    /// Undo, and call `recordFailure` with this reason in a transaction of its own.
    case failed(StaticName)
}

/// What ended a part, for `recordFailure`.
public struct JobFailure {
    /// For a program that gave up without an exception.
    public static let noVector = UInt64.max

    let vector: UInt64
    let instruction: UInt64
    let address: UInt64
    let message: StaticString

    /// An exception in the program: its vector, the address of the instruction, the address accessed.
    public init(vector: UInt64, instruction: UInt64, address: UInt64, message: StaticString) {
        self.vector = vector
        self.instruction = instruction
        self.address = address
        self.message = message
    }

    /// A program, or the node for it, gave up.
    public init(_ reason: StaticName) {
        self.init(vector: Self.noVector, instruction: 0, address: 0, message: reason.text)
    }
}

/// The scheduler: finds out from the shared memory alone what a node has to do for the current job, and
/// does one transaction of it.
///
/// A job goes through its phases in the job record. The leader, the lowest living participant, runs
/// `prepare` until it is done, then all run `step` until each is done, then the leader runs `finish`.
/// Nothing is kept on the node: after a rollback, a crash of the leader or a rejoin, the next call sees
/// how far things are.
public enum JobRunner<Programs: ProgramSet> {
    /// Runs what is next for this node, as one transaction.
    /// - Parameter attempt: how often the step answered `.abandon` since the last commit.
    public static func runStep(
        _ memory: SharedMemory, node: UInt32, attempt: UInt64, readings: NodeReadings
    ) -> StepOutcome {
        let job = JobRecord(memory)
        guard let phase = job.phase, phase.isActive, job.includes(node) else { return .wait }
        let part = JobPart(of: node, in: memory)
        guard part.jobNumber == job.number else {
            begin(part.places, of: job, on: node, readings)
            return .again
        }
        guard let program = Programs.find(job.programName, in: memory) else {
            return .failed("the node image has no such program")
        }
        guard job.programFormat == 0 || job.programFormat == program.format else {
            return .failed("another build laid out what this program keeps")
        }
        let context = Context(memory, node: node, attempt: attempt, readings: readings)
        switch phase {
        case .preparing:
            guard job.leader == node else { return .wait }
            if job.programFormat == 0 { memory[JobPlaces.programFormat] = program.format }
            return advance(call(program, .prepare, context)) {
                memory[JobPlaces.phase] = JobPhase.running.rawValue
            }
        case .running:
            return part.state == .running ? runPart(program, part, context) : waitForOthers(job, node)
        case .finishing:
            guard job.leader == node else { return .wait }
            return advance(call(program, .finish, context)) {
                count(part.places, memory, readings)
                memory[JobPlaces.phase] = JobPhase.finished.rawValue
            }
        case .none, .finished, .failed, .stopped:
            return .wait
        }
    }

    /// Ends the job because this node's part of it failed; a transaction of its own.
    public static func recordFailure(
        _ memory: SharedMemory, node: UInt32, _ failure: JobFailure, readings: NodeReadings
    ) {
        let job = JobRecord(memory)
        let places = PartPlaces(SystemLayout.partPage(of: node))
        guard let phase = job.phase, phase.isActive, memory[places.jobNumber] == job.number else { return }
        count(places, memory, readings)
        memory[places.failureVector] = failure.vector
        memory[places.failureInstruction] = failure.instruction
        memory[places.failureAddress] = failure.address
        let length = min(failure.message.utf8CodeUnitCount, Int(PartPlaces.messageLimit))
        memory[places.messageByteCount] = UInt32(length)
        failure.message.write(length, at: places.message, in: memory)
        memory[places.state] = PartState.failed.rawValue
        memory[JobPlaces.failedNode] = node
        memory[JobPlaces.phase] = JobPhase.failed.rawValue
    }

    private static func begin(
        _ places: PartPlaces, of job: JobRecord<SharedMemory>, on node: UInt32, _ readings: NodeReadings
    ) {
        let memory = job.source
        memory.clear(places.all)
        memory[places.jobNumber] = job.number
        memory[places.state] = PartState.running.rawValue
        memory[places.random] = mix(job.number << 8 | UInt64(node))
        memory[places.startCommits] = readings.commits
        memory[places.startAborts] = readings.aborts
        memory[places.startPagesFetched] = readings.pagesFetched
    }

    private static func runPart(
        _ program: ProgramEntry, _ part: JobPart<SharedMemory>, _ context: Context
    ) -> StepOutcome {
        let memory = context.memory
        return advance(call(program, .step, context)) {
            count(part.places, memory, context.readings)
            memory[part.places.state] = PartState.done.rawValue
            memory[CompletionPage.done] |= SystemLayout.mask(of: context.node)
        }
    }

    /// The leader looks whether all living participants are done; the others have nothing left to do.
    private static func waitForOthers(_ job: JobRecord<SharedMemory>, _ node: UInt32) -> StepOutcome {
        let memory = job.source
        guard job.leader == node, memory[CompletionPage.done] & job.living == job.living else { return .wait }
        memory[JobPlaces.phase] = JobPhase.finishing.rawValue
        return .again
    }

    private static func call(_ program: ProgramEntry, _ method: ProgramMethod, _ context: Context) -> Step {
        do throws(HeapError) {
            return try program.call(method, context)
        } catch {
            switch error {
            case .outOfMemory: return .failed("the shared memory is full")
            case .noRoomForName: return .failed("no room for another named value")
            }
        }
    }

    /// What a method's answer means for the node; `done` records that it was the method's last step.
    private static func advance(_ step: Step, done: () -> Void) -> StepOutcome {
        switch step {
        case .again: return .again
        case .wait: return .wait
        case .durably: return .durably
        case .abandon: return .abandon
        case .strictly: return .strictly
        case .failed(let reason): return .failed(reason)
        case .done:
            done()
            return .again
        }
    }

    /// Writes down what the node did for the job, this transaction included.
    private static func count(_ places: PartPlaces, _ memory: SharedMemory, _ readings: NodeReadings) {
        memory[places.commits] = since(memory[places.startCommits], readings.commits) + 1
        memory[places.aborts] = since(memory[places.startAborts], readings.aborts)
        memory[places.pagesFetched] = since(memory[places.startPagesFetched], readings.pagesFetched)
    }

    /// A node that died and came back counts from 0 again.
    private static func since(_ start: UInt64, _ now: UInt64) -> UInt64 { now >= start ? now - start : now }
}
