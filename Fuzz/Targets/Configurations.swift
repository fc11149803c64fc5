@testable import Devices

extension Target {
    /// Configuration space of a hostile card of either kind: finding it, giving it addresses, routing its interrupt.
    static let configuration = Target("configuration", longest: 512) { bytes in
        var input = Input(bytes)
        let isVirtio = input.flag()
        let card = isVirtio ? VirtioCard.function() : realtek()
        card.bytes.disturb(&input, most: 12)
        for place in card.masks.indices where input.byte() >= 0xC0 { card.masks[place] = input.number() }
        let identity: [UInt8] = [0x86, 0x80, 0x00, 0x70]
        let bridge = HostileFunction(identity + [UInt8](repeating: 0, count: 252), masks: [0, 0, 0, 0, 0, 0])
        var plan = NetworkCardPlan(messageVector: input.flag() ? 0x40 : nil, interruptLine: 11)
        plan.windows = AddressWindows()
        let machine = HostileMachine(input)
        machine.functions = [card, bridge]
        let virtio = isVirtio ? VirtioCard(machine) : nil
        guard var driver = try? findNetworkCard(HostilePlatform(machine: machine), plan) else { return }
        require(driver.maximumFrameBytes <= FrameLimits.jumboFrameBytes, "no card takes more than was asked for")
        _ = driver.transmit(60) { _ in }
        driver.acknowledgeInterrupt()
        for _ in 0..<1000 where driver.receive({ _ in }) {}
        withExtendedLifetime(virtio) {}
    }

    private static func realtek() -> HostileFunction {
        var bytes = [UInt8](repeating: 0, count: 256)
        bytes.replaceSubrange(0..<4, with: [0xEC, 0x10, 0x39, 0x81])
        bytes[0x08] = 0x20
        bytes[0x10] = 1
        bytes[0x3D] = 1
        return HostileFunction(bytes, masks: [0xFF00, 0xFFFF_FF00, 0, 0, 0, 0])
    }
}
