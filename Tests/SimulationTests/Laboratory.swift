import Protocol
import Wire

@testable import Simulation

/// A small cluster on a perfect network, driven by hand: one transaction at a time, every frame counted.
final class Laboratory {
    let nodes: [SimulatedNode]
    let arbiter: SimulatedArbiter
    let checker: Checker
    private(set) var now: UInt64 = 1_000_000
    /// Frames on their way, in order.
    private var wire: [(sender: UInt8, frame: Frame)] = []
    /// What nodes sent on behalf of transactions: no signs of life, and nothing of the arbiter's saving.
    private(set) var counted: [FrameHeader.Kind] = []
    /// Nodes that hear nothing for now.
    var deaf: Set<UInt8> = []
    /// Pairs of nodes that do not hear each other.
    var cuts: [(UInt8, UInt8)] = []
    private var stamp: UInt64 = 1
    /// Nodes whose transactions are driven by hand; their own programs would tell the core that there is nothing to do.
    var driven: Set<UInt8> = []
    private var everything: [(sender: UInt8, frame: Frame)] = []

    init(nodes count: Int, maximumFrameBytes: Int = Limits.maximumFrameBytes) {
        var random = Generator(7)
        let layout = Layout(accounts: 8, registers: 4, bulk: 1000)
        checker = Checker(sharedPages: layout.sharedPages)
        arbiter = SimulatedArbiter(sharedPages: layout.sharedPages, maximumFrameBytes: maximumFrameBytes,
                                   memory: Scenario.Memory(), random: random.split())
        var made: [SimulatedNode] = []
        for number in 1...count {
            let module = BootModule(
                cluster: Simulation.cluster, key: Simulation.key, nonce: random.next(),
                sharedPages: UInt32(layout.sharedPages), maximumFrameBytes: UInt16(maximumFrameBytes),
                node: Station(UInt8(number)))
            let node = SimulatedNode(
                station: module.node, module: module, workload: Workload(layout: layout, seed: 1), think: (0, 0),
                tuning: Tuning(), limits: Scenario.Memory(), random: random.split())
            node.mayBegin = false
            made.append(node)
            if number == 1 { arbiter.boot(now: now, checker) }
            node.boot(module, tuning: Tuning(), now: now)
        }
        nodes = made
        settle()
    }

    /// Delivers everything that is under way, and what follows from it.
    func settle() {
        collect()
        while !wire.isEmpty {
            let (sender, frame) = wire.removeFirst()
            now += 10_000
            let bytes = frame.bytes
            let target = Station(bytes[19])
            for node in nodes where node.station.number != sender && (target == node.station || target == .everyone) {
                if node.isAlive && !deaf.contains(node.station.number) && !isCut(sender, node.station.number) {
                    node.core.receive(bytes.span.bytes, now: node.clock(now), &node.memory)
                }
            }
            if sender != Station.arbiter.number && (target == .arbiter || target == .everyone) {
                arbiter.core.receive(bytes.span.bytes, now: now, &arbiter.store)
                arbiter.follow(checker)
            }
            collect()
        }
    }

    private func isCut(_ one: UInt8, _ other: UInt8) -> Bool {
        cuts.contains { $0 == (one, other) || $0 == (other, one) }
    }

    private func collect() {
        for node in nodes where node.isAlive {
            if !driven.contains(node.station.number) { node.run(now, checker) }
            for frame in node.memory.outbox { send(frame, from: node.station) }
            node.memory.outbox.removeAll()
        }
        for frame in arbiter.store.outbox { send(frame, from: .arbiter) }
        arbiter.store.outbox.removeAll()
    }

    private func send(_ frame: Frame, from sender: Station) {
        wire.append((sender.number, frame))
        everything.append((sender.number, frame))
        let bytes = frame.bytes
        guard let kind = FrameHeader.Kind(rawValue: bytes[17]) else { return }
        let isSaving = kind == .pageTrain || kind == .pageReply && bytes[19] == Station.arbiter.number
            || kind == .pageRequest && sender == .arbiter
        if kind != .heartbeat && kind != .report && !isSaving { counted.append(kind) }
    }

    /// Time passes for everyone.
    func pass(_ nanoseconds: UInt64) {
        let end = now + nanoseconds
        while now < end {
            now = min(end, now + 100_000)
            for node in nodes where node.isAlive { node.core.tick(now: node.clock(now), &node.memory) }
            arbiter.core.tick(now: now, &arbiter.store)
            arbiter.follow(checker)
            settle()
        }
    }

    /// A machine is gone, and the host knows.
    func kill(_ number: Int) {
        nodes[number - 1].isAlive = false
        arbiter.core.died(nodes[number - 1].station, now: now, &arbiter.store)
        settle()
    }

    func boot(_ number: Int) {
        let node = nodes[number - 1]
        let module = BootModule(
            cluster: Simulation.cluster, key: Simulation.key, nonce: UInt64(number) << 32 | now,
            sharedPages: UInt32(node.core.sharedPages), maximumFrameBytes: UInt16(Limits.maximumFrameBytes),
            node: node.station)
        node.boot(module, tuning: Tuning(), now: now)
        settle()
    }

    /// The arbiter is killed and finds again what its disk has.
    func restartArbiter() {
        arbiter.boot(now: now, checker)
        settle()
    }

    /// Every frame that was ever sent arrives once more.
    func repeatEverything() {
        wire += everything
        settle()
    }

    /// The frames that `body` costs.
    func frames(_ body: () -> Void) -> [FrameHeader.Kind] {
        settle()
        counted.removeAll()
        body()
        settle()
        return counted
    }

    /// Runs a transaction to its commit; false when others' commits have doomed it, or when it waits for ever.
    @discardableResult
    func transaction(on number: Int, reading reads: [UInt32] = [], writing writes: [UInt32] = []) -> Bool {
        let node = nodes[number - 1]
        driven.insert(node.station.number)
        defer { driven.remove(node.station.number) }
        guard node.core.begin(now: node.clock(now), &node.memory) else { return false }
        for page in (reads + writes).map({ PageNumber($0) }) {
            if !node.core.isPresent(page) { node.core.fetch(page, ahead: 0, now: node.clock(now), &node.memory) }
            settle()
            waitUnless { node.core.isPresent(page) }
            guard node.core.isPresent(page) else { return false }
            var content = node.memory.read(page)
            guard writes.contains(page.index), !node.memory.isWritten(page) else { continue }
            content[1] += 1
            stamp += 1
            Workload.stamp(&content, stamp)
            guard node.core.recordWrite(page) else { return false }
            node.memory.write(page, content)
        }
        for _ in 0..<100 {
            switch node.core.commit(now: node.clock(now), &node.memory) {
            case .committed:
                node.memory.finish()
                return true
            case .doomed: return false
            case .waiting:
                settle()
                if !node.core.holdsToken { pass(5_000_000) }
            }
        }
        return false
    }

    /// Lets time pass until something is so, but not for ever.
    private func waitUnless(_ isSo: () -> Bool) {
        for _ in 0..<100 where !isSo() { pass(5_000_000) }
    }
}
