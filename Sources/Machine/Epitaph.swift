import Instructions

/// The last words of a node: what happened in the nucleus, on the serial console, in lines that a tool can read.
enum Epitaph {
    /// Set by the first epitaph: a fault while writing it must not start another.
    nonisolated(unsafe) private static var isBeingWritten = false

    /// Writes the epitaph of a trap in the nucleus and ends the node.
    static func write(_ frame: UnsafePointer<TrapFrame>) -> Never {
        begin()
        TrapReport(title: "EPITAPH ").write(frame)
        end()
    }

    /// Writes the epitaph of a failure that code itself noticed.
    static func write(reason: StaticString) -> Never {
        begin()
        Machine.write(serial: "EPITAPH reason=\"")
        Machine.write(serial: reason)
        Machine.write(serial: "\"\n")
        TrapReport(title: "EPITAPH ").writeBuild()
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
}

extension Machine {
    /// Ends the node with an epitaph that gives `reason`: for what cannot go on, found by code and not by a trap.
    public static func fail(_ reason: StaticString) -> Never {
        Epitaph.write(reason: reason)
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
