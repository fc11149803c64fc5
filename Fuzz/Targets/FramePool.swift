import Protocol
import Wire

/// Page frames without content: who has which, and which of their bytes were written.
struct FramePool {
    private var isTaken: [Bool] = []
    /// For each frame 512 bits, one for each eight bytes of it.
    private var written: [[UInt64]] = []
    private(set) var count = 0

    private static let words = Limits.pageBytes / 512

    mutating func take() -> FrameHandle {
        count += 1
        let empty = [UInt64](repeating: 0, count: Self.words)
        if let free = isTaken.firstIndex(of: false) {
            isTaken[free] = true
            written[free] = empty
            return FrameHandle(UInt32(free))
        }
        isTaken.append(true)
        written.append(empty)
        return FrameHandle(UInt32(isTaken.count - 1))
    }

    mutating func give(_ handle: FrameHandle) {
        use(handle)
        isTaken[Int(handle.number)] = false
        count -= 1
    }

    /// A frame may be used from its taking to its giving back.
    func use(_ handle: FrameHandle) {
        require(
            Int(handle.number) < isTaken.count && isTaken[Int(handle.number)], "a frame is used only while it is taken")
    }

    mutating func write(_ handle: FrameHandle, at offset: Int, count: Int) {
        use(handle)
        require(
            offset >= 0 && count >= 0 && offset + count <= Limits.pageBytes, "a page is written inside of its frame")
        // Eight bytes count as written when the last of them is.
        for place in offset..<offset + count where place % 8 == 7 {
            written[Int(handle.number)][place / 512] |= 1 << UInt64(place / 8 % 64)
        }
    }

    func isWhole(_ handle: FrameHandle) -> Bool {
        use(handle)
        return written[Int(handle.number)].allSatisfy { $0 == .max }
    }
}
