import Foundation
import Glibc

/// `killstore` kills processes that write a store, at random moments, with SIGKILL, and looks each time whether what
/// they had acknowledged is there: really, in a directory, and not in a simulated disk.
@main
enum KillStore {
    static let usage = "usage: killstore [--kills N] [--from SEED]"

    static func main() {
        var words = CommandLine.arguments.dropFirst()
        if words.first == "write" {
            words.removeFirst()
            guard words.count == 2, let path = words.first, let seed = words.last.flatMap(UInt64.init) else { stop() }
            Writer(path, seed: seed).run()
        }
        var kills = 500
        var first = UInt64.random(in: 1...999_999_000)
        while let word = words.popFirst() {
            guard let value = words.popFirst().flatMap(UInt64.init) else { stop() }
            switch word {
            case "--kills": kills = Int(clamping: value)
            case "--from": first = value
            default: stop()
            }
        }
        run(kills, from: first)
    }

    private static func run(_ kills: Int, from first: UInt64) {
        var run = KillRun(first: first)
        do {
            try run.run(kills)
        } catch {
            print("killstore: \(error)\n  the store is left in \(run.path)")
            exit(1)
        }
        print("killstore --kills \(kills) --from \(first): \(run.tally)")
        run.tidyUp()
    }

    private static func stop() -> Never {
        print(usage)
        exit(65)
    }
}
