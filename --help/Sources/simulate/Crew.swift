import Glibc
import Simulation

/// Processes that share the seeds of a batch. One that traps or hangs is a failure of the seed it was at, and another
/// goes on behind it.
struct Crew {
    struct Failure: Equatable {
        var seed: UInt64
        var check: String
        var text: String
    }

    private struct Member {
        var child: Child
        var seed: UInt64
        var next: UInt64
        var isAtSeed = false
        var lastHeard: ContinuousClock.Instant
        /// What it printed last that is no report: most likely why it trapped.
        var lastWords = ""
    }

    private let options: Options
    private var members: [Member] = []
    private(set) var summary = Summary()
    private(set) var failures: [Failure] = []
    private let end: UInt64
    private let clock = ContinuousClock()

    private let program: String
    private let silence: Duration
    private static let interval = Duration.seconds(5)

    /// A seed takes a tenth of a second, and a few of them some seconds on a busy machine.
    static let longestSilence = Duration.seconds(120)

    /// - Parameters:
    ///   - program: What the processes run.
    ///   - silence: A process that is at a seed for so long hangs.
    init(_ options: Options, program: String = Child.own, silence: Duration = longestSilence) {
        self.options = options
        self.program = program
        self.silence = silence
        end = options.seconds == nil ? options.first + UInt64(options.count) : .max
    }

    /// Runs the batch, with a line of progress now and then.
    mutating func run(progress: (Summary, Int, Duration) -> Void) -> Duration {
        let begin = clock.now
        let jobs = options.jobs ?? max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        for job in 0..<UInt64(jobs) where options.first + job < end { hire(options.first + job, UInt64(jobs)) }
        let deadline = options.seconds.map { begin + .seconds($0) }
        var nextLine = begin + Self.interval
        while !members.isEmpty {
            listen(UInt64(jobs))
            let now = clock.now
            if deadline.map({ now >= $0 }) == true || (options.stopsAtFailure && !failures.isEmpty) { dismiss() }
            if now >= nextLine {
                nextLine = now + Self.interval
                progress(summary, failures.count, now - begin)
            }
        }
        return clock.now - begin
    }

    private mutating func hire(_ seed: UInt64, _ stride: UInt64) {
        let count = end == .max ? 1_000_000_000 : (end - seed + stride - 1) / stride
        let words = ["--from", "\(seed)", "--seeds", "\(count)", "--stride", "\(stride)"] + options.common
        guard let child = Child(words, program: program) else { Simulate.stop("no process could be started", code: 71) }
        members.append(Member(child: child, seed: seed, next: seed, lastHeard: clock.now))
    }

    private mutating func dismiss() {
        for member in members {
            member.child.kill()
            _ = member.child.finish()
        }
        members.removeAll()
    }

    /// Waits a moment for reports.
    private mutating func listen(_ stride: UInt64) {
        var waits = members.map { pollfd(fd: $0.child.output, events: Int16(POLLIN), revents: 0) }
        poll(&waits, nfds_t(waits.count), 200)
        for place in waits.indices.reversed() {
            if waits[place].revents != 0 {
                hear(place, stride)
            } else if members[place].isAtSeed, clock.now - members[place].lastHeard > silence {
                members[place].child.kill()
                members[place].lastWords = "no end after \(silence)"
            }
        }
    }

    private mutating func hear(_ place: Int, _ stride: UInt64) {
        guard let lines = members[place].child.read() else { return bury(place, stride) }
        members[place].lastHeard = clock.now
        for line in lines {
            switch Report(line) {
            case .begun(let seed):
                members[place].seed = seed
                members[place].isAtSeed = true
            case .sound(_, let one):
                members[place].isAtSeed = false
                summary.add(one)
            case .failed(let seed, let check, let text):
                members[place].isAtSeed = false
                failures.append(Failure(seed: seed, check: check, text: text))
            case nil: members[place].lastWords = line
            }
        }
    }

    private mutating func bury(_ place: Int, _ stride: UInt64) {
        let member = members.remove(at: place)
        let signal = member.child.finish()
        guard member.isAtSeed else { return }
        let check = signal == SIGKILL ? "hang" : "trap"
        let reason = signal.map { "signal \($0)" } ?? "an exit"
        let words = member.lastWords.isEmpty ? reason : "\(reason), \(member.lastWords)"
        failures.append(Failure(seed: member.seed, check: check, text: words))
        if member.seed + stride < end, !options.stopsAtFailure { hire(member.seed + stride, stride) }
    }
}
