import Simulation

/// Looks for the least that still fails alike: the earliest calm, the fewest kinds of faults, the fewest entries of the
/// fault script. Each try is a process of its own, as the failure may be a trap.
struct Shrink {
    private let options: Options
    private let seed: UInt64
    private let check: String
    private(set) var restriction = Restriction()
    private(set) var tries = 0
    private static let mostTries = 250

    init(_ failure: Crew.Failure, _ options: Options) {
        self.options = options
        seed = failure.seed
        check = failure.check
    }

    mutating func run() {
        shorten()
        dropKinds()
        dropFaults()
        shorten()
    }

    /// Faults stop as early as possible: a binary search, because mostly what fails early fails late too.
    private mutating func shorten() {
        var least = 0
        var most = restriction.calmAfter ?? events
        while least < most {
            let middle = (least + most) / 2
            var attempt = restriction
            attempt.calmAfter = middle
            if fails(attempt) {
                restriction = attempt
                most = middle
            } else {
                least = middle + 1
            }
        }
    }

    private mutating func dropKinds() {
        for (_, kind) in Trouble.names {
            var attempt = restriction
            attempt.without.insert(kind)
            if fails(attempt) { restriction = attempt }
        }
    }

    /// Leaves out ever smaller runs of the script.
    private mutating func dropFaults() {
        var kept = Array(0..<Simulation.scriptLength(seed: seed, trouble: options.trouble, nodes: options.nodes))
        var size = max(1, kept.count / 2)
        while size >= 1 {
            var start = 0
            while start < kept.count {
                var attempt = restriction
                attempt.faults = kept
                attempt.faults?.removeSubrange(start..<min(start + size, kept.count))
                if fails(attempt) {
                    restriction = attempt
                    kept = attempt.faults ?? kept
                } else {
                    start += size
                }
            }
            size /= 2
        }
    }

    /// Frames of the run as it was; many when it traps and cannot tell.
    private var events: Int { 100_000 }

    private mutating func fails(_ attempt: Restriction) -> Bool {
        guard tries < Self.mostTries else { return false }
        tries += 1
        return Self.outcome(options.words(seed, attempt) + ["--stride", "1"])?.check == check
    }

    /// Runs one seed in a process of its own; its failure.
    static func outcome(_ words: [String]) -> Crew.Failure? {
        guard var child = Child(words) else { Simulate.stop("no process could be started", code: 71) }
        var failure: Crew.Failure?
        var seed: UInt64 = 0
        var isAtSeed = false
        var lastWords = ""
        while let lines = child.read() {
            for line in lines {
                switch Report(line) {
                case .begun(let begun): (seed, isAtSeed) = (begun, true)
                case .sound: isAtSeed = false
                case .failed(let seed, let check, let text):
                    isAtSeed = false
                    failure = Crew.Failure(seed: seed, check: check, text: text)
                case nil: lastWords = line
                }
            }
        }
        let signal = child.finish()
        guard isAtSeed else { return failure }
        return Crew.Failure(seed: seed, check: "trap", text: "signal \(signal ?? 0) \(lastWords)")
    }
}
