import Foundation
import Glibc
import PageServer
import Simulation
import Store
import Wire

/// Writers that are killed one after the other, each going on with what the one before it has left.
struct KillRun {
    private let first: UInt64
    let path: String
    private(set) var tally = Tally()
    private var random: Generator
    /// What the store said when it was looked at last.
    private var picture = StorePicture()
    /// How long writers need until the store is open, microseconds: the last one, and a guess at first.
    private var openMicroseconds: UInt64 = 5000

    /// After so many kills a new store is begun.
    private static let killsOfStore = 50
    private static let geometry = Geometry(pageCount: 64, segmentBytes: 256 << 10, reserveBytes: 64 << 10)
    private static let weights: [(StoreWorkload.Kind, Int)] = [
        (.set, 4), (.put, 20), (.end, 4), (.endKept, 2), (.abandon, 1), (.submit, 2), (.flush, 2), (.settle, 2),
        (.forget, 2), (.expire, 1), (.retain, 1), (.clean, 12),
    ]

    init(first: UInt64) {
        self.first = first
        random = Generator(first)
        path = "/tmp/plurix-killstore-\(getpid())"
    }

    /// What a writer of this seed does when it finds this.
    static func workload(_ seed: UInt64, from picture: StorePicture) -> StoreWorkload {
        var workload = StoreWorkload(geometry, seed: seed, weights, cleaned: 64 << 10)
        workload.restart(from: picture)
        return workload
    }

    mutating func run(_ kills: Int) throws {
        // A few kills may by chance not meet something: then there are some more.
        var number = 0
        while number < kills || kills >= 20 && !hasMetAll && number < 5 * kills {
            if number % Self.killsOfStore == 0 { try beginStore() }
            try killOne(seed: first &+ UInt64(number))
            number += 1
        }
        guard kills < 20 || hasMetAll else {
            throw KillError("kills were to meet writers at all they do: \(tally)")
        }
    }

    private var hasMetAll: Bool { Moment.allCases.allSatisfy { tally.kills[$0, default: 0] > 0 } }

    private mutating func beginStore() throws {
        tidyUp()
        var store = try Store.create(
            on: try StoreDirectory(path, for: .creating), cluster: 7, identity: random.next(),
            key: SipHash.Key(low: random.next(), high: random.next()), Self.geometry)
        picture = try store.picture()
    }

    func tidyUp() {
        // Nothing is there the first time.
        try? FileManager.default.removeItem(atPath: path)
    }

    private mutating func killOne(seed: UInt64) throws {
        let victim = try Victim(path, seed: seed)
        try victim.listen(until: 1)
        if random.chance(300) {
            usleep(UInt32(random.below(Int(2 * openMicroseconds))))
        } else {
            let clock = ContinuousClock()
            let time = try clock.measure { try victim.listen(until: 2) }
            openMicroseconds = max(1000, UInt64(time / .microseconds(1)))
            try victim.listen(until: 3 + random.below(400))
            usleep(UInt32(random.below(400)))
        }
        try victim.kill()
        try judge(victim.words, seed)
    }

    /// The store is sound, and says what it said after one of the steps since the last that was acknowledged.
    private mutating func judge(_ words: [Word], _ seed: UInt64) throws {
        var allowed = [picture]
        var workload = Self.workload(seed, from: picture)
        var moment = Moment.recovering
        var unanswered = 0
        for word in words {
            switch word {
            case .opening: break
            case .opened: moment = .flushing
            case .begun(let begun):
                moment = begun
                _ = workload.next()
                workload.trim()
                unanswered += 1
                if allowed.last != workload.model.picture { allowed.append(workload.model.picture) }
            case .acknowledged:
                allowed = [workload.model.picture]
                unanswered = 0
            }
        }
        let examined = try StoreExamination(of: path)
        guard examined.sound else { throw KillError("seed \(seed), \(moment): \(examined.findings)") }
        var store = try Store.examine(try StoreDirectory(path, for: .reading))
        let found = try store.picture()
        guard let place = allowed.lastIndex(of: found) else {
            throw KillError("seed \(seed), \(moment): the store says nothing that was said since the last"
                + " acknowledged step: \(examined.checkpoints.map(\.counter)), expected one of \(allowed.count)"
                + " ending with \(allowed.last?.states.map(\.checkpoint.time.counter) ?? [])")
        }
        tally.add(moment, steps: words.count, isNewest: place == allowed.count - 1, unanswered: unanswered)
        tally.interrupted += examined.findings.isEmpty ? 0 : 1
        picture = found
    }
}

/// What many kills came to.
struct Tally: CustomStringConvertible {
    private(set) var kills: [Moment: Int] = [:]
    private var steps = 0
    private var newest = 0
    private var unanswered = 0
    var interrupted = 0

    mutating func add(_ moment: Moment, steps: Int, isNewest: Bool, unanswered: Int) {
        kills[moment, default: 0] += 1
        self.steps += steps
        newest += isNewest ? 1 : 0
        self.unanswered += unanswered > 0 ? 1 : 0
    }

    var description: String {
        let all = kills.values.reduce(0, +)
        let moments = Moment.allCases.map { "\(kills[$0, default: 0]) \($0)" }.joined(separator: ", ")
        return "\(all) kills (\(moments)) in \(steps) steps; \(unanswered) had unacknowledged steps, "
            + "\(interrupted) left something unfinished; each store sound, \(newest) with all that was begun, "
            + "\(all - newest) with all that was acknowledged"
    }
}
