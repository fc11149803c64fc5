import Store

/// What befalls the arbiter's disk, and the host that it is in.
extension Scenario {
    mutating func addDisk(_ random: inout Generator, _ trouble: Trouble) {
        disk = DiskHabits(
            isImmediate: random.chance(100), segmentBytes: (64 + 16 * random.below(6)) << 10,
            reserveBytes: random.chance(500) ? 0 : 4096 << random.below(3),
            settleInterval: 1 << (12 + random.below(8)), cleaningBudget: 256 << random.below(6),
            retention: Retention(
                count: 1 + random.below(4), age: random.chance(300) ? random.between(0, 400_000) : 0))
        // Small enough to come and go; but a segment begins with a list of all that is kept, and of all segments (seeds
        // 251528958, 262852117).
        if disk.retention.age == 0 { disk.segmentBytes /= 2 }
        let latency = [2_000, 50_000, 300_000, 2 * Self.millisecond][random.below(4)]
        disk.latency = (latency, latency + random.between(0, latency))
        disk.atOncePerMille = random.chance(500) ? 0 : random.below(500)
        if random.chance(300) {
            disk.delayPerMille = 1 + random.below(20)
            disk.longestDelay = random.between(10, 400) * Self.millisecond
        }
        var entries: [(time: UInt64, fault: Fault)] = []
        for _ in 0..<random.below(6) {
            entries.append((random.between(0, calm), .keep(isLabelled: random.chance(400))))
        }
        for _ in 0..<random.below(5) { entries.append((random.between(0, calm), .examineDisk)) }
        if trouble.contains(.arbiterKills), !trouble.isDisjoint(with: [.crashes]), random.chance(500) {
            for _ in 0...random.below(4) { addDiskDisaster(&random, &entries) }
        }
        script += entries
        script.sort { $0.time < $1.time }
    }

    private mutating func addDiskDisaster(_ random: inout Generator, _ entries: inout [(time: UInt64, fault: Fault)]) {
        isPeaceful = false
        let time = random.between(1, calm)
        switch random.below(8) {
        case 0, 1:
            entries.append((time, .fillDisk(random.below(random.chance(500) ? 64 : 8192))))
            entries.append((time + random.between(1, 600) * Self.millisecond, .emptyDisk))
        case 2:
            let faults: [FaultyDisk<SimulatedDisk>.Fault] = [
                .readError, .writeError, .createError, .deleteError, .flushError, .nameError,
            ]
            let fault = faults[random.below(faults.count)]
            entries.append((time, .failDisk(fault, after: random.below(30))))
            let end = time + random.between(1, 400) * Self.millisecond
            if random.chance(300) {
                entries.append((end, .cutPower))
            } else {
                entries.append((end, .killArbiter))
                entries.append((end + random.between(1, 60) * Self.millisecond, .startArbiter))
            }
        case 3, 4: entries.append((time, .interrupt(after: random.below(60), isPower: random.chance(500))))
        case 5: entries.append((time, .cutPower))
        default:
            // One after the other: what the first left is not flushed yet when the next comes.
            var moment = time
            for _ in 0..<2 + random.below(3) {
                entries.append((moment, .interrupt(after: random.below(8), isPower: random.chance(400))))
                moment += random.between(1, 80) * Self.millisecond
            }
        }
    }

    mutating func addRestore(_ random: inout Generator) {
        guard random.chance(80) else { return }
        isPeaceful = false
        let time = random.between(calm / 4, calm)
        script.append((time / 2, .keep(isLabelled: true)))
        script.append((time, .goBack))
        // And once more, perhaps to before that: what only the first way back had is nobody's then.
        if random.chance(400) { script.append((time + random.between(50, 600) * Self.millisecond, .goBack)) }
        script.sort { $0.time < $1.time }
    }
}
