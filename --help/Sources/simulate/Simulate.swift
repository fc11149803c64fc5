import Simulation

/// `simulate SEED` replays one seed, with `--trace` frame by frame, with `--history` into a file for `plurix check`;
/// `simulate` runs a batch of fresh seeds on all processors.
@main
struct Simulate {
    private let options: Options

    static func main() {
        let options: Options
        do throws(OptionError) { options = try Options(CommandLine.arguments.dropFirst()) } catch { stop(error.text) }
        let command = Simulate(options: options)
        if options.stride != nil {
            command.work()
        } else if let seed = options.seed {
            command.replay(seed)
        } else {
            command.runBatch()
        }
    }

    /// The input was wrong (65), or the system is out of something.
    static func stop(_ text: String, code: Int32 = 65) -> Never {
        print("simulate: \(text)\n\(Options.usage)")
        exit(with: code)
    }

    /// One process of a batch, or one try.
    private func work() {
        let stride = options.stride ?? 1
        let seeds = options.seed.map { [$0] } ?? []
        if seeds.isEmpty {
            for number in 0..<UInt64(options.count) { work(at: options.first + number * stride) }
        } else {
            for seed in seeds { work(at: seed) }
        }
    }

    private func work(at seed: UInt64) {
        Self.say(Report.begun(seed).line)
        let verdict = Simulation.run(seed: seed, trouble: options.trouble, nodes: options.nodes,
                                     restriction: options.restriction)
        Self.say(Report(verdict).line)
    }

    private func replay(_ seed: UInt64) {
        if let history = options.history { return tell(seed, history) }
        if options.isTraced {
            let verdict = Simulation.run(seed: seed, trouble: options.trouble, nodes: options.nodes,
                                         restriction: options.restriction) { Self.say($0) }
            return finish(verdict)
        }
        if let failure = Child.outcome(of: options.words(seed, options.restriction)) {
            explain(failure)
            Self.exit(with: 1)
        }
        finish(Simulation.run(seed: seed, trouble: options.trouble, nodes: options.nodes,
                              restriction: options.restriction))
    }

    private func finish(_ verdict: Verdict) {
        print(verdict.description)
        if !verdict.isSound { Self.exit(with: 1) }
    }

    /// Replays a seed and writes its history, for plurix check.
    private func tell(_ seed: UInt64, _ path: String) {
        let (verdict, file) = Simulation.history(seed: seed, trouble: options.trouble, nodes: options.nodes)
        guard Self.write(file, to: path) else { Self.stop("\(path) cannot be written") }
        finish(verdict)
    }

    private func runBatch() {
        var crew = Crew(options)
        let time = crew.run { summary, failed, time in Self.say(summary.line(failed: failed, in: time)) }
        if options.showsFrames { crew.summary.printFrames() }
        for failure in crew.failures.prefix(Self.explained) {
            if options.stopsAtFailure { tell(failure) } else { explain(failure) }
        }
        if crew.failures.count > Self.explained {
            print("more failures: " + crew.failures.dropFirst(Self.explained).map { "\($0.seed) (\($0.check))" }
                .joined(separator: ", "))
        }
        let amount = options.seconds == nil ? "--seeds \(options.count) " : ""
        print("simulate \(amount)--from \(options.first): "
            + crew.summary.line(failed: crew.failures.count, in: time))
        if !crew.failures.isEmpty { Self.exit(with: 1) }
    }

    /// Failures that are shrunk and shown at length.
    private static let explained = 5
    private static let shownEvents = 40

    private func tell(_ failure: Crew.Failure) {
        print("seed \(failure.seed) FAILED \(failure.check): \(failure.text)")
    }

    /// Shows the failure with the shortest prefix that still fails, its last events, and how to see it all.
    private func explain(_ failure: Crew.Failure) {
        tell(failure)
        let restriction = shrink(failure)
        let words = options.words(failure.seed, restriction)
        var last: [String] = []
        var count = 0
        if var child = Child(words + ["--trace"]) {
            let time = Countdown(Self.searchTime)
            while !time.isOver, child.speaks(within: time.left), let lines = child.read() {
                count += lines.count
                last = (last + lines).suffix(Self.shownEvents)
            }
            child.kill()
            _ = child.finish()
        }
        print("  \(count) events, the last of them:")
        for line in last { print("    \(line)") }
        print("  replay: \(CommandLine.arguments[0]) \(words.joined(separator: " ")) --trace")
    }

    /// Of what hangs, each try would take as long as that.
    private func shrink(_ failure: Crew.Failure) -> Restriction {
        guard failure.check != "hang" else { return options.restriction }
        let length = Simulation.scriptLength(seed: failure.seed, trouble: options.trouble, nodes: options.nodes)
        let time = Countdown(Self.searchTime)
        var shrink = Shrink(scriptLength: length, isOver: { time.isOver }, stillFails: { attempt in
            Child.outcome(of: options.words(failure.seed, attempt), longestSilence: time.left)?.check == failure.check
        })
        shrink.run()
        print("  shortest prefix that still fails, of \(shrink.tries) tried"
            + (time.isOver ? ", then there was no more time" : ""))
        return shrink.restriction
    }

    /// For the search for the least, and again for the way to its end.
    private static let searchTime = Duration.seconds(30)
}

/// A time that runs out.
private struct Countdown {
    private let end: ContinuousClock.Instant
    init(_ time: Duration) { end = ContinuousClock().now + time }
    var left: Duration { max(.zero, end - ContinuousClock().now) }
    var isOver: Bool { left == .zero }
}
