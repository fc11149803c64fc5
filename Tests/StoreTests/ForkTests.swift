import Testing
import Wire

@testable import Simulation
@testable import Store

/// What a log remembers of what does not count: pages of rounds that came to nothing, and what forks left behind.
struct ForkTests {
    /// Pages that only the first fork has are none of the second's, which begins before them: also when that is read
    /// from a summary that names both.
    @Test func aForkOfAForkGoesBackFurther() throws {
        var model = StoreModel(Sample.tiny)
        var store = try Sample.store(on: SimulatedDisk())
        for counter in 1...6 as ClosedRange<UInt64> {
            try commit(Sample.time(counter), page: UInt32(counter), &store, &model, isKept: true)
        }
        var first = try store.fork(at: Sample.time(5), into: SimulatedDisk(), cluster: 8, identity: 5)
        model.rewind(to: Sample.time(5))
        try commit(Sample.time(6, epoch: 2), page: 7, &first, &model)
        var second = try first.fork(at: Sample.time(3), into: SimulatedDisk(), cluster: 9, identity: 6)
        model.rewind(to: Sample.time(3))
        for counter in 7...60 as ClosedRange<UInt64> {
            try commit(Sample.time(counter, epoch: 3), page: 0, &second, &model)
            while try second.clean(budget: 4096) {}
            var opened = try Store.open(second.disk, cluster: 9)
            #expect(try opened.picture() == model.picture, "after \(counter)")
        }
        #expect(second.state.cuts.count == 1)
    }

    /// Rounds that come to nothing, one after the other, behind a page that nobody ever writes again.
    @Test func whatWasAbandonedIsForgottenWithItsSegments() throws {
        var model = StoreModel(Sample.tiny)
        var store = try Sample.store(on: SimulatedDisk())
        for page in 1..<8 as Range<UInt32> { try commit(Sample.time(UInt64(page)), page: page, &store, &model) }
        for counter in 8...400 as ClosedRange<UInt64> {
            try store.put(0, Sample.time(counter), Sample.page(0xEE))
            store.abandonCheckpoint()
            try commit(Sample.time(counter), page: 0, &store, &model)
            while try store.clean(budget: 4096) {}
            if counter % 40 == 0 {
                store = try Store.open(store.disk)
                #expect(try store.picture() == model.picture)
            }
        }
        // Of each segment that is there, as many as it has pages.
        let most = (store.state.segments.all.count + 1) * (Sample.tiny.segmentBytes / 112)
        #expect(store.state.abandoned.count < most && most < 400)
    }

    /// Commits until the log can take no more.
    private func fill(
        _ store: inout Store<SimulatedDisk>, _ model: inout StoreModel, _ counter: inout UInt64, isKept: Bool
    ) throws {
        while true {
            let before = (model, counter)
            counter += 1
            do throws(StoreError) {
                try commit(Sample.time(counter), page: UInt32(counter % 8), &store, &model, isKept: isKept)
            } catch {
                #expect(error == .tooLarge)
                store.abandonCheckpoint()
                (model, counter) = before
                return
            }
        }
    }

    /// A log that was never cleaned stops in time, and goes on when it was.
    @Test func aLogWithTooManySegmentsCanBeCleaned() throws {
        var model = StoreModel(Sample.tiny)
        var store = try Sample.store(on: SimulatedDisk())
        var counter: UInt64 = 0
        for _ in 0..<3 {
            try fill(&store, &model, &counter, isKept: false)
            #expect(store.state.segments.all.count > 80)
            while try store.clean(budget: 4096) {}
            #expect(store.state.segments.all.count < 10)
            var opened = try Store.open(store.disk)
            #expect(try opened.picture() == model.picture)
        }
    }

    /// Where checkpoints need all of them, it goes on when some are forgotten: to say which there is always room.
    @Test func aLogWithTooManyCheckpointsCanForgetThem() throws {
        var model = StoreModel(Sample.tiny)
        var store = try Sample.store(on: SimulatedDisk())
        var counter: UInt64 = 0
        for _ in 0..<3 {
            try fill(&store, &model, &counter, isKept: true)
            while try store.clean(budget: 4096) {}
            // Not in the room that is left in the newest segment.
            while store.geometry.segmentBytes - store.log.position.offset > 400 {
                do throws(StoreError) { try store.set([(3, [UInt8](repeating: 1, count: 100))]) } catch { break }
            }
            for time in store.checkpoints.dropLast().map(\.time) {
                try store.forget([time])
                model.forget([time])
            }
            try store.settle()
            while try store.clean(budget: 4096) {}
            try store.set([(3, [])])
            try store.settle()
            var opened = try Store.open(store.disk)
            #expect(try opened.picture() == model.picture)
        }
    }

    private func commit(
        _ time: GlobalTime, page: UInt32, _ store: inout Store<SimulatedDisk>, _ model: inout StoreModel,
        isKept: Bool = false
    ) throws(StoreError) {
        let bytes = Sample.page(UInt8(truncatingIfNeeded: time.counter))
        let checkpoint = Checkpoint(time: time, created: time.counter, isKept: isKept)
        try store.put(page, time, bytes)
        model.put(page, time, bytes)
        try store.commitCheckpoint(checkpoint)
        model.end(checkpoint)
    }
}
