import Instructions

/// What the trap entry pushed: the whole state of the interrupted processor. Changes to it take effect on return.
public typealias TrapFrame = Instructions.TrapFrame

/// Exception vectors (Intel SDM volume 3, table 6-1).
public enum Exception {
    /// Vectors below this are exceptions.
    static let count = 32
    static let nonMaskableInterrupt = 2
    /// What a Swift runtime check ends in.
    public static let undefinedInstruction = 6
    static let doubleFault = 8
    public static let pageFault = 14
    static let machineCheck = 18

    /// True for what is the machine's trouble whoever was running.
    static func endsNode(_ vector: UInt64) -> Bool {
        vector == UInt64(nonMaskableInterrupt) || vector == UInt64(doubleFault) || vector == UInt64(machineCheck)
    }

    /// The exception's name as epitaphs print it.
    public static func name(_ vector: UInt64) -> StaticString {
        switch vector {
        case 0: "divideError"
        case 1: "debug"
        case 2: "nonMaskableInterrupt"
        case 3: "breakpoint"
        case 4: "overflow"
        case 5: "boundRange"
        case 6: "undefinedInstruction"
        case 7: "deviceNotAvailable"
        case 8: "doubleFault"
        case 10: "invalidTaskState"
        case 11: "segmentNotPresent"
        case 12: "stackSegment"
        case 13: "generalProtection"
        case 14: "pageFault"
        case 16: "floatingPoint"
        case 17: "alignmentCheck"
        case 18: "machineCheck"
        case 19: "vectorFloatingPoint"
        case 20: "virtualization"
        case 21: "controlProtection"
        default: "reserved"
        }
    }
}

/// Bits of a page fault's error code (Intel SDM volume 3, section 4.7).
public enum PageFaultBits {
    /// Set: the page is present but does not allow the access. Clear: it is not present.
    public static let protection: UInt64 = 1 << 0
    /// The access was a write.
    public static let write: UInt64 = 1 << 1
    /// A reserved bit was set in a page-table entry.
    public static let reserved: UInt64 = 1 << 3
    /// The access was an instruction fetch.
    public static let fetch: UInt64 = 1 << 4
}

/// Called by Boot/traps.asm for every exception, on that exception's stack, interrupts off.
@c(machineTrap)
func machineTrap(_ frame: UnsafeMutablePointer<TrapFrame>) {
    let isProgram = frame.pointee.context != 0
    guard isProgram && !Exception.endsNode(frame.pointee.vector) else { Epitaph.write(frame) }
    if isSharedPageFault(frame) {
        nucleusPageFault(frame.pointee.faultAddress, frame.pointee.errorCode, frame)
    } else {
        nucleusTrap(frame)
    }
}

/// A fault that the DSM may cure. An instruction fetch from shared data is none: data is never executable.
private func isSharedPageFault(_ frame: UnsafeMutablePointer<TrapFrame>) -> Bool {
    guard frame.pointee.vector == UInt64(Exception.pageFault) else { return false }
    let address = frame.pointee.faultAddress
    if MemoryMap.dataWindow.contains(address) { return frame.pointee.errorCode & PageFaultBits.fetch == 0 }
    return MemoryMap.codeWindow.contains(address)
}

/// Called by Boot/traps.asm for every interrupt, on the interrupt stack (from a program) or the landing stack.
///
/// The controllers are acknowledged first, so that the hook may abort the program.
@c(machineInterrupt)
func machineInterrupt(_ vector: UInt64, _ context: UInt64) {
    guard InterruptController.acknowledge(vector) else { return }
    if context != 0 { nucleusInterrupt(vector) }
}

extension Machine {
    /// True when the fault is the program's stack overflow: it touched the guard below its stack.
    public static func isStackOverflow(_ frame: UnsafePointer<TrapFrame>) -> Bool {
        frame.pointee.vector == UInt64(Exception.pageFault)
            && frame.pointee.faultAddress >= programStackGuardAddress()
            && frame.pointee.faultAddress < programStackBottomAddress()
    }
}
