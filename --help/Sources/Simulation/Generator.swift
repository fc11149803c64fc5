/// SplitMix64 (Steele, Lea, Flood: “Fast splittable pseudorandom number generators”, 2014). All that happens in a run
/// is drawn from generators made of its seed, so one number repeats the run.
public struct Generator: Sendable {
    private var state: UInt64

    public init(_ seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }

    /// A number in 0 ..< limit.
    public mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }

    /// A number in low ... high.
    public mutating func between(_ low: UInt64, _ high: UInt64) -> UInt64 { low + next() % (high - low + 1) }

    /// True in `perMille` of a thousand cases.
    public mutating func chance(_ perMille: Int) -> Bool { perMille > 0 && below(1000) < perMille }

    /// A generator of its own for one part of the run, so that parts do not disturb each other's draws.
    public mutating func split() -> Generator { Generator(next()) }
}
