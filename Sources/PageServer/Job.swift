import Control
import Heap
import Kernel
import Protocol
import Wire

/// A program that was asked for, from its input to its result.
///
/// fence → place the input → start → running → ended. Each step waits until the one before is saved, so no epoch can
/// undo it under the next one. Everything that the user is told is read from the saved state: it cannot be undone.
struct Job {
    private enum Stage { case fencing, placing, starting, running, ended }

    let number: Int
    let program: String
    private let directory: RunDirectory
    /// Bit 0 is node 1.
    let participants: UInt64
    private var arguments: [[UInt8]]
    private var input: JobInput
    private var stage = Stage.fencing
    private var nextPiece = 0
    private var placedPieces = 0
    private var isCancelled = false
    /// Nodes that left in order.
    private var left: Set<Int> = []
    /// When the nodes were told to start.
    private(set) var startedAt: UInt64?
    private var endedAt: UInt64?
    private var reader: JobReader
    /// The nodes have begun it, and what the saved state says of it was not looked at since. When they did so for an
    /// earlier arbiter it may have ended by now, and nothing new is saved.
    private(set) var isUnseen = false
    /// It has finished, and what it came to is in pages that were not read yet.
    private(set) var awaitsReading = false
    private var failure: Failure?
    /// Whether somebody knows of its end, or has wanted it.
    private var isEndKnown = false
    /// When it was found at work in the saved state, until somebody asks for it or was told.
    private var foundAt: UInt64?

    /// A new job.
    ///
    /// - Parameter number: larger than that of any job before by two or more; the one in between is the fence's.
    init(_ request: JobRequest, number: Int, in directory: RunDirectory, _ orders: inout Orders) {
        self.number = number
        self.directory = directory
        program = request.program
        participants = request.nodes.reduce(0) { $0 | SystemLayout.mask(of: UInt32($1)) }
        arguments = request.arguments
        input = request.input
        reader = JobReader(number: number, participants: participants)
        // Late copies of what was sent for earlier jobs must not touch the input that is placed now.
        orders.submit(.fence(job: number), .perform, Kernel.Command.stopJob(UInt64(number - 1)).encode())
    }

    /// A job that an earlier run of the arbiter started, found in the saved state.
    ///
    /// - Parameter startedAt: when its nodes were told to start.
    init(adopting record: JobRecord<SharedImage>, in directory: RunDirectory, startedAt: UInt64, now: UInt64) {
        number = Int(record.number)
        program = String(decoding: record.nameBytes, as: UTF8.self)
        self.directory = directory
        participants = record.participants
        arguments = []
        input = JobInput(bytes: [], maximumFrameBytes: Limits.maximumFrameBytes)
        self.startedAt = startedAt
        stage = .running
        reader = JobReader(number: number, participants: participants)
        isEndKnown = record.phase?.isActive != true
        foundAt = isEndKnown ? nil : now
    }

    var hasEnded: Bool { stage == .ended }

    /// No node does anything for it any more.
    var isOver: Bool { hasEnded || awaitsReading }

    /// Nodes that are asked first to do what the job needs.
    func isParticipant(_ node: Station) -> Bool { participants & node.bit != 0 }

    // MARK: Events

    /// An order of this job ended.
    mutating func finished(
        _ purpose: Orders.Purpose, _ outcome: Orders.Outcome, now: UInt64, _ orders: inout Orders
    ) {
        guard stage != .ended else { return }
        guard outcome == .done else {
            return end(Failure(.fault, "the nodes refuse to start \(program): \(purpose)"), now, &orders)
        }
        switch purpose {
        case .fence where stage == .fencing: stage = .placing
        case .put where stage == .placing: placedPieces += 1
        case .start where stage == .starting:
            stage = .running
            isUnseen = true
        case .fence, .put, .start, .stop, .markDead, .powerOff, .recordHistory: break
        }
        placeMore(now, &orders)
    }

    /// Keeps pieces of the input under way: what the window takes, and what waits to be saved.
    private mutating func placeMore(_ now: UInt64, _ orders: inout Orders) {
        guard stage == .placing else { return }
        while nextPiece < input.pieceCount, nextPiece - placedPieces < 8 * Orders.window {
            orders.submit(.put(job: number, piece: nextPiece), .perform, input.command(nextPiece, job: number))
            nextPiece += 1
        }
        guard placedPieces == input.pieceCount else { return }
        stage = .starting
        startedAt = now
        do throws(ArgumentError) {
            let start = try JobStart(
                number: UInt64(number), participants: participants, programName: Array(program.utf8),
                arguments: arguments, inputByteCount: UInt64(input.bytes.count))
            orders.submit(.start(job: number), .perform, Kernel.Command.startJob(start).encode())
            input = JobInput(bytes: [], maximumFrameBytes: Limits.maximumFrameBytes)
        } catch {
            end(Failure(.usage, "\(program): \(error.sentence)"), now, &orders)
        }
    }

    /// The saved state has moved on.
    mutating func refresh(_ image: SharedImage, now: UInt64, _ orders: inout Orders) {
        guard stage == .starting || stage == .running else { return }
        isUnseen = false
        reader.read(image)
        let replaced = Failure(.unavailable, "another job has replaced \(program)")
        guard !reader.isPast else { return end(replaced, now, &orders) }
        guard reader.isCurrent else { return }
        stage = .running
        switch reader.phase {
        // What was saved before is still being read, and may be found.
        case .finished where reader.isCut && image.unreadCount > 0: awaitsReading = true
        case .finished: end(lossOfNodes ?? lossOfPages, now, &orders)
        case .failed: end(failureOfPart, now, &orders)
        case .stopped:
            end(isCancelled ? Failure(.unavailable, "\(program) was stopped") : replaced, now, &orders)
        case JobPhase.none?, .preparing, .running, .finishing, nil: break
        }
    }

    /// A node has died, or left in order.
    ///
    /// - Parameter counters: what it had done, as it said last.
    mutating func died(_ node: Int, _ counters: Counters, hasLeft: Bool) {
        guard !hasEnded else { return }
        reader.died(node, counters)
        if hasLeft { left.insert(node) }
    }

    /// Tells the job's nodes which participants are dead.
    ///
    /// - Parameter dead: nodes whose machines are gone, as a mask.
    mutating func mark(dead: UInt64, now: UInt64, _ orders: inout Orders) {
        guard !isOver, participants & dead != 0 else { return }
        guard participants & ~dead != 0 else {
            let isStarted = stage == .starting || stage == .running
            let first = directory.hint("autopsy n\(nodes[0])")
            end(Failure(.unavailable, "all nodes of \(program) have died", advice: "see \(first)"), now, &orders)
            if isStarted { submitStop(&orders) }
            return
        }
        guard stage == .running else { return }
        let unmarked = participants & dead & ~reader.dead
        for node in Self.nodes(unmarked) {
            let purpose = Orders.Purpose.markDead(job: number, node: node)
            guard !orders.contains(purpose) else { continue }
            orders.submit(
                purpose, .perform, Kernel.Command.markDead(job: UInt64(number), node: UInt32(node)).encode())
        }
    }

    /// The user has given the job up.
    ///
    /// - Returns: False when it had ended or was given up already.
    mutating func cancel(now: UInt64, _ orders: inout Orders) -> Bool {
        guard !isOver, !isCancelled else { return false }
        isCancelled = true
        isEndKnown = true
        foundAt = nil
        if stage == .fencing || stage == .placing {
            end(Failure(.unavailable, "\(program) was stopped before it began"), now, &orders)
        }
        // An earlier arbiter may have begun it.
        submitStop(&orders)
        return true
    }

    private func submitStop(_ orders: inout Orders) {
        orders.submit(.stop(job: number), .perform, Kernel.Command.stopJob(UInt64(number)).encode())
    }

    private mutating func end(_ failure: Failure?, _ now: UInt64, _ orders: inout Orders) {
        stage = .ended
        isUnseen = false
        awaitsReading = false
        endedAt = now
        self.failure = failure
        let number = number
        orders.removeAll { purpose in
            switch purpose {
            case .fence(let job), .put(let job, _), .start(let job), .markDead(let job, _): job == number
            case .stop, .powerOff, .recordHistory: false
            }
        }
    }

    // MARK: What the user is told

    /// Somebody has asked for the job.
    mutating func asked() {
        if hasEnded { isEndKnown = true }
        foundAt = nil
    }

    /// That it goes on, once, when nobody has asked for so long since it was found, nanoseconds: a `plurix run` that
    /// waits for it does so at once.
    mutating func takeResumption(now: UInt64, after patience: UInt64) -> String? {
        guard let time = foundAt, now - time > patience else { return nil }
        foundAt = nil
        return hasEnded ? nil : "\(program), which was at work in the state that is saved, goes on from there"
    }

    /// What became of it, once, when nobody has asked for so long since its end, nanoseconds.
    mutating func takeObituary(now: UInt64, after patience: UInt64) -> String? {
        guard !isEndKnown, let endedAt, now - endedAt > patience else { return nil }
        isEndKnown = true
        let words = failure?.description ?? "\(program) has finished"
        return "\(words); nobody has asked for its result"
    }

    private var lossOfNodes: Failure? {
        guard reader.lost != 0 else { return nil }
        let lost = Self.nodes(reader.lost)
        func hints(_ command: String) -> String {
            lost.map { directory.hint("\(command) n\($0)") }.joined(separator: ", ")
        }
        let haveLeft = left.isSuperset(of: lost)
        return Failure(
            .unavailable,
            "\(Self.names(lost)) \(haveLeft ? "left" : "died") while \(program) ran, and the other nodes came to a"
                + " result without it",
            advice: (haveLeft ? "" : "see \(hints("autopsy")), ")
                + "start what is missing again with \(hints("add")), and run \(program) again",
            at: Self.names(lost))
    }

    private var lossOfPages: Failure? {
        guard reader.isCut else { return nil }
        return Failure(
            .fault, "\(program) has finished, but some of what it printed, or of its result, cannot be read back",
            advice: "see \(directory.hint("status")) for what can be done, or run it again")
    }

    private var failureOfPart: Failure {
        guard let (node, failure) = reader.failure else { return Failure(.fault, "\(program) failed") }
        let judgement = JobReader.judgement(of: failure, on: node, in: directory)
        return Failure(
            reader.lost != 0 ? .unavailable : judgement.kind,
            "\(program) failed on n\(node): \(JobReader.sentence(failure))", advice: judgement.advice, at: "n\(node)")
    }

    /// Numbers of the nodes that take part.
    var nodes: [Int] { Self.nodes(participants) }

    private static func nodes(_ mask: UInt64) -> [Int] {
        (1...Limits.maximumNodes).filter { mask & SystemLayout.mask(of: UInt32($0)) != 0 }
    }

    private static func names(_ nodes: [Int]) -> String { nodes.map { "n\($0)" }.joined(separator: ", ") }

    private var state: JobState {
        switch stage {
        case .fencing, .placing, .starting: .starting
        case .running: reader.phase == .finishing ? .saving : .running
        case .ended: failure == nil ? .finished : .failed
        }
    }

    /// Everything about the job but the value of its result, whose bytes come with it: parsing a large one takes long.
    func report(now: UInt64) -> (reply: ArbiterJob.Reply, result: [UInt8]) {
        let reply = ArbiterJob.Reply(
            state: state, parts: reader.parts, output: reader.output, failure: failure,
            elapsedMicroseconds: startedAt.map { ((endedAt ?? now) - $0) / 1000 } ?? 0)
        return (reply, hasEnded ? reader.result : [])
    }
}
