import Instructions

/// QEMU's debug console (device isa-debugcon at port 0xE9): bytes go straight into a file of the host, one port access
/// each and never a wait. Without the device the bytes go nowhere.
extension Machine {
    private static var debugPort: UInt16 { 0xE9 }

    public static func write(debug byte: UInt8) { portWrite8(debugPort, byte) }

    /// Writes the low `count` bytes of a number, the lowest first.
    public static func write(debug value: UInt64, count: Int) {
        for index in 0..<count { portWrite8(debugPort, UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
    }
}
