import Control

/// Decides what becomes of a frame between two stations: lost, delivered, delivered twice, and when.
///
/// The same seed and the same sequence of questions give the same answers.
public struct Faults: Sendable {
    public private(set) var settings: SegmentFaults
    private var generator: SplitMix
    private var cuts: Set<SegmentFaults.Cut>

    public init(_ settings: SegmentFaults) {
        self.settings = settings
        generator = SplitMix(state: settings.seed)
        cuts = Set(settings.cuts)
    }

    /// What becomes of one frame to one station.
    public enum Delivery: Equatable, Sendable {
        case lost
        /// Delays in microseconds; a second one when the frame is delivered twice.
        case after(UInt64, again: UInt64?)

        /// At once and once.
        public static let plain = Delivery.after(0, again: nil)
    }

    /// Whether nothing is injected at all.
    public var isQuiet: Bool {
        settings.lossPercent == 0 && settings.duplicationPercent == 0 && settings.delayMicroseconds == 0
            && settings.jitterMicroseconds == 0 && cuts.isEmpty
    }

    /// Draws the fate of a frame from one station to another.
    public mutating func deliver(from: UInt8, to: UInt8) -> Delivery {
        if isQuiet { return .plain }
        if cuts.contains(SegmentFaults.Cut(from, to)) || cuts.contains(SegmentFaults.Cut(from: from, to: to)) {
            return .lost
        }
        if happens(settings.lossPercent) { return .lost }
        let again = happens(settings.duplicationPercent) ? delay() : nil
        return .after(delay(), again: again)
    }

    private mutating func happens(_ percent: Double) -> Bool {
        percent > 0 && Double.random(in: 0..<100, using: &generator) < percent
    }

    private mutating func delay() -> UInt64 {
        guard settings.jitterMicroseconds > 0 else { return settings.delayMicroseconds }
        return settings.delayMicroseconds + UInt64.random(in: 0...settings.jitterMicroseconds, using: &generator)
    }
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
struct SplitMix: RandomNumberGenerator, Sendable {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

extension SegmentFaults {
    /// - Throws: `.usage` when a value is outside its range.
    public func validated() throws(Failure) -> SegmentFaults {
        guard (0...100).contains(lossPercent), (0...100).contains(duplicationPercent) else {
            throw Failure(.usage, "a loss or duplication must lie between 0% and 100%")
        }
        guard delayMicroseconds <= Self.maximumDelayMicroseconds, jitterMicroseconds <= Self.maximumDelayMicroseconds
        else {
            throw Failure(.usage, "a delay must be at most \(Self.maximumDelayMicroseconds / 1_000_000) seconds")
        }
        return self
    }

    /// Longer than any time-out of the protocol, short enough that held frames fit in memory.
    public static let maximumDelayMicroseconds: UInt64 = 60_000_000
}
