import Testing
import Wire

@testable import Simulation
@testable import Store

/// A store whose users are killed, and whose power fails, over and over.
@Suite struct LivesTests {
    /// Kills leave what was submitted, power cuts any part of what was not flushed; nothing else is ever lost.
    @Test func manyLivesLoseNothing() throws {
        var lives = 0
        for seed in 1...60 as ClosedRange<UInt64> {
            var random = Generator(seed)
            var workload = Workload(Sample.tiny, seed: seed)
            var store = try Sample.store(on: SimulatedDisk())
            for _ in 0..<40 {
                for _ in 0..<random.below(40) { try workload.step(&store) }
                let moment = store.disk.now
                var disk = store.disk
                if random.chance(500) {
                    disk = SimulatedDisk(after: moment, order: Array(moment.pending.indices)) { _ in
                        [.lost, .whole, .pieces(random.next(), unit: 64)][random.below(3)]
                    }
                }
                store = try Store.open(disk, cluster: Sample.cluster)
                let found = try store.picture()
                let allowed = workload.pictures[workload.durable...]
                try #require(allowed.contains(found), "seed \(seed)")
                workload.restart(from: found)
                lives += 1
            }
            while try store.clean(budget: 4096) {}
            try #require(try store.verify().isSound)
            // What is not needed goes in time, however often the store was interrupted.
            for round in 0..<40 as Range<UInt64> {
                let time = GlobalTime(epoch: 1000, counter: 10_000_000 + round)
                try store.put(0, time, Sample.page(1))
                try store.commitCheckpoint(Checkpoint(time: time, created: 0, isKept: false))
                while try store.clean(budget: 4096) {}
            }
            let count = store.disk.files().count
            #expect(count < 16, "seed \(seed)")
        }
        #expect(lives == 2400)
    }

    /// What a killed writer had only submitted is flushed before anything is built on it: a power cut after the restart
    /// takes nothing of it.
    @Test func aRestartMakesDurableWhatItFinds() throws {
        var store = try Sample.store(on: SimulatedDisk())
        try store.put(1, Sample.time(1), Sample.page(1))
        try store.endCheckpoint(Checkpoint(time: Sample.time(1), created: 0, isKept: false))
        try store.submit()
        let again = try Store.open(store.disk)
        let moment = again.disk.now
        #expect(moment.pending.isEmpty)
        var last = try Store.open(SimulatedDisk(after: moment, order: []) { _ in .lost })
        #expect(try last.content(of: 1).1 == Sample.page(1))
    }

    @Test func whatWasNotSubmittedIsGoneWithItsProcess() throws {
        var store = try Sample.store(on: SimulatedDisk())
        try store.set([(1, [1])])
        let isFlushed = store.isFlushed
        #expect(!isFlushed)
        #expect(try Store.open(store.disk).register(1) == [])
        try store.submit()
        #expect(try Store.open(store.disk).register(1) == [1])
    }

    /// The beginnings of a process that was killed in the middle are no store, and do not hinder one.
    @Test func interruptedCreationIsNoStore() throws {
        var disk = SimulatedDisk()
        disk.isRemembering = true
        let store = try Sample.store(on: disk)
        for moment in store.disk.moments {
            let cut = SimulatedDisk(after: moment, order: Array(moment.pending.indices)) { _ in .whole }
            do throws(StoreError) {
                let found = try Store.open(cut)
                let identity = found.identity
                #expect(identity == Sample.identity)
            } catch {
                #expect(error == .noStore)
                _ = try Sample.store(on: cut)
            }
        }
    }
}
