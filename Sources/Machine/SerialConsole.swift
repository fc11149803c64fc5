import Instructions

/// COM1, a 16550 at its customary port: the node's console and the last voice of a dying one.
///
/// Polled, never interrupt-driven, so that it works in any state of the machine.
enum SerialConsole {
    private static let data: UInt16 = 0x3F8
    private static let interruptEnable: UInt16 = 0x3F9
    private static let fifoControl: UInt16 = 0x3FA
    private static let lineControl: UInt16 = 0x3FB
    private static let modemControl: UInt16 = 0x3FC
    private static let lineStatus: UInt16 = 0x3FD

    /// Reads of the line status to wait for room before a byte is given up: a console that nobody drains must not
    /// stop the node. At 115200 baud a byte takes 87 microseconds.
    private static let patience = 100_000

    /// 115200 baud, 8 bits, no parity, one stop bit, FIFO on, no interrupts.
    static func start() {
        portWrite8(interruptEnable, 0)
        portWrite8(lineControl, 0x80)
        portWrite8(data, 1)
        portWrite8(interruptEnable, 0)
        portWrite8(lineControl, 0x03)
        portWrite8(fifoControl, 0x07)
        portWrite8(modemControl, 0x03)
    }

    static func write(_ byte: UInt8) {
        var remaining = patience
        while portRead8(lineStatus) & 0x20 == 0 {
            remaining -= 1
            if remaining == 0 { return }
        }
        portWrite8(data, byte)
    }
}

extension Machine {
    /// Writes one byte to the serial console; waits for room, not for the line.
    public static func write(serial byte: UInt8) {
        SerialConsole.write(byte)
    }

    /// Writes text to the serial console, byte by byte, without a line end of its own.
    public static func write(serial text: StaticString) {
        text.withUTF8Buffer { for byte in $0 { SerialConsole.write(byte) } }
    }

    /// Writes bytes to the serial console.
    public static func write(serial bytes: RawSpan) {
        for index in 0..<bytes.byteCount {
            SerialConsole.write(unsafe bytes.unsafeLoad(fromUncheckedByteOffset: index, as: UInt8.self))
        }
    }

    /// Writes bytes to the serial console.
    public static func write(serial bytes: UnsafeRawBufferPointer) {
        for byte in bytes { SerialConsole.write(byte) }
    }

    /// Writes a number in decimal.
    public static func write(serialDecimal value: UInt64) {
        if value >= 10 { write(serialDecimal: value / 10) }
        SerialConsole.write(48 + UInt8(truncatingIfNeeded: value % 10))
    }

    /// Writes a number as 0x and sixteen hexadecimal digits.
    public static func write(serialHexadecimal value: UInt64) {
        write(serial: "0x")
        for index in 0..<16 {
            write(serialDigit: UInt8(truncatingIfNeeded: value >> UInt64(60 - 4 * index)) & 15)
        }
    }

    /// Writes one hexadecimal digit, 0 to 15.
    static func write(serialDigit digit: UInt8) {
        SerialConsole.write(digit < 10 ? 48 &+ digit : 87 &+ digit)
    }
}
