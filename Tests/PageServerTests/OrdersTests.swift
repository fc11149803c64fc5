import Protocol
import Testing
import Wire

@testable import PageServer

@Suite struct OrdersTests {
    private static func time(_ epoch: UInt32, _ counter: UInt64) -> GlobalTime {
        GlobalTime(epoch: epoch, counter: counter)
    }

    private static let chain = [EpochRecord(epoch: 1, opened: .zero)]
    private let nodes = [Station(1), Station(2)]

    /// Ticks, and says what was sent to whom.
    private func sent(
        _ orders: inout Orders, at now: UInt64, _ nodes: [Station]? = nil
    ) -> [(identifier: UInt64, node: Station)] {
        var sent: [(UInt64, Station)] = []
        orders.tick(now: now, nodes: nodes ?? self.nodes) { command, _, node in
            sent.append((command.identifier, node))
        }
        return sent
    }

    private func answer(
        _ orders: inout Orders, _ identifier: UInt64, _ time: GlobalTime, _ status: CommandReply.Status = .done
    ) {
        orders.answer(CommandReply(identifier: identifier, status: status, time: time), now: 0)
    }

    /// The next node of that number is another one.
    @Test func whatADeadNodeAloneWasToDoIsNobodys() {
        var orders = Orders(incarnation: 1)
        orders.submit(.powerOff(node: 2), .powerOff, only: Station(2))
        orders.submit(.put(job: 2, piece: 0))
        #expect(sent(&orders, at: 0).count == 2)
        let hasLeft = orders.bury(Station(2))
        #expect(!hasLeft)
        #expect(!orders.contains(.powerOff(node: 2)) && orders.contains(.put(job: 2, piece: 0)))
        #expect(!sent(&orders, at: 100_000_000_000).contains { $0.node == Station(2) })
    }

    /// When it has answered, whether or not that is saved; the next life of the number is another one.
    @Test(arguments: [false, true]) func aNodeThatHasDoneWhatItTakesHasLeft(isSaved: Bool) {
        var orders = Orders(incarnation: 1)
        orders.submit(.powerOff(node: 2), .powerOff, only: Station(2))
        answer(&orders, sent(&orders, at: 0)[0].identifier, Self.time(1, 5))
        orders.settle(saved: Self.time(1, isSaved ? 5 : 4), chain: Self.chain, now: 1)
        let others = orders.bury(Station(1)), hasLeft = orders.bury(Station(2)), again = orders.bury(Station(2))
        #expect(!others && hasLeft && !again)
    }

    @Test func doneMeansSaved() {
        var orders = Orders(incarnation: 1)
        orders.submit(.put(job: 2, piece: 0))
        let first = sent(&orders, at: 0)
        #expect(first.count == 1 && first[0].node == Station(1))
        #expect(sent(&orders, at: 1).isEmpty)
        answer(&orders, first[0].identifier, Self.time(1, 5))
        orders.settle(saved: Self.time(1, 4), chain: Self.chain, now: 2)
        #expect(orders.takeFinished().isEmpty)
        #expect(sent(&orders, at: 1 << 40).isEmpty)
        orders.settle(saved: Self.time(1, 5), chain: Self.chain, now: 2)
        #expect(orders.takeFinished().map(\.0) == [.put(job: 2, piece: 0)])
        #expect(orders.count == 0)
    }

    @Test func whatAnEpochUndidIsSentAgain() {
        var orders = Orders(incarnation: 1)
        orders.submit(.put(job: 2, piece: 0))
        orders.submit(.put(job: 2, piece: 1))
        let first = sent(&orders, at: 0)
        answer(&orders, first[0].identifier, Self.time(1, 5))
        answer(&orders, first[1].identifier, Self.time(1, 6))
        let chain = [EpochRecord(epoch: 2, opened: Self.time(1, 5))] + Self.chain
        orders.settle(saved: Self.time(1, 5), chain: chain, now: 9)
        #expect(orders.takeFinished().map(\.0) == [.put(job: 2, piece: 0)])
        let again = sent(&orders, at: 9)
        #expect(again.map(\.identifier) == [first[1].identifier])
        answer(&orders, again[0].identifier, Self.time(2, 6))
        orders.settle(saved: Self.time(2, 7), chain: chain, now: 10)
        #expect(orders.takeFinished().count == 1)
    }

    @Test func silenceIsRepeatedAndThenPassedOn() {
        var orders = Orders(incarnation: 1)
        orders.submit(.start(job: 2))
        var now: UInt64 = 0
        var asked: [Station] = []
        for _ in 0..<8 {
            asked += sent(&orders, at: now).map(\.node)
            now = orders.deadline
        }
        #expect(asked.prefix(4).allSatisfy { $0 == Station(1) })
        #expect(asked.contains(Station(2)))
        #expect(now < 8 * 250 * Tuning.millisecond)
        #expect(sent(&orders, at: 1 << 40, [Station(2)]).map(\.node) == [Station(2)])
        #expect(sent(&orders, at: 1 << 41, []).isEmpty)
        #expect(sent(&orders, at: 1 << 42, [Station(1)]).map(\.node) == [Station(1)])
    }

    @Test func onlySoManyAreUnderWay() {
        var orders = Orders(incarnation: 1)
        for piece in 0..<20 { orders.submit(.put(job: 2, piece: piece)) }
        let first = sent(&orders, at: 0)
        #expect(first.count == Orders.window)
        answer(&orders, first[3].identifier, Self.time(1, 1))
        #expect(sent(&orders, at: 1).count == 1)
    }

    @Test func aRefusalIsBelievedInTheEnd() {
        var orders = Orders(incarnation: 1)
        orders.submit(.start(job: 2))
        var now: UInt64 = 0
        for _ in 0..<100 where orders.count > 0 {
            now += 1 << 30
            for sent in sent(&orders, at: now) { answer(&orders, sent.identifier, .zero, .refused) }
        }
        #expect(orders.takeFinished().map(\.1) == [.refused])
    }

    /// A node that is to leave until then stays, also where what it did is not saved in time.
    @Test func whatIsTooLateIsGivenUp() {
        let leave = Orders.Purpose.powerOff(node: 2)
        for isAnswered in [false, true] {
            var orders = Orders(incarnation: 1)
            orders.submit(leave, .powerOff, only: Station(2), until: 100)
            let first = sent(&orders, at: 0)
            #expect(first.map(\.node) == [Station(2)])
            if isAnswered { answer(&orders, first[0].identifier, Self.time(1, 5)) }
            orders.settle(saved: Self.time(1, 4), chain: Self.chain, now: 99)
            #expect(orders.contains(leave) && orders.outcome(of: leave) == nil)
            orders.settle(saved: Self.time(1, 4), chain: Self.chain, now: 100)
            #expect(!orders.contains(leave) && orders.outcome(of: leave) == nil)
            orders.settle(saved: Self.time(1, 9), chain: Self.chain, now: 101)
            #expect(orders.outcome(of: leave) == nil && sent(&orders, at: 1 << 40).isEmpty)
        }
    }

    /// Until the same is ordered again; jobs take theirs.
    @Test func howAnOrderToANodeEndedIsKnown() {
        let leave = Orders.Purpose.powerOff(node: 2)
        var orders = Orders(incarnation: 1)
        for round in 1...2 as ClosedRange<UInt64> {
            orders.submit(leave, .powerOff, only: Station(2))
            #expect(orders.outcome(of: leave) == nil)
            answer(&orders, sent(&orders, at: round)[0].identifier, Self.time(1, round))
            orders.settle(saved: Self.time(1, round), chain: Self.chain, now: round)
            #expect(orders.takeFinished().isEmpty && orders.outcome(of: leave) == .done)
        }
        orders.submit(leave, .powerOff, only: Station(2))
        for now in 1...100 as ClosedRange<UInt64> where orders.contains(leave) {
            for sent in sent(&orders, at: now << 40) { answer(&orders, sent.identifier, .zero, .refused) }
        }
        #expect(orders.outcome(of: leave) == .refused)
    }

    @Test func anotherArbitersAnswersAreNotTaken() {
        var orders = Orders(incarnation: 2)
        orders.submit(.start(job: 2))
        _ = sent(&orders, at: 0)
        answer(&orders, 1 << 32 + 1, Self.time(1, 1))
        orders.settle(saved: Self.time(1, 9), chain: Self.chain, now: 0)
        #expect(orders.count == 1)
    }
}
