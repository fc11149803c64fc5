import Testing
import Wire

@testable import Simulation
@testable import Store

@Suite struct StoreTests {
    @Test func whatIsWrittenIsThere() throws {
        var store = try Sample.store(on: SimulatedDisk())
        try store.set([(1, [1, 2, 3]), (9, [4])])
        try store.put(3, Sample.time(1), Sample.page(1))
        try store.put(4, Sample.time(2), Sample.page(2))
        try store.commitCheckpoint(Checkpoint(time: Sample.time(2), created: 50, label: "first", isKept: true))
        try store.put(4, Sample.time(3), Sample.page(3))
        try store.commitCheckpoint(Checkpoint(time: Sample.time(3), created: 60, isKept: false))
        try store.set([(9, [])])
        let before = try store.picture()
        #expect(before.registers == [1: [1, 2, 3]])
        #expect(before.states.count == 2)
        #expect(try store.content(of: 4).1 == Sample.page(3))
        #expect(try store.content(of: 4, at: Sample.time(2)).1 == Sample.page(2))
        #expect(try store.content(of: 0).0 == .zero)
        try store.submit()
        var again = try Store.open(store.disk, cluster: Sample.cluster)
        #expect(try again.picture() == before)
        let labelled = again.checkpoint(labelled: "first")
        #expect(labelled?.time == Sample.time(2))
        let findings = again.findings
        #expect(findings == [])
        #expect(try again.verify().findings == [])
    }
}
