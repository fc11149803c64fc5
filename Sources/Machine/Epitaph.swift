import Instructions

/// The last words of a node: what happened in the nucleus, on the serial console, in lines that a tool can read.
enum Epitaph {
    /// Set by the first epitaph: a fault while writing it must not start another.
    nonisolated(unsafe) private static var isBeingWritten = false

    /// Return addresses printed at most.
    private static let backtraceLimit = 32

    /// Writes the epitaph of a trap in the nucleus and ends the node.
    static func write(_ frame: UnsafePointer<TrapFrame>) -> Never {
        begin()
        writeCause(frame)
        writeRegisters(frame)
        Machine.writeBuildIdentifier()
        writeBacktrace(from: frame.pointee.rbp)
        end()
    }

    /// Writes the epitaph of a failure that code itself noticed.
    static func write(reason: StaticString) -> Never {
        begin()
        Machine.write(serial: "EPITAPH reason=\"")
        Machine.write(serial: reason)
        Machine.write(serial: "\"\n")
        Machine.writeBuildIdentifier()
        end()
    }

    private static func begin() {
        disableInterrupts()
        setCurrentContext(0)
        guard !isBeingWritten else {
            Machine.write(serial: "\nEPITAPH again: a fault inside the epitaph\nEPITAPH END\n")
            Machine.die()
        }
        isBeingWritten = true
        Machine.write(serial: "\n")
    }

    private static func end() -> Never {
        nucleusEpitaph()
        Machine.write(serial: "EPITAPH END\n")
        Machine.die()
    }

    private static func writeCause(_ frame: UnsafePointer<TrapFrame>) {
        Machine.write(serial: "EPITAPH vector=")
        Machine.write(serialDecimal: frame.pointee.vector)
        Machine.write(serial: " name=")
        Machine.write(serial: name(of: frame.pointee.vector))
        item(" error=", frame.pointee.errorCode)
        item(" rip=", frame.pointee.rip)
        item(" cr2=", frame.pointee.faultAddress)
        item(" rsp=", frame.pointee.rsp)
        Machine.write(serial: "\n")
    }

    private static func writeRegisters(_ frame: UnsafePointer<TrapFrame>) {
        let registers = frame.pointee
        line("rax=", registers.rax, " rbx=", registers.rbx, " rcx=", registers.rcx, " rdx=", registers.rdx)
        line("rsi=", registers.rsi, " rdi=", registers.rdi, " rbp=", registers.rbp, " rflags=", registers.rflags)
        line("r8=", registers.r8, " r9=", registers.r9, " r10=", registers.r10, " r11=", registers.r11)
        line("r12=", registers.r12, " r13=", registers.r13, " r14=", registers.r14, " r15=", registers.r15)
    }

    private static func line(
        _ firstName: StaticString, _ first: UInt64, _ secondName: StaticString, _ second: UInt64,
        _ thirdName: StaticString, _ third: UInt64, _ fourthName: StaticString, _ fourth: UInt64
    ) {
        Machine.write(serial: "EPITAPH ")
        item(firstName, first)
        item(secondName, second)
        item(thirdName, third)
        item(fourthName, fourth)
        Machine.write(serial: "\n")
    }

    private static func item(_ name: StaticString, _ value: UInt64) {
        Machine.write(serial: name)
        Machine.write(serialHexadecimal: value)
    }

    /// Follows the chain of frame pointers: each points to the caller's, with the return address above. The chain is
    /// believed only while it climbs within the nucleus's stacks.
    private static func writeBacktrace(from framePointer: UInt64) {
        var link = framePointer
        for _ in 0..<backtraceLimit {
            guard isOnStack(link) else { return }
            let returnAddress = memoryRead64(link &+ 8)
            guard returnAddress >= imageStartAddress() && returnAddress < rodataStartAddress() else { return }
            item("EPITAPH caller=", returnAddress)
            Machine.write(serial: "\n")
            let next = memoryRead64(link)
            guard next > link else { return }
            link = next
        }
    }

    /// True when the two words at an address are readable stack.
    private static func isOnStack(_ address: UInt64) -> Bool {
        address & 7 == 0
            && (contains(address, mainStackBottomAddress(), mainStackTopAddress())
                || contains(address, faultStackBottomAddress(), faultStackTopAddress())
                || contains(address, interruptStackBottomAddress(), interruptStackTopAddress())
                || contains(address, trapStackBottomAddress(), trapStackTopAddress())
                || contains(address, programStackBottomAddress(), programStackTopAddress()))
    }

    private static func contains(_ address: UInt64, _ bottom: UInt64, _ top: UInt64) -> Bool {
        address >= bottom && address <= top &- 16
    }

    /// The names of Intel's manual, volume 3, table 6-1.
    static func name(of vector: UInt64) -> StaticString {
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

extension Machine {
    /// Ends the node with an epitaph that gives `reason`: for what cannot go on, found by code and not by a trap.
    public static func fail(_ reason: StaticString) -> Never {
        Epitaph.write(reason: reason)
    }

    /// The name of an exception as the epitaph prints it.
    public static func exceptionName(_ vector: UInt64) -> StaticString { Epitaph.name(of: vector) }

    /// Writes the line `EPITAPH build=` with the 32 digits of the build identifier.
    public static func writeBuildIdentifier() {
        write(serial: "EPITAPH build=")
        for index in 0..<UInt64(16) {
            let byte = memoryRead8(buildIdentifierBytesAddress() &+ index)
            write(serialDigit: byte >> 4)
            write(serialDigit: byte & 15)
        }
        write(serial: "\n")
    }

    /// Resets the machine; the host ends a virtual machine that does so. First the keyboard controller's reset line,
    /// then, where there is none, a fault with no table to handle it.
    public static func die() -> Never {
        disableInterrupts()
        portWrite8(0x64, 0xFE)
        loadInterruptTable(0, 0)
        while true { undefinedInstruction() }
    }
}
