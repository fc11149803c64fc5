/// Register offsets from the card's first port (Realtek RTL8139D datasheet, section 6).
enum RTL8139Register {
    /// The station's address, six bytes.
    static let address: UInt16 = 0x00
    /// Status and command of transmit slot 0; slots 1 to 3 follow, 4 bytes each.
    static let transmitStatus: UInt16 = 0x10
    /// Physical address of the frame in transmit slot 0; slots 1 to 3 follow, 4 bytes each.
    static let transmitAddress: UInt16 = 0x20
    /// Physical address of the receive ring.
    static let receiveBuffer: UInt16 = 0x30
    /// Reset, receiver and transmitter.
    static let command: UInt16 = 0x37
    /// How far the driver has read, minus 16 (CAPR).
    static let readPointer: UInt16 = 0x38
    /// How far the card has written (CBR).
    static let writePointer: UInt16 = 0x3a
    /// Which interrupts raise the wire.
    static let interruptMask: UInt16 = 0x3c
    /// Which interrupts happened; writing ones clears them.
    static let interruptStatus: UInt16 = 0x3e
    static let transmitConfiguration: UInt16 = 0x40
    static let receiveConfiguration: UInt16 = 0x44
    /// Power and mapping; 0 wakes the card.
    static let firstConfiguration: UInt16 = 0x52
    /// Status of all four transmit slots at once (TSAD): bits 0 to 3 say that the driver owns slot 0 to 3.
    static let allTransmitStatus: UInt16 = 0x60
}

/// Bits of the command register.
enum RTL8139Command {
    static let reset: UInt8 = 0x10
    static let receive: UInt8 = 0x08
    static let transmit: UInt8 = 0x04
}

/// Bits of interrupt mask and status.
enum RTL8139Interrupt {
    static let received: UInt16 = 1 << 0
    static let receiveError: UInt16 = 1 << 1
    static let receiveOverflow: UInt16 = 1 << 4
    static let fifoOverflow: UInt16 = 1 << 6
    /// All that concerns reception, and all that the driver asks for: what was sent is looked up when a slot is
    /// needed.
    static let receiving = received | receiveError | receiveOverflow | fifoOverflow
}

/// Values of the two configuration registers.
enum RTL8139Configuration {
    /// Frames to the own address and to all, a ring of 64 KiB that wraps inside frames, unlimited bursts, no early
    /// interrupt.
    static let receive: UInt32 = 0b111 << 13 | 0b11 << 11 | 0b111 << 8 | 1 << 3 | 1 << 1
    /// Standard gap between frames, bursts of 2048 bytes.
    static let transmit: UInt32 = 0b11 << 24 | 0b111 << 8
}
