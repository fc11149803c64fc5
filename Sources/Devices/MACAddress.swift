/// The six bytes that name a station on an Ethernet segment.
///
/// Kept as one integer so that it compares in one instruction and needs no memory of its own.
public struct MACAddress: Equatable, Sendable {
    /// The six bytes, first byte on the wire most significant, in the low 48 bits; the high 16 bits are zero.
    public let bits: UInt64

    /// Takes the low 48 bits of `bits`; the others are dropped.
    public init(bits: UInt64) {
        self.bits = bits & 0xffff_ffff_ffff
    }

    /// Builds an address from its bytes in the order in which they travel.
    public init(_ first: UInt8, _ second: UInt8, _ third: UInt8, _ fourth: UInt8, _ fifth: UInt8, _ sixth: UInt8) {
        let high = UInt64(first) << 40 | UInt64(second) << 32 | UInt64(third) << 24
        self.bits = high | UInt64(fourth) << 16 | UInt64(fifth) << 8 | UInt64(sixth)
    }

    /// The byte that travels as number `index`, 0 to 5.
    public subscript(index: Int) -> UInt8 {
        precondition(index >= 0 && index < 6, "an Ethernet address has six bytes")
        return UInt8(truncatingIfNeeded: bits >> UInt64(40 - 8 * index))
    }
}
