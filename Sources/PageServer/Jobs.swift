import Control
import Heap
import Kernel
import Wire

/// The jobs of the cluster: at most one runs, and the last ones are remembered.
struct Jobs {
    /// Oldest first.
    private var jobs: [Job] = []
    private var nextNumber: Int
    private let directory: RunDirectory
    /// When this arbiter began.
    private let began: UInt64
    /// When somebody last asked for a job, or the running one began.
    private var askedAt: UInt64
    /// The begin that was written down last.
    private var noted: JobBegin?
    /// What a person should know, until somebody takes it.
    private var notices: [String] = []
    /// No job begins: the cluster goes back to an earlier state.
    var isClosed = false

    /// Ended jobs whose results can still be asked for.
    private static let remembered = 8
    /// How long after its begin an arbiter may learn of a job that an earlier one started, nanoseconds: it catches up
    /// in less even when an epoch has to be opened first.
    private static let patience: UInt64 = 4_000_000_000
    /// A running job that nobody has asked for so long is stopped, nanoseconds: its `plurix run` was killed, and would
    /// keep the cluster from all others. A living one asks every 50 ms, and looks for a lost arbiter for 30 s.
    private static let abandonment: UInt64 = 45_000_000_000
    /// Whoever waits for a job has asked for it by then, since its end or the arbiter's begin, nanoseconds.
    private static let hearing: UInt64 = 3_000_000_000

    /// - Parameter incarnation: the arbiter's. It is the high part of the numbers, so that those of a restarted arbiter
    ///   are larger than all that an earlier one has used, whether or not a trace of them is saved.
    init(incarnation: UInt32, in directory: RunDirectory, now: UInt64) {
        self.directory = directory
        began = now
        askedAt = now
        nextNumber = Int(incarnation) << 20
    }

    /// The number of a job that somebody is about to begin.
    mutating func reserve() -> Int {
        nextNumber += 2
        return nextNumber
    }

    func knows(_ number: Int) -> Bool { jobs.contains { $0.number == number } }

    /// Begins a job. One that an earlier arbiter may have begun under the same number goes on: to the nodes it is the
    /// same one, and they begin it once.
    ///
    /// - Throws: `.unavailable` while another one runs, and for one that another one came after: nodes ignore it.
    mutating func start(_ request: JobRequest, now: UInt64, _ orders: inout Orders) throws(Failure) -> Int {
        guard !isClosed else {
            throw Failure(
                .unavailable, "the cluster is going back to an earlier state",
                advice: "wait until it has: see \(directory.hint("status"))")
        }
        if let running = jobs.first(where: { !$0.hasEnded }) {
            throw Failure(
                .unavailable,
                "\(running.program) still runs on this cluster",
                advice: "wait for it, or stop it with \(directory.hint("stop"))")
        }
        let number = request.number ?? reserve()
        guard jobs.allSatisfy({ $0.number < number }) else {
            throw Failure(
                .unavailable, "another program was begun before \(request.program)", advice: "run it again")
        }
        askedAt = now
        jobs.append(Job(request, number: number, in: directory, &orders))
        if jobs.count > Self.remembered { jobs.removeFirst() }
        return number
    }

    mutating func cancel(_ number: Int, now: UInt64, _ orders: inout Orders) throws(Failure) {
        _ = jobs[try place(of: number)].cancel(now: now, &orders)
    }

    /// The job that has not ended.
    func running(now: UInt64) -> RunningProgram? {
        jobs.first { !$0.isOver }.map { job in
            RunningProgram(
                job: job.number, program: job.program, nodes: job.nodes,
                unattendedSeconds: Int(unattended(now) / 1_000_000_000),
                patienceSeconds: Int(Self.abandonment / 1_000_000_000))
        }
    }

    /// Nanoseconds since somebody asked for a job. The arbiter may have stood still since `now` was taken.
    private func unattended(_ now: UInt64) -> UInt64 { now - min(now, askedAt) }

    /// The arbiter stands still, and answers nobody who asks for a job.
    mutating func standStill(now: UInt64) { askedAt = now }

    mutating func takeNotices() -> [String] {
        defer { notices = [] }
        return notices
    }

    mutating func report(_ number: Int, now: UInt64) -> (reply: ArbiterJob.Reply, result: [UInt8]) {
        askedAt = now
        if let place = jobs.firstIndex(where: { $0.number == number }) {
            jobs[place].asked()
            return jobs[place].report(now: now)
        }
        // The nodes may have begun it when an earlier arbiter was killed, and it is about to be seen.
        guard now - began > Self.patience else { return (ArbiterJob.Reply(state: .starting, parts: []), []) }
        return (ArbiterJob.Reply(state: .failed, parts: [], failure: Self.unknown(number)), [])
    }

    private func place(of number: Int) throws(Failure) -> Int {
        guard let place = jobs.firstIndex(where: { $0.number == number }) else { throw Self.unknown(number) }
        return place
    }

    private static func unknown(_ number: Int) -> Failure {
        Failure(
            .unavailable, "job \(number) is not known: the arbiter was started anew before it began",
            advice: "run it again")
    }

    /// A job wants the saved state to be looked at, also when that has not moved on.
    func isLookWanted(_ image: SharedImage) -> Bool {
        jobs.contains { $0.isUnseen || $0.awaitsReading && image.unreadCount == 0 }
    }

    /// The saved state has moved on.
    mutating func refresh(_ image: SharedImage, now: UInt64, _ orders: inout Orders) {
        adopt(image, now: now)
        for place in jobs.indices { jobs[place].refresh(image, now: now, &orders) }
    }

    /// A job in the saved state that this run of the arbiter did not start goes on.
    private mutating func adopt(_ image: SharedImage, now: UInt64) {
        let record = JobRecord(image)
        guard let phase = record.phase, phase != .none, phase != .stopped, record.number > 0,
            record.number < UInt64(Int.max), !jobs.contains(where: { $0.number == Int(record.number) }),
            jobs.allSatisfy(\.hasEnded)
        else { return }
        askedAt = now
        let begin = JobBegin.load(directory).flatMap { $0.job == Int(record.number) && $0.time <= now ? $0.time : nil }
        jobs.append(Job(adopting: record, in: directory, startedAt: begin ?? now, now: now))
    }

    /// A node has died, or left in order.
    ///
    /// - Parameter counters: what it had done, as it said last.
    mutating func died(_ node: Int, _ counters: Counters, hasLeft: Bool) {
        for place in jobs.indices { jobs[place].died(node, counters, hasLeft: hasLeft) }
    }

    /// Hands ended orders to their jobs, stops what nobody waits for, says how such a job ended, and tells jobs which
    /// nodes are dead.
    mutating func settle(dead: UInt64, now: UInt64, _ orders: inout Orders) {
        for (purpose, outcome) in orders.takeFinished() {
            guard let number = purpose.job, let place = jobs.firstIndex(where: { $0.number == number })
            else { continue }
            jobs[place].finished(purpose, outcome, now: now, &orders)
            if !jobs[place].hasEnded, let time = jobs[place].startedAt { note(JobBegin(job: number, time: time)) }
        }
        if unattended(now) > Self.abandonment {
            for place in jobs.indices where jobs[place].cancel(now: now, &orders) {
                let seconds = Self.abandonment / 1_000_000_000
                notices.append("\(jobs[place].program) is stopped: nobody has asked for its result for \(seconds) s")
            }
        }
        for place in jobs.indices {
            if let words = jobs[place].takeResumption(now: now, after: Self.hearing) { notices.append(words) }
            if let words = jobs[place].takeObituary(now: now, after: Self.hearing) { notices.append(words) }
        }
        guard dead != 0 else { return }
        for place in jobs.indices { jobs[place].mark(dead: dead, now: now, &orders) }
    }

    /// Written down once for each job.
    private mutating func note(_ begin: JobBegin) {
        guard begin != noted else { return }
        noted = begin
        begin.save(in: directory)
    }

    /// The same nodes, those of the running job first.
    func preferring(_ nodes: [Station]) -> [Station] {
        guard let job = jobs.last(where: { !$0.hasEnded }) else { return nodes }
        return nodes.filter { job.isParticipant($0) } + nodes.filter { !job.isParticipant($0) }
    }
}

extension Orders.Purpose {
    /// The job that the order is for.
    var job: Int? {
        switch self {
        case .fence(let job), .put(let job, _), .start(let job), .stop(let job), .markDead(let job, _): job
        case .powerOff, .recordHistory: nil
        }
    }
}
