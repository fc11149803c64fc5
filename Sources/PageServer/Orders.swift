import Control
import Protocol
import Wire

/// What the host has asked nodes to do, until it is done for good: sent, sent again, given to another node, and done
/// only when the commit that did it is saved. Until then an epoch may undo it, and it is sent once more. Performing a
/// command twice changes nothing, so none of this needs the nodes to remember anything.
struct Orders {
    /// Whose order it is: what its owner knows it by.
    enum Purpose: Equatable, Sendable {
        /// No job before this one runs, or can still begin.
        case fence(job: Int)
        /// A piece of the input.
        case put(job: Int, piece: Int)
        case start(job: Int)
        case stop(job: Int)
        case markDead(job: Int, node: Int)
        case powerOff(node: Int)
        case recordHistory(node: Int, isOn: Bool)
    }

    /// How an order ended.
    enum Outcome: Equatable, Sendable {
        case done
        /// Nodes refused it again and again.
        case refused
    }

    private struct Order {
        let identifier: UInt64
        let purpose: Purpose
        let verb: Wire.Command.Verb
        let payload: [UInt8]
        /// The only node that may do it; nil for any.
        let only: Station?
        /// When it is given up.
        let end: UInt64
        var target = Station.nobody
        var tries = 0
        var refusals = 0
        /// When it is sent (again).
        var deadline: UInt64 = 0
        /// When it was sent first; 0 before.
        var sentAt: UInt64 = 0
        /// The commit that did it; not saved yet.
        var time: GlobalTime?

        func isSaved(_ saved: GlobalTime) -> Bool { time.map { $0 <= saved } ?? false }
    }

    /// Sent and not answered at a time: enough to keep a node busy, few enough for its queue.
    static let window = 8
    private static let retry: UInt64 = 30 * Tuning.millisecond
    private static let retryMaximum: UInt64 = 240 * Tuning.millisecond
    /// A node that leaves so many unanswered is passed over once.
    private static let triesPerNode = 4
    /// A refusal may come from an old snapshot; so many in a row, at intervals of `retryMaximum`, do not.
    private static let refusalLimit = 8

    private var orders: [Order] = []
    private var nextIdentifier: UInt64
    /// Until they are taken, or the same is ordered again.
    private var finished: [(Purpose, Outcome)] = []
    /// Answers of nodes that were told to record or to stop that, until somebody takes them.
    private var recorders: [ArbiterRecordHistory.Node] = []

    /// - Parameter incarnation: the arbiter's; answers to an earlier one are not taken for answers to this one.
    init(incarnation: UInt32) {
        nextIdentifier = UInt64(incarnation) << 32
    }

    /// - Parameter end: when the order is given up, nanoseconds.
    mutating func submit(
        _ purpose: Purpose, _ verb: Wire.Command.Verb = .perform, _ payload: [UInt8] = [], only: Station? = nil,
        until end: UInt64 = .max
    ) {
        nextIdentifier += 1
        finished.removeAll { $0.0 == purpose }
        orders.append(
            Order(
                identifier: nextIdentifier, purpose: purpose, verb: verb, payload: payload, only: only, end: end))
    }

    /// Orders that are not done for good.
    var count: Int { orders.count }

    func contains(_ purpose: Purpose) -> Bool { orders.contains { $0.purpose == purpose } }

    /// Gives orders up. A node may still do them.
    mutating func removeAll(where isMeant: (Purpose) -> Bool) {
        orders.removeAll { isMeant($0.purpose) }
    }

    /// A node is gone: what only it was to do is nobody's, also not of the next node of that number.
    ///
    /// - Returns: Whether it left in order: it was told to, and has done what that takes.
    mutating func bury(_ node: Station) -> Bool {
        let leave = Purpose.powerOff(node: Int(node.number))
        let hasLeft = outcome(of: leave) == .done || orders.contains { $0.purpose == leave && $0.time != nil }
        orders.removeAll { $0.only == node }
        finished.removeAll { $0.0 == leave }
        return hasLeft
    }

    /// Orders of jobs that ended since the last call, in the order in which they ended.
    mutating func takeFinished() -> [(Purpose, Outcome)] {
        let taken = finished.filter { $0.0.job != nil }
        if !taken.isEmpty { finished.removeAll { $0.0.job != nil } }
        return taken
    }

    /// How the last order to a node ended; nil while it is under way, or when it was given up.
    func outcome(of purpose: Purpose) -> Outcome? { finished.last { $0.0 == purpose }?.1 }

    mutating func takeRecorders() -> [ArbiterRecordHistory.Node] {
        defer { recorders = [] }
        return recorders
    }

    mutating func answer(_ reply: CommandReply, now: UInt64) {
        guard let place = orders.firstIndex(where: { $0.identifier == reply.identifier && $0.time == nil })
        else { return }
        switch reply.status {
        case .done:
            orders[place].time = reply.time
            if case .recordHistory(let node, _) = orders[place].purpose {
                let delay = now - orders[place].sentAt
                recorders.removeAll { $0.number == node }
                recorders.append(
                    ArbiterRecordHistory.Node(number: node, commitTime: reply.time.raw, delayNanoseconds: delay))
            }
        case .refused:
            orders[place].refusals += 1
            orders[place].deadline = now + Self.retryMaximum
            if orders[place].refusals >= Self.refusalLimit {
                finished.append((orders.remove(at: place).purpose, .refused))
            }
        }
    }

    /// What is saved is done. What an epoch has undone is not, and is sent again. What is not done by its end is given
    /// up; a node may still do it.
    mutating func settle(saved: GlobalTime, chain: [EpochRecord], now: UInt64) {
        for place in orders.indices {
            guard let time = orders[place].time, Self.isUndone(time, chain) else { continue }
            orders[place].time = nil
            orders[place].tries = 0
            orders[place].deadline = now
        }
        for order in orders where order.isSaved(saved) { finished.append((order.purpose, .done)) }
        orders.removeAll { $0.isSaved(saved) || $0.end <= now }
    }

    /// Whether an epoch that was opened after the commit undid it.
    private static func isUndone(_ time: GlobalTime, _ chain: [EpochRecord]) -> Bool {
        for record in chain {
            guard record.epoch > time.epoch else { return false }
            if time > record.opened { return true }
        }
        return false
    }

    /// When `tick` wants to be called, at the latest.
    var deadline: UInt64 {
        var next = UInt64.max
        for order in orders.lazy.filter({ $0.time == nil }).prefix(Self.window) { next = min(next, order.deadline) }
        return next
    }

    /// Sends what is due.
    ///
    /// - Parameter nodes: the nodes that can perform commands, the preferred one first.
    mutating func tick(
        now: UInt64, nodes: [Station], send: (Wire.Command, [UInt8], Station) -> Void
    ) {
        var open = 0
        for place in orders.indices where orders[place].time == nil && open < Self.window {
            open += 1
            guard orders[place].deadline <= now else { continue }
            guard let target = target(of: orders[place], among: nodes) else {
                orders[place].deadline = now + Self.retry
                continue
            }
            if target != orders[place].target { orders[place].tries = 0 }
            orders[place].target = target
            if orders[place].sentAt == 0 { orders[place].sentAt = now }
            orders[place].deadline =
                now + min(Self.retryMaximum, Self.retry << UInt64(min(orders[place].tries, 3)))
            orders[place].tries += 1
            let order = orders[place]
            send(
                Wire.Command(
                    identifier: order.identifier, verb: order.verb, argument: order.purpose.argument(now),
                    length: UInt16(order.payload.count)),
                order.payload, target)
        }
    }

    private func target(of order: Order, among nodes: [Station]) -> Station? {
        if let only = order.only { return nodes.contains(only) ? only : nil }
        let isAlive = nodes.contains(order.target)
        if isAlive && order.tries < Self.triesPerNode { return order.target }
        return nodes.first { $0 != order.target } ?? nodes.first
    }
}

extension Orders.Purpose {
    /// What the head of the command carries: the host's clock, as late as possible, where nodes are to tell its time.
    fileprivate func argument(_ now: UInt64) -> UInt64 {
        if case .recordHistory(_, true) = self { now } else { 0 }
    }
}
