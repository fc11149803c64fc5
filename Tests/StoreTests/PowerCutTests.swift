import Foundation
import Testing
import Wire

@testable import Simulation
@testable import Store

/// Power fails at every operation of the disk, and of what was not flushed then anything may have reached it.
@Suite struct PowerCutTests {
    /// What a store may say after a power cut at one moment: the pictures from the last durable one to the last begun.
    private struct Cut {
        var moment: SimulatedDisk.Moment
        var allowed: ClosedRange<Int>
    }

    private struct Tally {
        var states = 0
        var exhaustive = 0
        var cuts = 0
        /// Of the states, how many showed the newest picture that was possible, and how many an older one.
        var newest = 0
        var older = 0
        var continued = 0
    }

    /// Runs a workload, and gives every moment with what it may show.
    private func cuts(
        seed: UInt64, steps: Int, _ geometry: Geometry, longestWrite: Int
    ) throws -> ([Cut], [StorePicture]) {
        var disk = SimulatedDisk()
        disk.isRemembering = true
        disk.longestWrite = longestWrite
        var store = try Sample.store(on: disk, geometry)
        let created = store.disk.moments.count
        var workload = StoreWorkload(geometry, seed: seed)
        var cuts: [Cut] = []
        for _ in 0..<steps {
            let before = max(created, store.disk.moments.count)
            let durable = workload.durable
            try workload.step(&store)
            let after = store.disk.moments.count
            for place in before..<after {
                let low = place == after - 1 ? workload.durable : durable
                cuts.append(Cut(
                    moment: store.disk.moments[place], allowed: low...(workload.pictures.count - 1)))
            }
        }
        return (cuts, workload.pictures)
    }

    /// Every combination of fates, when there are few enough of them; else so many drawn ones.
    private func fates(_ pending: [SimulatedDisk.Change], limit: Int, _ random: inout Generator)
        -> (fates: [[SimulatedDisk.Fate]], isAll: Bool) {
        let choices: [[SimulatedDisk.Fate]] = pending.map { change in
            guard case .write(_, _, let bytes) = change else { return [.lost, .whole] }
            let unit = max(8, (bytes.count / 4 + 7) & ~7)
            return [.lost, .whole] + (1..<15).map { .pieces($0, unit: unit) }
        }
        var count = 1
        for choice in choices where count <= limit { count *= choice.count }
        if count <= limit {
            var all: [[SimulatedDisk.Fate]] = [[]]
            for choice in choices { all = all.flatMap { head in choice.map { head + [$0] } } }
            return (all, true)
        }
        return (
            (0..<limit).map { _ in
                pending.map { change in
                    guard case .write = change else { return random.chance(500) ? .lost : .whole }
                    switch random.below(4) {
                    case 0: return .lost
                    case 1, 2: return .whole
                    default: return .pieces(random.next(), unit: [1, 8, 64, 512][random.below(4)])
                    }
                }
            }, false
        )
    }

    private func check(
        seed: UInt64, steps: Int, limit: Int, _ geometry: Geometry, longestWrite: Int, _ tally: inout Tally
    ) throws {
        let (cuts, pictures) = try cuts(seed: seed, steps: steps, geometry, longestWrite: longestWrite)
        var random = Generator(seed ^ 0xC07)
        for (number, cut) in cuts.enumerated() {
            tally.cuts += 1
            let (all, isAll) = fates(cut.moment.pending, limit: limit, &random)
            for fates in all {
                var order = Array(fates.indices)
                for place in order.indices.dropFirst() { order.swapAt(place, random.below(place + 1)) }
                let disk = SimulatedDisk(after: cut.moment, order: order) { fates[$0] }
                tally.states += 1
                if isAll { tally.exhaustive += 1 }
                var phase = "open"
                do {
                    var store = try Store.open(disk, cluster: Sample.cluster)
                    phase = "read"
                    let found = try store.picture()
                    phase = "go on"
                    guard let place = cut.allowed.last(where: { pictures[$0] == found }) else {
                        Issue.record("seed \(seed), cut \(number): neither the last state nor the next")
                        return
                    }
                    if place == cut.allowed.upperBound { tally.newest += 1 } else { tally.older += 1 }
                    if random.chance(50) {
                        try goesOn(&store, from: found, seed: random.next())
                        tally.continued += 1
                    }
                } catch {
                    Issue.record("seed \(seed), cut \(number), \(phase): \(error)")
                    return
                }
            }
        }
    }

    /// A store that was opened after a power cut works on, is sound, and survives the next one.
    private func goesOn(_ store: inout Store<SimulatedDisk>, from picture: StorePicture, seed: UInt64) throws {
        var workload = StoreWorkload(store.geometry, seed: seed)
        workload.restart(from: picture)
        var last = picture.states.last?.checkpoint.time ?? .zero
        for page in 0..<UInt32(4) {
            last = GlobalTime(epoch: last.epoch + 1, counter: last.counter + 1)
            let bytes = Sample.page(UInt8(page), store.geometry)
            workload.model.put(page, last, bytes)
            try store.put(page, last, bytes)
            let checkpoint = Checkpoint(time: last, created: 0, isKept: page % 2 == 0)
            workload.model.end(checkpoint)
            try store.commitCheckpoint(checkpoint)
            _ = try store.clean(budget: 1 << 20)
        }
        while try store.clean(budget: 1 << 20) {}
        try #require(try store.picture() == workload.model.picture)
        try #require(try store.verify().isSound)
        let moment = store.disk.now
        var other = try Store.open(SimulatedDisk(after: moment, order: []) { _ in .lost }, cluster: Sample.cluster)
        try #require(try other.picture() == workload.model.picture)
    }

    @Test func theLastStateOrTheNextIsThere() throws {
        let isAll = ProcessInfo.processInfo.environment["PLURIX_TEST_ALL"] != nil
        var tally = Tally()
        var seed: UInt64 = 1
        while tally.states < (isAll ? 2_000_000 : 100_000) {
            try check(
                seed: seed, steps: 160, limit: 64, Sample.tiny, longestWrite: seed % 3 == 0 ? 200 : .max, &tally)
            seed += 1
        }
        print(
            "power cuts: \(tally.states) states at \(tally.cuts) moments of \(seed - 1) runs,",
            "\(tally.exhaustive) of them in complete enumerations;",
            "\(tally.newest) newest, \(tally.older) older states, \(tally.continued) continued and cut again")
        #expect(tally.newest > 0 && tally.older > 0 && tally.continued > 0)
    }
}
