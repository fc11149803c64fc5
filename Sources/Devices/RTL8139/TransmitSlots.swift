/// The four transmit slots, which the card works off in turn.
///
/// Only bookkeeping: the driver knows which slot is next and which were free when the card was last asked.
struct RTL8139TransmitSlots {
    static let count = 4
    /// Bytes from one slot's buffer to the next: the longest frame, rounded up.
    static let slotBytes = 4608
    /// The size field has 13 bits.
    static let sizeMask: UInt32 = 0x1fff

    /// The slot whose turn it is; the card insists on the order.
    private(set) var next = 0
    /// How many slots from `next` on are known to be free.
    private(set) var knownFree = RTL8139TransmitSlots.count

    /// Takes the next slot, which must be known to be free.
    mutating func take() -> Int {
        precondition(knownFree > 0, "no transmit slot is known to be free")
        let slot = next
        next = (next + 1) & (Self.count - 1)
        knownFree -= 1
        return slot
    }

    /// Takes a fresh value of the register that shows all slots: counts the free ones from the next on.
    mutating func refresh(_ allStatus: UInt16) {
        knownFree = 0
        while knownFree < Self.count, allStatus & (1 << UInt16((next + knownFree) & (Self.count - 1))) != 0 {
            knownFree += 1
        }
    }
}
