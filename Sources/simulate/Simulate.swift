import Simulation
import Wire

/// `simulate SEED` replays one seed, with `--trace` frame by frame, with `--history` into a file for `plurix check`;
/// `simulate` runs a batch of fresh seeds.
@main
struct Simulate {
    private var seed: UInt64?
    private var first = UInt64.random(in: 1...999_999_000)
    private var count = 500
    private var nodes: Int?
    private var trouble = Trouble.all
    private var isTraced = false
    private var showsFrames = false
    private var history: String?

    static func main() {
        var command = Simulate()
        command.parse(CommandLine.arguments.dropFirst())
        if let seed = command.seed { command.replay(seed) } else { command.runBatch() }
    }

    private static let usage = """
        usage: simulate [SEED] [--count N] [--first SEED] [--nodes 1...8] [--trouble BITS] [--trace] [--frames]
                        [--history FILE]
        """

    private mutating func parse(_ words: ArraySlice<String>) {
        var words = words
        func number(_ word: String?, after option: String) -> UInt64 {
            guard let word, let value = UInt64(word) else { Self.stop("\(option) takes a number, not '\(word ?? "")'") }
            return value
        }
        while let word = words.popFirst() {
            switch word {
            case "--count": count = Int(clamping: number(words.popFirst(), after: word))
            case "--first": first = number(words.popFirst(), after: word)
            case "--trouble": trouble = Trouble(rawValue: UInt32(clamping: number(words.popFirst(), after: word)))
            case "--nodes":
                let value = number(words.popFirst(), after: word)
                guard 1...8 ~= value else { Self.stop("a simulation has 1 to 8 nodes, not \(value)") }
                nodes = Int(value)
            case "--trace": isTraced = true
            case "--frames": showsFrames = true
            case "--history":
                guard let path = words.popFirst() else { Self.stop("--history takes a file") }
                history = path
            default:
                guard let value = UInt64(word) else { Self.stop("'\(word)' is no seed: a seed is a number") }
                seed = value
            }
        }
    }

    /// Exit code 65: the input was wrong.
    private static func stop(_ text: String) -> Never {
        print("simulate: \(text)\n\(usage)")
        exit(with: 65)
    }

    private func replay(_ seed: UInt64) {
        if let history { return tell(seed, history) }
        let verdict = Simulation.run(seed: seed, trouble: trouble, nodes: nodes, log: isTraced ? { print($0) } : nil)
        print(verdict.description)
        if !verdict.isSound { Self.exit(with: 1) }
    }

    /// Replays a seed and writes its history, for plurix check.
    private func tell(_ seed: UInt64, _ path: String) {
        let (verdict, file) = Simulation.history(seed: seed, trouble: trouble, nodes: nodes)
        guard Self.write(file, to: path) else { Self.stop("\(path) cannot be written") }
        print(verdict.description)
        if !verdict.isSound { Self.exit(with: 1) }
    }

    private func runBatch() {
        let clock = ContinuousClock()
        let begin = clock.now
        var summary = Summary()
        for seed in first ..< first + UInt64(count) {
            let verdict = Simulation.run(seed: seed, trouble: trouble, nodes: nodes)
            summary.add(verdict)
            if !verdict.isSound { print(verdict.description) }
            if summary.seeds % 100 == 0 { print(summary.line(clock.now - begin)) }
        }
        if showsFrames { summary.printFrames() }
        print("seeds \(first)...\(first + UInt64(count) - 1): " + summary.line(clock.now - begin))
        if summary.failed > 0 { Self.exit(with: 1) }
    }
}

/// What many runs came to.
struct Summary {
    private(set) var seeds = 0
    private(set) var failed = 0
    private var events = 0
    private var commits = 0
    private var aborts = 0
    private var undone = 0
    private var epochs = 0
    private var reasons: [String: Int] = [:]
    private var frames = [Int](repeating: 0, count: 256)

    mutating func add(_ verdict: Verdict) {
        seeds += 1
        failed += verdict.isSound ? 0 : 1
        events += verdict.events
        commits += verdict.commits
        aborts += verdict.aborts
        undone += verdict.undone
        epochs += verdict.epochs - 1
        reasons.merge(verdict.reasons, uniquingKeysWith: +)
        for kind in frames.indices { frames[kind] += verdict.framesOfKind[kind] }
    }

    func line(_ duration: Duration) -> String {
        let seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
        let rate = Int(Double(seeds) / seconds * 10)
        return "\(seeds) seeds, \(failed) failed, \(rate / 10).\(rate % 10) seeds/s, "
            + "events \(events) (\(Int(Double(events) / seconds))/s), commits \(commits), aborts \(aborts), "
            + "undone \(undone), epochs \(epochs)"
    }

    /// Frames of each kind for each surviving commit.
    func printFrames() {
        for (reason, count) in reasons.sorted(by: { $0.key < $1.key }) {
            print("  epochs because of \(reason): \(count)")
        }
        for kind in FrameHeader.Kind.allCases {
            let each = Double(frames[Int(kind.rawValue)]) / Double(max(1, commits))
            print("  \(kind): \(frames[Int(kind.rawValue)]), for each commit \(each)")
        }
    }
}
