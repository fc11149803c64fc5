import Instructions

/// Time since the entry point.
///
/// A clock of known rate, the HPET (else the PIT), tells how fast the time stamp counter runs; the counter is then
/// read alone, which costs no exit to the hypervisor. Nothing waits for the calibration: until the two have run side
/// by side for a while the HPET itself is read, and later it corrects the counter about once a second.
enum Clock {
    /// The side-by-side stretch after which the counter is believed: 10 ms, to 0.01 % or so.
    private static let firstStretch: UInt64 = 10_000_000
    /// The longest stretch between two corrections: 1 s.
    private static let longestStretch: UInt64 = 1_000_000_000

    /// Nanoseconds a counter tick, times 2^32; 0 until it is known.
    nonisolated(unsafe) private static var rate: UInt64 = 0
    /// A point that both clocks agree on, and how far beyond it, in ticks, the counter is believed.
    nonisolated(unsafe) private static var anchorTicks: UInt64 = 0
    nonisolated(unsafe) private static var anchorTime: UInt64 = 0
    nonisolated(unsafe) private static var believedTicks: UInt64 = 0
    /// The newest time that was given out.
    nonisolated(unsafe) private static var newest: UInt64 = 0

    static func start() {
        if !EventTimer.isPresent { IntervalTimer.start() }
    }

    static func nanoseconds() -> UInt64 {
        let ticks = readTimestamp() &- anchorTicks
        let time = ticks < believedTicks ? anchorTime &+ scale(ticks, by: rate) : correctedTime()
        newest = max(newest, time)
        return newest
    }

    /// Asks the clock of known rate and sets the counter by it.
    private static func correctedTime() -> UInt64 {
        guard EventTimer.isPresent else { return intervalTime() }
        let (ticks, time) = readTogether()
        if time >= firstStretch {
            anchor(ticks: ticks, time: time, rate: ratio(time, ticks &- timestampAtEntry()), stretch: time)
        }
        return time
    }

    /// Both clocks at one moment. The host may take the processor away between the two readings, and a pair that is
    /// milliseconds apart would set the counter wrong by as much: of a few pairs the closest is taken. The counter is
    /// read last, so that what is left of the error makes the clock late and never early.
    private static func readTogether() -> (ticks: UInt64, time: UInt64) {
        var best = (ticks: readTimestamp(), time: UInt64(0))
        var closest = UInt64.max
        for _ in 0..<4 {
            let before = readTimestamp()
            let time = EventTimer.nanoseconds()
            let after = readTimestamp()
            if after &- before < closest {
                closest = after &- before
                best = (after, time)
            }
            if usualGap > 0 && closest <= 2 * usualGap { break }
        }
        usualGap = usualGap == 0 ? closest : min(usualGap, closest)
        return best
    }

    /// Ticks between two readings of the counter around one of the HPET, when nothing comes between; 0 before the
    /// first.
    nonisolated(unsafe) private static var usualGap: UInt64 = 0

    /// The same with the PIT, which can be compared with only within 55 ms after its start; afterwards the counter
    /// goes alone. Who first asks for the time later than that waits 10 ms, once: such machines are the exception.
    private static func intervalTime() -> UInt64 {
        var stretch = IntervalTimer.nanosecondsSinceStart()
        if stretch == nil {
            IntervalTimer.start()
            repeat { stretch = IntervalTimer.nanosecondsSinceStart() } while stretch.map { $0 < firstStretch } ?? false
        }
        let ticks = readTimestamp()
        if let stretch, stretch >= firstStretch { rate = ratio(stretch, ticks &- IntervalTimer.startTicks) }
        guard rate != 0 else { return stretch ?? newest }
        let time = scale(ticks &- timestampAtEntry(), by: rate)
        anchor(ticks: ticks, time: time, rate: rate, stretch: longestStretch)
        believedTicks = UInt64.max
        return time
    }

    private static func anchor(ticks: UInt64, time: UInt64, rate newRate: UInt64, stretch: UInt64) {
        guard newRate != 0 else { return }
        rate = newRate
        anchorTicks = ticks
        anchorTime = time
        // 2^32 * 10^9 < 2^62: no overflow.
        believedTicks = (min(stretch, longestStretch) << 32) / newRate
    }

    /// `ticks * factor / 2^32`.
    static func scale(_ ticks: UInt64, by factor: UInt64) -> UInt64 {
        let product = ticks.multipliedFullWidth(by: factor)
        return product.high << 32 | product.low >> 32
    }

    /// `2^32 * time / ticks`, or 0 if the counter stands still.
    private static func ratio(_ time: UInt64, _ ticks: UInt64) -> UInt64 {
        var (time, ticks) = (time, ticks)
        while time >> 32 != 0 {
            time >>= 1
            ticks >>= 1
        }
        return ticks == 0 ? 0 : (time << 32) / ticks
    }
}

/// The HPET's main counter (IA-PC HPET specification 1.0a, section 2.3). Boot/entry.asm has started it.
enum EventTimer {
    private static let base: UInt64 = MemoryMap.deviceMap + 0xFED0_0000

    /// The period of a tick in femtoseconds; the specification allows at most 100 ns.
    private static var period: UInt64 { UInt64(memoryRead32(base &+ 4)) }

    static var isPresent: Bool {
        let configuration = memoryRead32(base &+ 0x10)
        return configuration != UInt32.max && configuration & 1 == 1 && period != 0 && period <= 100_000_000
    }

    /// Nanoseconds since the entry point.
    static func nanoseconds() -> UInt64 {
        Clock.scale(ticks() &- hpetAtEntry(), by: (period << 32) / 1_000_000)
    }

    /// The 64-bit count in two halves that belong together.
    private static func ticks() -> UInt64 {
        var high = memoryRead32(base &+ 0xF4)
        while true {
            let low = memoryRead32(base &+ 0xF0)
            let again = memoryRead32(base &+ 0xF4)
            if again == high { return UInt64(high) << 32 | UInt64(low) }
            high = again
        }
    }
}

/// Channel 2 of the 8254, for machines without an HPET: counts 65,535 ticks of 1,193,182 Hz once, then stands still.
enum IntervalTimer {
    private static let frequency: UInt64 = 1_193_182
    /// The time stamp counter when the count began.
    nonisolated(unsafe) private(set) static var startTicks: UInt64 = 0

    static func start() {
        portWrite8(0x61, portRead8(0x61) & 0xFC | 1)
        portWrite8(0x43, 0xB0)
        portWrite8(0x42, 0xFF)
        startTicks = readTimestamp()
        portWrite8(0x42, 0xFF)
    }

    /// Nil when the count has run out.
    static func nanosecondsSinceStart() -> UInt64? {
        portWrite8(0x43, 0x80)
        let remaining = UInt64(portRead8(0x42)) | UInt64(portRead8(0x42)) << 8
        if portRead8(0x61) & 0x20 != 0 { return nil }
        return (0xFFFF &- min(remaining, 0xFFFF)) &* 1_000_000_000 / frequency
    }
}

extension Machine {
    /// Nanoseconds since the entry point. Never runs backwards; cheap. For the nucleus only.
    public static func nanoseconds() -> UInt64 { Clock.nanoseconds() }
}
