import Wire

/// What some seeds have beyond the usual: more nodes, other programs, pauses of minutes. It is drawn from a generator
/// of its own, so that a seed without any of it is what it was before there was such a thing.
struct Variety {
    /// More nodes than usual; nil for as many as the seed draws.
    var nodes: Int?
    var buckets = 0
    var links = 0
    /// Many accounts, of which audits read one after the other, slowly.
    var accounts: Int?
    var scanPause: UInt64 = 0
    /// Somebody is paused for so long, nanoseconds: the node of that number, or the arbiter for 0.
    var longPause: (station: Int, nanoseconds: UInt64)?
    /// How often a program waits until its commit is durable.
    var durablePerMille = 0
    /// Pages that one frame to the arbiter may carry, where frames are large.
    var trainPages = 0
    var vigil = Vigil.dead

    init(seed: UInt64, _ trouble: Trouble) {
        var trains = Generator(seed ^ 0x7261_696c)
        if trouble.contains(.variety), trains.chance(700) { trainPages = [2, 3, Limits.trainPages][trains.below(3)] }
        if trouble.contains([.variety, .partitions]) { vigil = Vigil(seed: seed) }
        var random = Generator(seed ^ 0x7661_7269_6574_7900)
        guard trouble.contains(.variety), random.chance(400) else { return }
        if random.chance(300) { nodes = 6 + random.below(3) }
        if random.chance(500) { buckets = 2 + random.below(6) }
        if random.chance(500) { links = 3 + random.below(14) }
        if random.chance(300) {
            accounts = 20 + random.below(40)
            scanPause = random.between(1_000, 400_000)
        }
        if trouble.contains(.pauses), random.chance(80) {
            longPause = (random.below(9), random.between(4, 150) * Scenario.second)
        }
        if random.chance(500) { durablePerMille = [20, 200, 1000][random.below(3)] }
    }
}

extension Scenario {
    /// A pause of up to minutes, and slow programs meanwhile: what matters is how long it is, not how much happens.
    mutating func addLongPause(_ variety: Variety) {
        guard let (station, length) = variety.longPause, let place = script.firstIndex(where: { $0.fault.isCalm })
        else { return }
        let begin = script[place].time
        isPeaceful = false
        // An arbiter that dies ten times a second for minutes only takes long (seeds 90052953, 93001981).
        suddenDeathPerMille = 0
        think = (20 * Self.millisecond, 300 * Self.millisecond)
        if station == 0 {
            script.append((begin, .pauseArbiter(nanoseconds: length)))
        } else {
            script.append((begin, .pause((station - 1) % nodes, nanoseconds: length)))
        }
        calm = begin + length + 200 * Self.millisecond
        script[place].time = calm
        script.sort { $0.time < $1.time }
    }
}
