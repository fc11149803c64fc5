/// The buffers of the frames that a virtio card sends: one for each slot of the queue, the last few of them long.
struct VirtioTransmitBuffers<Memory: DMARegion> {
    /// Long buffers, if the queue is large enough for both kinds.
    static var trains: Int { 8 }
    /// Bytes from one long buffer to the next.
    static var trainSlotBytes: Int { FrameLimits.trainFrameBytes + 256 }

    private let frames: Memory
    private let longFrames: Memory?
    /// The first slot with a long buffer.
    private let firstTrain: Int
    private var freeSlots: SlotSet
    private var freeTrains = SlotSet()

    /// Describes every buffer to the queue. Throws `outOfMemory`.
    init<Platform: DevicePlatform>(
        _ platform: Platform, _ queue: VirtioQueue<Memory>, hasTrains: Bool
    ) throws(DeviceError) where Platform.Memory == Memory {
        let trains = hasTrains && queue.layout.size >= 4 * Self.trains ? Self.trains : 0
        firstTrain = queue.layout.size - trains
        freeSlots = SlotSet(below: firstTrain)
        for slot in firstTrain..<queue.layout.size { freeTrains.insert(slot) }
        let byteCount = firstTrain * VirtioNetworkBuffer.slotBytes
        guard let frames = platform.allocateDMA(byteCount: byteCount, alignment: 16, isZeroed: false)
        else { throw .outOfMemory }
        self.frames = frames
        longFrames = trains == 0
            ? nil : platform.allocateDMA(byteCount: trains * Self.trainSlotBytes, alignment: 16, isZeroed: false)
        guard trains == 0 || longFrames != nil else { throw .outOfMemory }
        for slot in 0..<queue.layout.size {
            let (memory, start) = place(slot)
            queue.describe(slot, address: memory.physicalAddress + UInt64(start), byteCount: 0, deviceWrites: false)
            memory.withMutableBytes(start, VirtioNetworkBuffer.headerBytes) { $0.clear(from: 0) }
        }
    }

    var maximumBytes: Int? { longFrames == nil ? nil : FrameLimits.trainFrameBytes }

    /// Where the header of a slot's frame lies; the frame is behind it.
    private func place(_ slot: Int) -> (Memory, Int) {
        if slot >= firstTrain, let longFrames {
            return (longFrames, (slot - firstTrain) * Self.trainSlotBytes + VirtioNetworkBuffer.headerOffset)
        }
        return (frames, slot * VirtioNetworkBuffer.slotBytes + VirtioNetworkBuffer.headerOffset)
    }

    /// Whether there is a buffer for a frame of so many bytes.
    func hasRoom(_ byteCount: Int) -> Bool {
        byteCount <= VirtioNetworkBuffer.roomBytes ? freeSlots.count > 0 : freeTrains.count > 0
    }

    /// Takes the slot of a free buffer for a frame of so many bytes.
    mutating func take(_ byteCount: Int) -> Int? {
        byteCount <= VirtioNetworkBuffer.roomBytes ? freeSlots.removeFirst() : freeTrains.removeFirst()
    }

    /// The device has sent what was in the slot's buffer.
    mutating func give(_ slot: Int) {
        if slot < firstTrain { freeSlots.insert(slot) } else { freeTrains.insert(slot) }
    }

    /// Lends `padded` bytes of a slot's buffer, of which `fill` sees the first `count`; the rest becomes zero.
    func fill(_ slot: Int, _ count: Int, padded: Int, _ fill: (inout MutableRawSpan) -> Void) {
        let (memory, start) = place(slot)
        memory.fillFrame(start + VirtioNetworkBuffer.headerBytes, count, padded: padded, fill)
    }
}
