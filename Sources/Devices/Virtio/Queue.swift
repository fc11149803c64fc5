/// What the device gave back.
enum VirtioUsed: Equatable {
    /// Nothing.
    case none
    /// The buffer of a slot that the device had, with the bytes that the device says it wrote.
    case buffer(slot: Int, byteCount: Int)
    /// An entry that no correct device writes; it was dropped.
    case inconsistent
}

/// A split virtqueue, driver's side: slot i is descriptor i, one buffer each, no chains.
///
/// Both rings count with 16-bit indices that wrap; the entry is the index modulo the size. The device may write
/// anything at any time into its ring: a number that is out of range or whose slot it does not have is dropped, and
/// an index that claims more buffers than there are is believed for one ring's length a call, at most.
struct VirtioQueue<Memory: DMARegion> {
    let memory: Memory
    let layout: VirtioQueueLayout
    /// The slots that the device has.
    private(set) var inFlight = SlotSet()
    /// Our index after the last offered buffer, told to the device or not.
    private var offeredIndex: UInt16 = 0
    /// Our index as the device knows it.
    private var publishedIndex: UInt16 = 0
    /// The device's index up to which its entries were taken.
    private var takenIndex: UInt16 = 0

    /// Takes zeroed memory of at least `layout.byteCount` bytes.
    init(memory: Memory, layout: VirtioQueueLayout, wantsInterrupts: Bool) {
        precondition(memory.byteCount >= layout.byteCount, "the queue's memory is too small")
        self.memory = memory
        self.layout = layout
        memory.store16(layout.availableFlags, wantsInterrupts ? 0 : VirtioQueueLayout.noInterrupt)
    }

    /// Offered buffers that the device was not told of.
    var unpublished: Int { Int(offeredIndex &- publishedIndex) }

    /// Describes a slot's buffer: where, how long, and who writes it. Its address and direction never change.
    func describe(_ slot: Int, address: UInt64, byteCount: Int, deviceWrites: Bool) {
        let descriptor = layout.descriptor(slot)
        memory.store64(descriptor, address)
        memory.store32(descriptor + 8, UInt32(byteCount))
        memory.store16(descriptor + 12, deviceWrites ? VirtioQueueLayout.deviceWrites : 0)
        memory.store16(descriptor + 14, 0)
    }

    /// Changes the length of a slot that the device does not have.
    func resize(_ slot: Int, byteCount: Int) {
        memory.store32(layout.descriptor(slot) + 8, UInt32(byteCount))
    }

    /// Puts a slot into our ring. The device sees it with the next `publish`.
    mutating func offer(_ slot: Int) {
        inFlight.insert(slot)
        memory.store16(layout.availableEntry(offeredIndex), UInt16(slot))
        offeredIndex &+= 1
    }

    /// Shows the device everything offered. True when the device wants to be notified of it.
    mutating func publish() -> Bool {
        guard offeredIndex != publishedIndex else { return false }
        memory.store16(layout.availableIndex, offeredIndex)
        publishedIndex = offeredIndex
        // Without the fence our look at the flags could come before the device can see the index, and both sides
        // would sleep.
        memory.orderStoresBeforeLoads()
        return memory.load16(layout.usedFlags) & VirtioQueueLayout.noNotify == 0
    }

    /// Takes the next buffer that the device gave back.
    mutating func takeUsed() -> VirtioUsed {
        guard memory.load16(layout.usedIndex) != takenIndex else { return .none }
        let entry = layout.usedEntry(takenIndex)
        takenIndex &+= 1
        let number = memory.load32(entry)
        guard number < UInt32(layout.size), inFlight.contains(Int(number)) else { return .inconsistent }
        inFlight.remove(Int(number))
        return .buffer(slot: Int(number), byteCount: Int(memory.load32(entry + 4)))
    }
}
