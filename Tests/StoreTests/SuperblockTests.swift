import Testing
import Wire

@testable import Simulation
@testable import Store

/// Two superblocks, of which one may be lost at any time; and the reserve, of which a part is none.
@Suite struct SuperblockTests {
    private static func slot(_ store: borrowing Store<SimulatedDisk>) -> Int { Int(store.superblock.generation % 2) }

    /// Whatever was cleaned: with either superblock gone, everything that the store says is still there.
    @Test(arguments: [StoreWorkload.everything, StoreWorkload.cleaning])
    func oneSuperblockIsEnough(weights: [(StoreWorkload.Kind, Int)]) throws {
        var deletions = 0
        var cuts = 0
        for seed in 1...40 as ClosedRange<UInt64> {
            var store = try Sample.store(on: SimulatedDisk())
            var workload = StoreWorkload(Sample.tiny, seed: seed, weights)
            for _ in 0..<400 {
                let before = store.disk.files().count
                try workload.step(&store)
                guard store.disk.files().count < before else { continue }
                deletions += 1
                // A killed process leaves what was submitted; both blocks are then looked for.
                try store.submit()
                let picture = try store.picture()
                for isNewer in [true, false] {
                    var disk = store.disk
                    let slot = isNewer ? Self.slot(store) : 1 - Self.slot(store)
                    disk[.superblock(slot)][77] ^= 16
                    var found = try Store.open(disk)
                    try #require(try found.picture() == picture, "seed \(seed)")
                    let findings = found.findings
                    #expect(findings.contains(.superblock(slot)))
                    try #require(try found.verify().isSound)
                    cuts += 1
                }
            }
        }
        #expect(deletions > 50 && cuts == 2 * deletions)
    }

    /// Power fails after a deletion, and takes the newer superblock with it.
    @Test func oneSuperblockIsEnoughAfterAPowerCut() throws {
        var cuts = 0
        for seed in 1...20 as ClosedRange<UInt64> {
            var disk = SimulatedDisk()
            disk.isRemembering = true
            var store = try Sample.store(on: disk)
            var workload = StoreWorkload(Sample.tiny, seed: seed, StoreWorkload.cleaning)
            for _ in 0..<300 {
                let durable = workload.durable
                let begun = store.disk.moments.count
                try workload.step(&store)
                for moment in store.disk.moments[begun...] where moment.pending.contains(where: \.isRemoval) {
                    var cut = SimulatedDisk(after: moment, order: Array(moment.pending.indices)) {
                        moment.pending[$0].isRemoval ? .whole : .lost
                    }
                    let blocks = try (0..<2).compactMap { slot in
                        try Superblock.parse(cut[.superblock(slot)], slot: slot).map { (slot, $0.generation) }
                    }
                    let newest = try #require(blocks.max { $0.1 < $1.1 })
                    cut[.superblock(newest.0)][77] ^= 16
                    var found = try Store.open(cut)
                    let picture = try found.picture()
                    try #require(workload.pictures[durable...].contains(picture), "seed \(seed)")
                    cuts += 1
                }
            }
        }
        #expect(cuts > 150)
    }

    /// What was interrupted in being made is no reserve; cleaning makes it whole.
    @Test(arguments: [0, 1, 4095]) func aShortReserveIsNone(bytes: Int) throws {
        let geometry = Geometry(pageBytes: 64, pageCount: 8, segmentBytes: 4096, reserveBytes: 4096)
        var disk = try Sample.store(on: SimulatedDisk(), geometry).disk
        #expect(disk[.reserve].count == 4096)
        #expect(try Store.open(disk).hasReserve)
        disk[.reserve].removeLast(4096 - bytes)
        var store = try Store.open(disk)
        let isThere = store.hasReserve
        #expect(!isThere)
        while try store.clean(budget: 4096) {}
        let isWhole = store.hasReserve
        #expect(isWhole && store.disk[.reserve] == [UInt8](repeating: 0, count: 4096))
    }

    /// On a full disk no part of a reserve stays.
    @Test func aReserveIsWholeOrNotThere() throws {
        let geometry = Geometry(pageBytes: 64, pageCount: 8, segmentBytes: 4096, reserveBytes: 4096)
        var disk = SimulatedDisk()
        disk.capacity = 3000
        var store = try Sample.store(on: disk, geometry)
        #expect(!store.disk.files().contains(.reserve))
        store.disk.capacity = 1 << 20
        while try store.clean(budget: 4096) {}
        #expect(store.disk[.reserve].count == 4096)
    }
}

extension SimulatedDisk.Change {
    fileprivate var isRemoval: Bool { if case .removed = self { true } else { false } }
}
