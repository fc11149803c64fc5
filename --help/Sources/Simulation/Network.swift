import Wire

/// The Ethernet segment of a run, with its faults.
struct Network {
    private var random: Generator
    private let scenario: Scenario
    var isCalm = false
    private var cuts: Set<UInt16> = []
    private var recorded: [Frame] = []
    private(set) var sent = 0
    /// Frames sent, by the number of their kind.
    private(set) var sentOfKind = [Int](repeating: 0, count: 256)

    init(_ scenario: Scenario, random: Generator) {
        self.scenario = scenario
        self.random = random
    }

    mutating func cut(_ from: UInt8, _ to: UInt8) { cuts.insert(UInt16(from) << 8 | UInt16(to)) }
    mutating func heal() { cuts.removeAll() }
    var isWhole: Bool { cuts.isEmpty }

    /// Puts a frame on its way to each of its receivers.
    mutating func carry(_ frame: Frame, from sender: UInt8, stations: [UInt8], now: UInt64, _ queue: inout EventQueue) {
        sent += 1
        sentOfKind[Int(frame.bytes[17])] += 1
        let target = frame.bytes[19]
        for station in stations where station != sender && (target == station || target == Station.everyone.number) {
            deliver(frame, from: sender, to: station, now, &queue)
        }
        guard !isCalm, scenario.hostilePerMille > 0 else { return }
        if recorded.count < 64 { recorded.append(frame) } else { recorded[random.below(64)] = frame }
        if random.chance(scenario.hostilePerMille) { attack(stations, now, &queue) }
    }

    private mutating func deliver(_ frame: Frame, from sender: UInt8, to station: UInt8, _ now: UInt64,
                                  _ queue: inout EventQueue) {
        guard !cuts.contains(UInt16(sender) << 8 | UInt16(station)) else { return }
        let copies = !isCalm && random.chance(scenario.duplicationPerMille) ? 2 : 1
        for _ in 0..<copies {
            var delay = random.between(scenario.latency.low, scenario.latency.high)
            if !isCalm {
                if random.chance(scenario.lossPerMille) { continue }
                if random.chance(scenario.reorderPerMille) { delay += random.between(0, scenario.reorderMaximum) }
            }
            queue.insert(.deliver(frame, to: station), at: now + delay)
            if !isCalm && random.chance(scenario.ghostPerMille) {
                queue.insert(.deliver(frame, to: station), at: now + random.between(20, 3_000) * Scenario.millisecond)
            }
        }
    }

    /// Someone on the segment without the key: changes bits, plays again.
    private mutating func attack(_ stations: [UInt8], _ now: UInt64, _ queue: inout EventQueue) {
        let frame = recorded[random.below(recorded.count)]
        let station = stations[random.below(stations.count)]
        guard random.chance(500) else {
            return queue.insert(.deliver(frame, to: station), at: now + 1)
        }
        var bytes = frame.bytes
        // The tag covers everything behind the Ethernet header.
        let covered = 16
        if random.chance(300) {
            bytes.removeLast(random.below(bytes.count))
        } else {
            for _ in 0...random.below(3) { bytes[random.below(bytes.count)] ^= UInt8(1 << random.below(8)) }
        }
        let isForged = bytes.dropFirst(covered) != frame.bytes.dropFirst(covered)
        queue.insert(.deliver(Frame(bytes, isForged: isForged), to: station), at: now + 1)
    }
}
