import Instructions

/// Which vector an interrupt arrives on.
public enum InterruptVector {
    /// Line 0 to 15 of the two 8259 controllers arrives on this plus the line.
    static let wired: UInt64 = 0x20
    /// The local APIC's timer.
    public static let timer: UInt64 = 0x40
    /// Message-signalled interrupts: sixteen vectors from here, for drivers to give to their devices.
    public static let message: UInt64 = 0x50
    /// The local APIC's word for "it was nothing".
    static let spurious: UInt64 = 0xFF

    /// The vector of an interrupt line, 0 to 15.
    public static func line(_ line: UInt8) -> UInt64 { wired + UInt64(line & 15) }
}

/// The 8259 pair and the local APIC.
///
/// The 8259s end interrupts by themselves (AEOI): nothing nests here, because handlers run with interrupts off, and
/// an interrupt costs no port access. A level-triggered line that its driver has not acknowledged simply interrupts
/// again when interrupts are on the next time; an edge-triggered one stays quiet.
enum InterruptController {
    private static let apic: UInt64 = MemoryMap.deviceMap + 0xFEE0_0000
    /// Registers of the local APIC (Intel SDM volume 3, table 11-1).
    private enum Register {
        static let endOfInterrupt: UInt64 = 0x0B0
        static let spuriousVector: UInt64 = 0x0F0
        static let timer: UInt64 = 0x320
        static let wiredInput0: UInt64 = 0x350
        static let wiredInput1: UInt64 = 0x360
        static let timerInitialCount: UInt64 = 0x380
        static let timerCurrentCount: UInt64 = 0x390
        static let timerDivider: UInt64 = 0x3E0
    }
    private static let deliverExternal: UInt32 = 0x700
    private static let deliverNonMaskable: UInt32 = 0x400
    private static let divideBy16: UInt32 = 0x3

    /// Timer ticks a nanosecond, times 2^32. QEMU's timer counts 1 GHz before the divider; corrected when a long
    /// enough stretch was measured.
    nonisolated(unsafe) private static var timerRate: UInt64 = (1 << 32) / 16
    nonisolated(unsafe) private static var isTimerMeasured = false
    /// The count and the time that the timer was last started with.
    nonisolated(unsafe) private static var timerStartCount: UInt64 = 0
    nonisolated(unsafe) private static var timerStartTime: UInt64 = 0
    /// The shortest stretch that the rate is taken from, 1 ms, and the longest time between two readings that count as
    /// one moment: 20 us, 2 % of it.
    private static let shortestMeasurement: UInt64 = 1_000_000
    private static let longestGap: UInt64 = 20_000

    /// One bit for each line that is not masked.
    nonisolated(unsafe) private static var openLines: UInt16 = 0

    static func start() {
        startWired()
        startLocal()
    }

    /// Vectors from 0x20, cascade on line 2, automatic end of interrupt, all lines masked.
    private static func startWired() {
        portWrite8(0x20, 0x11)
        portWrite8(0xA0, 0x11)
        portWrite8(0x21, UInt8(InterruptVector.wired))
        portWrite8(0xA1, UInt8(InterruptVector.wired + 8))
        portWrite8(0x21, 1 << 2)
        portWrite8(0xA1, 2)
        portWrite8(0x21, 0x03)
        portWrite8(0xA1, 0x03)
        writeMasks()
    }

    private static func writeMasks() {
        let cascade: UInt16 = openLines > 0xFF ? 1 << 2 : 0
        portWrite8(0x21, ~UInt8(truncatingIfNeeded: openLines | cascade))
        portWrite8(0xA1, ~UInt8(truncatingIfNeeded: openLines >> 8))
    }

    /// The loader may leave the APIC off and its inputs masked (qboot does): then no 8259 interrupt comes through.
    private static func startLocal() {
        let base: UInt32 = 0x1B
        writeModelRegister(base, readModelRegister(base) | 1 << 11)
        write(Register.spuriousVector, 0x100 | UInt32(InterruptVector.spurious))
        write(Register.wiredInput0, deliverExternal)
        write(Register.wiredInput1, deliverNonMaskable)
        write(Register.timerDivider, divideBy16)
        write(Register.timer, UInt32(InterruptVector.timer))
    }

    static func open(line: UInt8) {
        openLines |= 1 << UInt16(line & 15)
        writeMasks()
    }

    /// Tells the controller that the interrupt was taken; false when nobody wants it.
    static func acknowledge(_ vector: UInt64) -> Bool {
        switch vector {
        case InterruptVector.wired..<InterruptVector.wired + 16:
            return openLines & (1 << UInt16(vector - InterruptVector.wired)) != 0
        case InterruptVector.timer, InterruptVector.message..<InterruptVector.message + 16:
            write(Register.endOfInterrupt, 0)
            return true
        case InterruptVector.spurious:
            return false
        default:
            write(Register.endOfInterrupt, 0)
            return false
        }
    }

    static func armTimer(after nanoseconds: UInt64) {
        if !isTimerMeasured { measureTimer() }
        let (high, low) = nanoseconds.multipliedFullWidth(by: timerRate)
        let ticks = high >> 32 != 0 ? UInt64(UInt32.max) : high << 32 | low >> 32
        timerStartCount = min(max(ticks, 1), UInt64(UInt32.max))
        write(Register.timerInitialCount, UInt32(timerStartCount))
        if !isTimerMeasured && Machine.nanoseconds() &- timerStartTime > longestGap { timerStartTime = 0 }
    }

    static func disarmTimer() {
        timerStartCount = 0
        write(Register.timerInitialCount, 0)
    }

    /// Compares the timer's progress since it was last started with the clock's; waits for nothing. The rate stays, so
    /// the host must not have taken the processor away between a reading of the one and of the other.
    private static func measureTimer() {
        let now = Machine.nanoseconds()
        let remaining = UInt64(memoryRead32(apic &+ Register.timerCurrentCount))
        let end = Machine.nanoseconds()
        let elapsed = end &- timerStartTime
        if timerStartCount != 0 && timerStartTime != 0 && remaining != 0 && end &- now <= longestGap
            && elapsed >= shortestMeasurement && elapsed >> 32 == 0 {
            timerRate = ((timerStartCount &- remaining) << 32) / elapsed
            isTimerMeasured = timerRate != 0
            if !isTimerMeasured { timerRate = (1 << 32) / 16 }
        }
        timerStartTime = end
    }

    private static func write(_ register: UInt64, _ value: UInt32) {
        memoryWrite32(apic &+ register, value)
    }
}

extension Machine {
    /// Lets interrupts of an 8259 line through; they arrive as `InterruptVector.line(line)`.
    public static func openInterruptLine(_ line: UInt8) { InterruptController.open(line: line) }

    /// Makes `InterruptVector.timer` interrupt once after a time; a later call replaces an earlier one. Times beyond
    /// about a minute are cut to that.
    public static func armTimer(after nanoseconds: UInt64) { InterruptController.armTimer(after: nanoseconds) }

    /// Takes an armed timer back. An interrupt that is already on its way still comes.
    public static func disarmTimer() { InterruptController.disarmTimer() }

    /// Sleeps until an interrupt has come; returns with interrupts off. The interrupt itself is only acknowledged:
    /// the caller looks at its devices and the clock.
    public static func waitForInterrupt() {
        Descriptors.onLandingStack { haltOnce() }
    }
}
