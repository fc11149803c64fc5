import Instructions

/// A trap in lines that a tool can read: cause, registers, build, callers. Each line begins with `title`.
struct TrapReport {
    let title: StaticString

    func write(_ frame: UnsafePointer<TrapFrame>) {
        writeCause(frame)
        writeRegisters(frame)
        writeBuild()
        Machine.forEachCaller(of: frame) { returnAddress in
            Machine.write(serial: title)
            item("caller=", returnAddress)
            Machine.write(serial: "\n")
        }
    }

    func writeBuild() {
        Machine.write(serial: title)
        Machine.write(serial: "build=")
        let identifier = Machine.buildIdentifier
        for index in 0..<identifier.byteCount {
            let byte = memoryRead8(buildIdentifierBytesAddress() &+ UInt64(index))
            Machine.write(serialDigit: byte >> 4)
            Machine.write(serialDigit: byte & 15)
        }
        Machine.write(serial: "\n")
    }

    private func writeCause(_ frame: UnsafePointer<TrapFrame>) {
        Machine.write(serial: title)
        Machine.write(serial: "vector=")
        Machine.write(serialDecimal: frame.pointee.vector)
        Machine.write(serial: " name=")
        Machine.write(serial: Exception.name(frame.pointee.vector))
        item(" error=", frame.pointee.errorCode)
        item(" rip=", frame.pointee.rip)
        item(" cr2=", frame.pointee.faultAddress)
        item(" rsp=", frame.pointee.rsp)
        Machine.write(serial: "\n")
    }

    private func writeRegisters(_ frame: UnsafePointer<TrapFrame>) {
        let registers = frame.pointee
        line("rax=", registers.rax, " rbx=", registers.rbx, " rcx=", registers.rcx, " rdx=", registers.rdx)
        line("rsi=", registers.rsi, " rdi=", registers.rdi, " rbp=", registers.rbp, " rflags=", registers.rflags)
        line("r8=", registers.r8, " r9=", registers.r9, " r10=", registers.r10, " r11=", registers.r11)
        line("r12=", registers.r12, " r13=", registers.r13, " r14=", registers.r14, " r15=", registers.r15)
    }

    private func line(
        _ firstName: StaticString, _ first: UInt64, _ secondName: StaticString, _ second: UInt64,
        _ thirdName: StaticString, _ third: UInt64, _ fourthName: StaticString, _ fourth: UInt64
    ) {
        Machine.write(serial: title)
        item(firstName, first)
        item(secondName, second)
        item(thirdName, third)
        item(fourthName, fourth)
        Machine.write(serial: "\n")
    }

    private func item(_ name: StaticString, _ value: UInt64) {
        Machine.write(serial: name)
        Machine.write(serialHexadecimal: value)
    }
}

extension Machine {
    /// Writes a program's trap to the serial console in the epitaph's form, each line beginning with `TRAP `.
    public static func writeTrap(_ frame: UnsafePointer<TrapFrame>) {
        TrapReport(title: "TRAP ").write(frame)
    }

    /// Writes the line `build=` with the 32 digits of the build identifier.
    public static func writeBuildIdentifier() { TrapReport(title: "").writeBuild() }

    /// Gives the return addresses of the interrupted code's callers, innermost first, at most 32.
    ///
    /// It follows the chain of frame pointers: each points to the caller's, with the return address above. The chain
    /// is believed only while it climbs within a stack and leads into the nucleus's text. The interrupted instruction
    /// itself is the frame's `rip`.
    public static func forEachCaller(of frame: UnsafePointer<TrapFrame>, _ body: (UInt64) -> Void) {
        var link = frame.pointee.rbp
        for _ in 0..<32 {
            guard isOnStack(link) else { return }
            let returnAddress = memoryRead64(link &+ 8)
            guard returnAddress >= imageStartAddress() && returnAddress < rodataStartAddress() else { return }
            body(returnAddress)
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
}
