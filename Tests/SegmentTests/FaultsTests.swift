import Control
import Testing
import Wire

@testable import Segment

struct FaultsTests {
    private func settings(_ change: (inout SegmentFaults) -> Void) -> SegmentFaults {
        var settings = SegmentFaults()
        change(&settings)
        return settings
    }

    @Test func nothingIsInjectedByDefault() {
        var faults = Faults(SegmentFaults())
        #expect(faults.isQuiet)
        for _ in 0..<100 {
            let delivery = faults.deliver(from: 1, to: 2)
            #expect(delivery == .plain)
        }
    }

    @Test(arguments: [5.0, 50.0]) func lossHitsItsShare(percent: Double) {
        var faults = Faults(settings { $0.lossPercent = percent })
        let lost = (0..<20_000).count(where: { _ in faults.deliver(from: 1, to: 2) == .lost })
        #expect(abs(Double(lost) / 200 - percent) < 1.5)
    }

    @Test func oneSeedGivesOneHistory() {
        let settings = settings {
            $0.lossPercent = 20
            $0.duplicationPercent = 10
            $0.delayMicroseconds = 100
            $0.jitterMicroseconds = 900
            $0.seed = 42
        }
        var first = Faults(settings)
        var second = Faults(settings)
        for _ in 0..<1000 {
            let deliveries = (first.deliver(from: 1, to: 2), second.deliver(from: 1, to: 2))
            #expect(deliveries.0 == deliveries.1)
        }
    }

    @Test func aCutWorksBothWaysAndOnlyForItsPair() {
        var faults = Faults(settings { $0.cuts = [SegmentFaults.Cut(3, 1)] })
        let deliveries = [(1, 3), (3, 1), (1, 2)].map { faults.deliver(from: $0.0, to: $0.1) }
        #expect(deliveries == [.lost, .lost, .plain])
    }

    @Test func aOneWayCutLetsTheOtherWayPass() {
        var faults = Faults(settings { $0.cuts = [SegmentFaults.Cut(from: 3, to: 1)] })
        let deliveries = [(1, 3), (3, 1), (3, 2)].map { faults.deliver(from: $0.0, to: $0.1) }
        #expect(deliveries == [.plain, .lost, .plain])
    }

    @Test func duplicationDeliversTwice() {
        var faults = Faults(settings { $0.duplicationPercent = 100 })
        let delivery = faults.deliver(from: 1, to: 2)
        #expect(delivery == .after(0, again: 0))
    }

    @Test func jitterStaysInItsRange() {
        var faults = Faults(
            settings {
                $0.delayMicroseconds = 100
                $0.jitterMicroseconds = 50
            })
        for _ in 0..<1000 {
            guard case .after(let delay, again: nil) = faults.deliver(from: 1, to: 2) else {
                Issue.record("lost or doubled without reason")
                return
            }
            #expect((100...150).contains(delay))
        }
    }

    @Test func impossibleSettingsAreRefused() {
        for settings in [
            settings { $0.lossPercent = 101 }, settings { $0.lossPercent = -1 }, settings { $0.lossPercent = .nan },
            settings { $0.duplicationPercent = 200 }, settings { $0.delayMicroseconds = 61_000_000 },
        ] {
            #expect(throws: Failure.self) { try settings.validated() }
        }
    }

    @Test func delayedFramesComeByTimeThenByOrder() {
        var queue = DelayQueue()
        for (index, due) in [50, 10, 30, 10, 20, 10].enumerated() {
            let isKept = queue.insert([UInt8(index)], to: 1, due: UInt64(due))
            #expect(isKept)
        }
        let early = queue.take(at: 9)
        #expect(early == nil)
        var order: [UInt8] = []
        while let entry = queue.take(at: 100) { order.append(entry.frame[0]) }
        #expect(order == [1, 3, 5, 4, 2, 0])
    }

    /// Trains are as long as fourteen other frames: memory is counted, too.
    @Test func longFramesAreKeptAsFarAsThereIsRoom() {
        var queue = DelayQueue()
        let train = [UInt8](repeating: 0, count: Limits.trainFrameBytes)
        var kept = 0
        while kept < DelayQueue.limit, queue.insert(train, to: 1, due: 1) { kept += 1 }
        #expect(kept == DelayQueue.byteLimit / train.count)
        let first = queue.take(at: 1)
        let isKept = queue.insert(train, to: 1, due: 2)
        #expect(first != nil && isKept)
    }
}

extension DelayQueue.Entry: Equatable {
    public static func == (a: Self, b: Self) -> Bool { a.due == b.due && a.order == b.order }
}
