/// Register offsets from the card's first port (Realtek RTL8139C+ datasheet, section 6).
enum RTL8139Register {
    /// The station's address, six bytes.
    static let address: UInt16 = 0x00
    /// Physical address of the ring of transmit descriptors, 64 bits in two writes.
    static let transmitRing: UInt16 = 0x20
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
    /// Says that descriptors wait (TPPoll).
    static let transmitPoll: UInt16 = 0xd9
    /// What of the C+ is on (CPCR); the driver leaves its receiver off.
    static let plusCommand: UInt16 = 0xe0
}

/// Bits of the registers that command.
enum RTL8139Command {
    static let reset: UInt8 = 0x10
    static let receive: UInt8 = 0x08
    static let transmit: UInt8 = 0x04
    /// In `plusCommand`: the transmitter takes its frames from the ring of descriptors.
    static let plusTransmit: UInt16 = 1 << 0
    /// In `transmitPoll`: the ring of normal priority.
    static let pollTransmitRing: UInt8 = 1 << 6
}

/// Bits of interrupt mask and status.
enum RTL8139Interrupt {
    static let received: UInt16 = 1 << 0
    static let receiveError: UInt16 = 1 << 1
    static let receiveOverflow: UInt16 = 1 << 4
    static let fifoOverflow: UInt16 = 1 << 6
    /// All that concerns reception, and all that the driver asks for: what was sent is looked up when a descriptor is
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
