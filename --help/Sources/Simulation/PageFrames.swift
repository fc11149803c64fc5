import Protocol
import Wire

/// The page frames of one simulated station: a pool of page contents, numbered.
struct PageFrames {
    static let words = Limits.pageBytes / 8
    private static let rubbish: UInt64 = 0xDEAD_BEEF_DEAD_BEEF
    private var contents: [[UInt64]] = []
    private var free: [Int] = []
    private var isFree: [Bool] = []

    var used: Int { contents.count - free.count }

    subscript(_ handle: FrameHandle) -> [UInt64] {
        get { contents[Int(handle.number)] }
        _modify { yield &contents[Int(handle.number)] }
    }

    /// A frame whose content is old rubbish, as in a real pool.
    mutating func take() -> FrameHandle {
        if let number = free.popLast() {
            isFree[number] = false
            return FrameHandle(UInt32(number))
        }
        contents.append([UInt64](repeating: Self.rubbish, count: Self.words))
        isFree.append(false)
        return FrameHandle(UInt32(contents.count - 1))
    }

    mutating func give(_ handle: FrameHandle) {
        precondition(!isFree[Int(handle.number)], "a frame is given back once")
        isFree[Int(handle.number)] = true
        free.append(Int(handle.number))
        contents[Int(handle.number)][0] = Self.rubbish
    }

    mutating func fill(_ handle: FrameHandle, at offset: Int, with bytes: RawSpan, from start: Int, count: Int) {
        for distance in stride(from: 0, to: count, by: 8) {
            contents[Int(handle.number)][(offset + distance) / 8] = bytes.load(UInt64.self, at: start + distance)
        }
    }

    mutating func clear(_ handle: FrameHandle, at offset: Int, count: Int) {
        for word in offset / 8 ..< (offset + count) / 8 { contents[Int(handle.number)][word] = 0 }
    }

    /// A frame of the network with a part of a page in it.
    func emit(_ handle: FrameHandle?, _ content: PageContent, at target: Int, into bytes: inout [UInt8]) {
        guard let handle, content.count > 0 else { return }
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        for distance in stride(from: 0, to: content.count, by: 8) {
            raw.store(contents[Int(handle.number)][(content.offset + distance) / 8], at: target + distance)
        }
    }
}

/// A frame written by a protocol core.
func makeFrame(_ byteCount: Int, _ fill: (inout MutableRawSpan) -> Void, page: (inout [UInt8]) -> Void = { _ in })
    -> Frame {
    var bytes = [UInt8](repeating: 0, count: byteCount)
    page(&bytes)
    var span = bytes.mutableSpan
    var raw = span.mutableBytes
    fill(&raw)
    return Frame(bytes)
}
