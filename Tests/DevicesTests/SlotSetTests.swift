import Testing

@testable import Devices

@Suite struct SlotSetTests {
    @Test func numbersComeOutInOrderOnce() {
        var set = SlotSet(below: 256)
        for expected in 0..<256 { #expect(set.removeFirst() == expected) }
        #expect(set.removeFirst() == nil)
        #expect(set.count == 0)
    }

    @Test func insertAndRemoveAcrossWords() {
        var set = SlotSet()
        for slot in [255, 0, 63, 64, 127, 128] { set.insert(slot) }
        set.remove(64)
        #expect(!set.contains(64) && set.contains(63) && set.contains(255))
        #expect(set.count == 5)
        #expect(set.removeFirst() == 0)
    }

    @Test func addressKeepsItsBytes() {
        let address = MACAddress(0x02, 0x50, 0x4c, 0x58, 0x00, 0x07)
        #expect(address.bits == 0x0250_4c58_0007)
        #expect((0..<6).map { address[$0] } == [0x02, 0x50, 0x4c, 0x58, 0x00, 0x07])
        #expect(MACAddress(bits: 0xffff_0250_4c58_0007) == address)
    }
}
