import Heap
import Wire

/// Follows one stream of the shared memory as it grows from one saved state to the next. Each part is read once.
struct OutputReader {
    private(set) var bytes: [UInt8] = []
    /// What comes next lies in a page that cannot be read back.
    private(set) var isCut = false
    /// The block that was read last; 0 before the first.
    private var page: UInt32 = 0
    /// Bytes of that block that were read.
    private var consumed = 0
    /// Bytes that were handed out as text.
    private var taken = 0

    /// Reads what has come since the last call.
    ///
    /// - Parameters: firstPage and byteCount: the stream's record, in the same state as `image`. What a damaged stream
    ///   says beyond `byteCount` is not read.
    mutating func advance(_ image: SharedImage, firstPage: UInt32, byteCount: UInt64) {
        if page == 0 { page = firstPage }
        // A program may have overwritten the record, and led the blocks in a circle: but no stream is longer than the
        // memory.
        let end = Int(min(byteCount, UInt64(image.pageCount) * UInt64(Limits.pageBytes)))
        isCut = false
        while page != 0, bytes.count < end {
            guard let copy = image.copy(of: page) else {
                isCut = Int(page) < image.pageCount
                return
            }
            guard let block = StreamBlock(copy) else { return }
            let fresh = block.bytes.dropFirst(consumed)
            bytes.append(contentsOf: fresh.prefix(end - bytes.count))
            guard block.nextPage != 0, !fresh.isEmpty || consumed > 0 else {
                consumed = block.bytes.count
                return
            }
            page = block.nextPage
            consumed = 0
        }
    }

    /// The lines that were completed since the last call, or everything that was not taken yet; nil when that is
    /// nothing.
    mutating func takeText(isLast: Bool) -> String? {
        let rest = bytes[taken...]
        let end = isLast ? bytes.count : rest.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? taken
        guard end > taken else { return nil }
        defer { taken = end }
        return String(decoding: bytes[taken..<end], as: UTF8.self)
    }
}
