import Instructions

/// Task state and interrupt table: which handler runs on which stack.
///
/// Every vector names a stack of the interrupt stack table, so a handler starts on a known stack whatever the
/// interrupted one was worth; a program's stack overflow is an ordinary page fault of another stack.
enum Descriptors {
    /// The interrupt stack table's slots.
    private enum Stack: UInt64 {
        case fault = 1
        case double = 2
        case interrupt = 3
        case trap = 4
    }

    private static let codeSelector: UInt64 = 0x08
    private static let taskSelector: UInt16 = 0x18
    /// Bytes of a 64-bit task state segment without a port bitmap (Intel SDM volume 3, figure 8-11).
    private static let taskStateBytes: UInt64 = 104

    /// Direct-map addresses of the two tables.
    nonisolated(unsafe) private static var taskState: UInt64 = 0

    static func load() {
        let page = MemoryMap.pageBytes
        guard let tables = Machine.reserveZeroed(byteCount: 2 * page, alignment: page) else {
            Machine.fail("no memory for descriptor tables")
        }
        taskState = MemoryMap.directMap &+ tables &+ page
        setStack(.fault, faultStackTopAddress())
        setStack(.double, doubleStackTopAddress())
        setStack(.interrupt, interruptStackTopAddress())
        setStack(.trap, trapStackTopAddress())
        memoryWrite16(taskState &+ 102, UInt16(taskStateBytes))  // no port bitmap
        describeTaskState()
        loadTaskRegister(taskSelector)

        let interruptTable = MemoryMap.directMap &+ tables
        for vector in 0..<256 { setGate(interruptTable, vector) }
        loadInterruptTable(interruptTable, 256 * 16 - 1)
    }

    /// Runs `body`, which takes interrupts, with those on the landing stack: the interrupt stack may be in use.
    static func onLandingStack(_ body: () -> Void) {
        setStack(.interrupt, landingStackTopAddress())
        body()
        setStack(.interrupt, interruptStackTopAddress())
    }

    private static func setStack(_ stack: Stack, _ top: UInt64) {
        let field = taskState &+ 0x24 &+ (stack.rawValue &- 1) &* 8
        memoryWrite32(field, UInt32(truncatingIfNeeded: top))
        memoryWrite32(field &+ 4, UInt32(truncatingIfNeeded: top >> 32))
    }

    /// The fourth and fifth words of the global descriptor table: an available 64-bit task state.
    private static func describeTaskState() {
        let low = (taskStateBytes &- 1) | (taskState & 0xFF_FFFF) << 16 | 0x89 << 40 | (taskState >> 24 & 0xFF) << 56
        let descriptor = descriptorTableAddress() &+ UInt64(taskSelector)
        memoryWrite64(descriptor, low)
        memoryWrite64(descriptor &+ 8, taskState >> 32)
    }

    /// An interrupt gate: interrupts are off in every handler.
    private static func setGate(_ table: UInt64, _ vector: Int) {
        let handler = memoryRead64(trapStubsAddress() &+ UInt64(vector) &* 8)
        let low = (handler & 0xFFFF) | codeSelector << 16 | stack(for: vector).rawValue << 32 | 0x8E << 40
        let gate = table &+ UInt64(vector) &* 16
        memoryWrite64(gate, low | (handler >> 16 & 0xFFFF) << 48)
        memoryWrite64(gate &+ 8, handler >> 32)
    }

    private static func stack(for vector: Int) -> Stack {
        switch vector {
        case Exception.pageFault: .fault
        case Exception.nonMaskableInterrupt, Exception.doubleFault, Exception.machineCheck: .double
        case 0..<Exception.count: .trap
        default: .interrupt
        }
    }
}
