/// The part of Intel's PIIX3 that connects the four interrupt wires of PCI to the interrupt controller (82371SB
/// datasheet, sections 2.2.4 and 2.5.7), as the machine `pc` has it.
public struct InterruptRouter<Ports: PortSpace> {
    /// The first of the four registers that name the line of a wire; bit 7 disconnects it.
    static var firstWireRegister: UInt8 { 0x60 }
    /// Trigger mode of lines 8 to 15, one bit each: 1 means level.
    static var highTriggerPort: UInt16 { 0x4d1 }
    /// Trigger mode of lines 0 to 7.
    static var lowTriggerPort: UInt16 { 0x4d0 }

    private let space: ConfigurationSpace<Ports>
    private let bridge: PCIFunction

    /// Finds the bridge on bus 0; nil when the machine has another one.
    public init?(_ space: ConfigurationSpace<Ports>) {
        guard let (bridge, _) = space.first(where: { $0 == .interruptRouter }) else { return nil }
        self.space = space
        self.bridge = bridge
    }

    /// Connects the wire of `function` to interrupt line `line` and tells the function so.
    ///
    /// With `isLevel` false the line reacts to the rising edge only. That is safe for our drivers, whose
    /// acknowledgement always lowers the wire before anything may raise it again, and it cannot storm while the
    /// acknowledgement is put off.
    public func route(_ function: PCIFunction, to line: UInt8, isLevel: Bool) {
        let isRoutable = line < 16 && Self.routable & (1 << UInt16(line)) != 0
        precondition(isRoutable, "PIIX3 routes to lines 3 to 7, 9 to 12, 14 and 15")
        let pin = space.read8(function, HeaderOffset.interruptPin)
        space.write8(bridge, Self.firstWireRegister + Self.wire(function, pin: pin), line)
        space.write8(function, HeaderOffset.interruptLine, line)
        setTrigger(line, isLevel: isLevel)
    }

    /// Which of the four wires, 0 to 3, pin 1 to 4 of a slot is soldered to on the machine `pc`.
    static func wire(_ function: PCIFunction, pin: UInt8) -> UInt8 {
        (function.device &+ pin &+ 2) & 3
    }

    /// One bit for each line that a wire may lead to.
    private static var routable: UInt16 { 0b1101_1110_1111_1000 }

    private func setTrigger(_ line: UInt8, isLevel: Bool) {
        let port = line < 8 ? Self.lowTriggerPort : Self.highTriggerPort
        let bit: UInt8 = 1 << (line & 7)
        let old = space.ports.read8(port)
        space.ports.write8(port, isLevel ? old | bit : old & ~bit)
    }
}
