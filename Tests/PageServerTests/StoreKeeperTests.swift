import Control
import Durability
import Foundation
import Logging
import Store
import Testing
import Wire

@testable import PageServer

/// The thread of an arbiter's store.
@Suite struct StoreKeeperTests {
    private static func page(_ counter: UInt64) -> PageVersion {
        PageVersion(
            number: 0, version: GlobalTime(epoch: 1, counter: counter),
            bytes: [UInt8](repeating: UInt8(counter), count: Limits.pageBytes))
    }

    private func with(_ body: (StoreKeeper, String) async throws -> Void) async throws {
        let path = "/tmp/plurix-keeper-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let quiet = Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }
        let keeper = try StoreKeeper(
            StoreSettings(directory: path + "/s"), cluster: 7, sharedPages: 1024, logger: quiet)
        try await body(keeper, path)
    }

    /// A page server that is killed again and again, with little to save in between.
    @Test func manyStartsLeaveFewFiles() throws {
        let place = try Place()
        let quiet = Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }
        var most = 0
        for life in 1...40 as ClosedRange<UInt32> {
            let keeper = try StoreKeeper(
                StoreSettings(directory: place.path + "/s"), cluster: 7, sharedPages: 1024, logger: quiet)
            keeper.begin { _ in }
            try keeper.note { $0.apply(.incarnation(life)) }
            _ = keeper.end(
                at: GlobalTime(epoch: 1, counter: UInt64(life)), with: [Self.page(UInt64(life))], isShort: true, now: 1)
            most = max(most, try place.segments("s").count)
        }
        #expect(most < 16, "\(most) segments")
        let found = try StoreExamination(of: place.path + "/s")
        #expect(found.sound && found.checkpoints.map(\.counter) == [40])
    }

    /// Who waits for a checkpoint is woken by it: the limit alone would let this take an hour.
    @Test(arguments: [false, true]) func whoWaitsForACheckpointIsWoken(isThereBefore: Bool) async throws {
        try await with { keeper, _ in
            let time = GlobalTime(epoch: 1, counter: 5)
            let mark = keeper.mark("a", notBefore: time, now: 1)
            if isThereBefore { _ = keeper.end(at: time, with: [Self.page(5)], isShort: true, now: 1) }
            async let settled: Void = keeper.settled(mark, within: .seconds(3600))
            if !isThereBefore { _ = keeper.end(at: time, with: [Self.page(5)], isShort: true, now: 1) }
            await settled
            let outcome = try #require(keeper.outcome(of: mark)).get()
            #expect(outcome.checkpoint.label == "a" && outcome.checkpoint.time == time)
        }
    }

    @Test func aWaitInVainEnds() async throws {
        try await with { keeper, _ in
            let mark = keeper.mark("a", notBefore: GlobalTime(epoch: 1, counter: 5), now: 1)
            await keeper.settled(mark, within: .milliseconds(1))
            if case .some = keeper.outcome(of: mark) { Issue.record("nothing was saved") }
        }
    }
}
