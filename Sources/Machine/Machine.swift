import Instructions

/// The processor and the board under the nucleus, as Node and the drivers see them.
///
/// This room is the only one that touches ports, control registers and raw memory. There is one processor; unless a
/// function says otherwise it is called by the nucleus, that is with interrupts off.
public enum Machine {
    /// Where physical memory is readable and writable. Only usable RAM (below `BootInformation.memoryBytes`) is mapped.
    public static func directMap(_ physical: UInt64) -> UnsafeMutableRawPointer {
        UnsafeMutableRawPointer(bitPattern: UInt(MemoryMap.directMap &+ physical)).unsafelyUnwrapped
    }

    /// Physical address of the PML4. Node hooks the DSM windows into it.
    public static var rootTable: UInt64 { readRootTable() & 0x000F_FFFF_FFFF_F000 }

    /// Forgets the cached translation of one page; also needed before cleared A and D bits count again.
    public static func invalidate(page address: UInt64) { invalidatePage(address) }

    /// Forgets every cached translation.
    public static func reloadAddressSpace() { writeRootTable(readRootTable()) }

    /// The processor's time stamp counter, of unknown rate. Cheap; `nanoseconds()` has a rate.
    public static func timestamp() -> UInt64 { readTimestamp() }

    /// The 16 bytes that name this build: a hash of the linked image, the same on all nodes that run it.
    public static var buildIdentifier: RawSpan {
        @_lifetime(immortal) get {
            let bytes = UnsafeRawBufferPointer(
                start: UnsafeRawPointer(bitPattern: UInt(buildIdentifierBytesAddress())), count: 16)
            return unsafe _overrideLifetime(RawSpan(_unsafeBytes: bytes), copying: ())
        }
    }
}

extension Machine {
    /// Says on the serial console that the node is up and what that has cost: the line `READY ticks=` with the count
    /// of the time stamp counter since the entry point. Images/check-boot reads it.
    public static func announceReady() {
        let ticks = timestamp() &- bootInformation.entryTimestamp
        write(serial: "READY ticks=")
        write(serialDecimal: ticks)
        write(serial: "\n")
    }
}

/// Called by Boot/entry.asm on the main stack, paging on by the boot tables, interrupts off.
@c(machineStart)
func machineStart(_ startInfo: UInt64) {
    SerialConsole.start()
    BootInformation.read(startInfo: startInfo)
    AddressSpace.build()
    Descriptors.load()
    Clock.start()
    Allocator.start()
    InterruptController.start()
    nucleusMain()
    Machine.fail("nucleusMain returned")
}
