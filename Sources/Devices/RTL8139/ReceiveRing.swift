/// What a look at the oldest entry of the receive ring found.
enum RTL8139Entry: Equatable {
    /// Nothing between the two pointers.
    case empty
    /// A frame of `byteCount` bytes, in one piece at `offset` of the ring's memory.
    case frame(offset: Int, byteCount: Int)
    /// A header that a correct card does not write: nothing behind it can be trusted.
    case inconsistent
}

/// The ring of 64 KiB into which the card writes frames one after the other, each behind a header of four bytes
/// (status and length) and before its checksum, aligned to four bytes, wrapping inside frames.
///
/// Only arithmetic over memory: the pointers' registers belong to the driver. The memory goes on behind the ring by
/// `tailBytes`, into which the wrapped part of a frame is copied so that every frame is handed out in one piece. The
/// card, at least as QEMU models it, moves its write pointer only past complete frames; so what lies between the
/// pointers is complete, and a length that reaches past it is a lie.
struct RTL8139ReceiveRing<Memory: DMARegion> {
    /// Bytes of the ring proper.
    static var ringBytes: Int { 65536 }
    /// Room behind the ring for the wrapped part of the longest frame and its checksum.
    static var tailBytes: Int { 4608 }
    static var headerBytes: Int { 4 }
    static var checksumBytes: Int { 4 }

    let memory: Memory
    /// The longest frame that is accepted, without checksum.
    let maximumFrameBytes: Int
    /// Where the oldest entry starts, a multiple of 4 below 65536.
    private(set) var readOffset = 0
    /// How far the card had written when last asked.
    private(set) var writeOffset = 0
    /// Bytes read since the read pointer was last told to the card.
    private(set) var untoldBytes = 0

    init(memory: Memory, maximumFrameBytes: Int) {
        precondition(memory.byteCount >= Self.ringBytes + Self.tailBytes, "the receive ring needs 64 KiB and a tail")
        precondition(maximumFrameBytes + Self.checksumBytes <= Self.tailBytes, "the tail must take the longest frame")
        self.memory = memory
        self.maximumFrameBytes = maximumFrameBytes
    }

    /// What to write to the read pointer register. The card's arithmetic is off by 16.
    var readPointer: UInt16 { UInt16(truncatingIfNeeded: readOffset &- 16) }

    /// True when nothing is left up to the write pointer last seen.
    var isDrained: Bool { readOffset == writeOffset }

    /// Takes a fresh value of the write pointer register. False when no card can have written so far.
    mutating func advance(toWritePointer value: UInt16) -> Bool {
        guard value & 3 == 0 else { return false }
        writeOffset = Int(value)
        return true
    }

    /// Looks at the oldest entry without consuming it.
    func look() -> RTL8139Entry {
        guard !isDrained else { return .empty }
        let header = memory.load32(readOffset)
        let isIntact = header & 1 != 0
        let byteCount = Int(header >> 16) - Self.checksumBytes
        let available = (writeOffset - readOffset) & (Self.ringBytes - 1)
        guard isIntact, byteCount >= FrameLimits.headerBytes, byteCount <= maximumFrameBytes,
            Self.entryBytes(byteCount) <= available
        else { return .inconsistent }
        return .frame(offset: readOffset + Self.headerBytes, byteCount: byteCount)
    }

    /// Copies what wrapped of the frame that `look` found behind the ring's end.
    func unwrap(offset: Int, byteCount: Int) {
        let wrapped = offset + byteCount - Self.ringBytes
        guard wrapped > 0 else { return }
        memory.withBytes(0, wrapped) { source in
            memory.withMutableBytes(Self.ringBytes, wrapped) { target in
                for index in 0..<wrapped {
                    let byte = source.unsafeLoad(fromByteOffset: index, as: UInt8.self)
                    target.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
                }
            }
        }
    }

    /// Steps past a frame of `byteCount` bytes.
    mutating func consume(_ byteCount: Int) {
        let step = Self.entryBytes(byteCount)
        readOffset = (readOffset + step) & (Self.ringBytes - 1)
        untoldBytes += step
    }

    /// Notes that the read pointer was written to the card.
    mutating func told() {
        untoldBytes = 0
    }

    /// Starts over at 0, as the card does when its receiver is configured.
    mutating func restart() {
        readOffset = 0
        writeOffset = 0
        untoldBytes = 0
    }

    /// Header, frame and checksum, rounded up to where the next header starts.
    static func entryBytes(_ byteCount: Int) -> Int {
        (headerBytes + byteCount + checksumBytes + 3) & ~3
    }
}
