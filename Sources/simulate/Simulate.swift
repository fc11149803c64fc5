import Simulation
import Wire

/// `simulate SEED` replays one seed; `simulate` runs fresh seeds and counts.
@main
struct Simulate {
    static func main() {
        var seed: UInt64?
        var count = 200
        var first: UInt64 = 1
        var trouble = Trouble.all
        var nodes: Int?
        var isTraced = false
        var arguments = CommandLine.arguments.dropFirst()
        while let argument = arguments.popFirst() {
            switch argument {
            case "--count": count = Int(arguments.popFirst() ?? "") ?? count
            case "--first": first = UInt64(arguments.popFirst() ?? "") ?? first
            case "--trouble": trouble = Trouble(rawValue: UInt32(arguments.popFirst() ?? "") ?? 1023)
            case "--nodes": nodes = Int(arguments.popFirst() ?? "")
            case "--trace": isTraced = true
            default: seed = UInt64(argument)
            }
        }
        if let seed {
            let verdict = Simulation.run(seed: seed, trouble: trouble, nodes: nodes, log: isTraced ? { print($0) } : nil)
            print(verdict.description)
            return
        }
        let clock = ContinuousClock()
        let begin = clock.now
        var events = 0, commits = 0, failed = 0, aborts = 0, epochs = 0, undone = 0, frames = 0
        var kinds = [Int](repeating: 0, count: 256)
        for seed in first ..< first + UInt64(count) {
            let verdict = Simulation.run(seed: seed, trouble: trouble, nodes: nodes)
            events += verdict.events
            commits += verdict.commits
            aborts += verdict.aborts
            epochs += verdict.epochs - 1
            undone += verdict.undone
            frames += verdict.framesSent
            for kind in kinds.indices { kinds[kind] += verdict.framesOfKind[kind] }
            if !verdict.isSound {
                failed += 1
                if failed <= 12 { print(verdict.description) }
            }
        }
        let seconds = Double((clock.now - begin).components.attoseconds) / 1e18 + Double((clock.now - begin).components.seconds)
        if isTraced {
            for kind in FrameHeader.Kind.allCases {
                let each = Double(kinds[Int(kind.rawValue)]) / Double(max(1, commits))
                print("  \(kind): \(kinds[Int(kind.rawValue)]), a commit \(each)")
            }
        }
        print("\(count) seeds, \(failed) failed, events \(events) (\(Int(Double(events) / seconds))/s), commits \(commits), "
            + "aborts \(aborts), undone \(undone), epochs \(epochs), frames \(frames), \(seconds) s")
    }
}
