import Simulation
import Wire

/// What many runs came to.
struct Summary {
    private(set) var seeds = 0
    private var events = 0
    private var commits = 0
    private var aborts = 0
    private var undone = 0
    private var epochs = 0
    private var duration: UInt64 = 0
    private var reasons: [String: Int] = [:]
    /// By kind of message, as its raw number.
    private var frames: [Int: Int] = [:]

    init() {}

    init(_ verdict: Verdict) {
        seeds = 1
        events = verdict.events
        commits = verdict.commits
        aborts = verdict.aborts
        undone = verdict.undone
        epochs = verdict.epochs - 1
        duration = verdict.duration
        reasons = verdict.reasons
        for (kind, count) in verdict.framesOfKind.enumerated() where count > 0 { frames[kind] = count }
    }

    /// From the two words of a report.
    init?(_ figures: String, _ table: String) {
        let numbers = figures.split(separator: ",").compactMap { Int($0) }
        guard numbers.count == 7 else { return nil }
        (seeds, events, commits, aborts) = (numbers[0], numbers[1], numbers[2], numbers[3])
        (undone, epochs, duration) = (numbers[4], numbers[5], UInt64(numbers[6]))
        for entry in table.split(separator: ";") {
            let parts = entry.split(separator: "=")
            guard parts.count == 2, let count = Int(parts[1]) else { return nil }
            if let kind = Int(parts[0]) { frames[kind] = count } else { reasons[String(parts[0])] = count }
        }
    }

    var figures: String { "\(seeds),\(events),\(commits),\(aborts),\(undone),\(epochs),\(duration)" }

    /// Entries `kind=count` and `reason=count`.
    var table: String {
        (frames.map { "\($0)=\($1)" } + reasons.map { "\($0)=\($1)" }).joined(separator: ";")
    }

    mutating func add(_ other: Summary) {
        seeds += other.seeds
        events += other.events
        commits += other.commits
        aborts += other.aborts
        undone += other.undone
        epochs += other.epochs
        duration += other.duration
        reasons.merge(other.reasons, uniquingKeysWith: +)
        frames.merge(other.frames, uniquingKeysWith: +)
    }

    func line(failed: Int, in time: Duration) -> String {
        let seconds = max(0.001, time / .seconds(1))
        let rate = Int(Double(seeds + failed) / seconds * 10)
        return "\(seeds + failed) seeds, \(failed) failed, \(rate / 10).\(rate % 10) seeds/s, "
            + "events \(events) (\(Int(Double(events) / seconds))/s), commits \(commits), aborts \(aborts), "
            + "undone \(undone), epochs \(epochs), \(duration / 1_000_000_000) s of cluster time"
    }

    /// Frames of each kind for each surviving commit.
    func printFrames() {
        for (reason, count) in reasons.sorted(by: { $0.key < $1.key }) {
            print("  epochs because of \(reason): \(count)")
        }
        for kind in FrameHeader.Kind.allCases {
            let count = frames[Int(kind.rawValue), default: 0]
            print("  \(kind): \(count), for each commit \(Double(count) / Double(max(1, commits)))")
        }
    }
}
