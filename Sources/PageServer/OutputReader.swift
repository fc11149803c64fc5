import Heap

/// Follows one stream of the shared memory as it grows from one saved state to the next. Each part is read once.
struct OutputReader {
    private(set) var bytes: [UInt8] = []
    /// The block that was read last; 0 before the first.
    private var page: UInt32 = 0
    /// Bytes of that block that were read.
    private var consumed = 0

    /// Reads what has come since the last call.
    ///
    /// - Parameters: firstPage and byteCount: the stream's record, in the same state as `image`. What a damaged stream
    ///   says beyond `byteCount` is not read.
    mutating func advance(_ image: SharedImage, firstPage: UInt32, byteCount: UInt64) {
        if page == 0 { page = firstPage }
        while page != 0, UInt64(bytes.count) < byteCount {
            guard let copy = image.copy(of: page), let block = StreamBlock(copy) else { return }
            let fresh = block.bytes.dropFirst(consumed)
            bytes.append(contentsOf: fresh.prefix(Int(byteCount) - bytes.count))
            guard block.nextPage != 0, !fresh.isEmpty || consumed > 0 else {
                consumed = block.bytes.count
                return
            }
            page = block.nextPage
            consumed = 0
        }
    }

    /// The text so far. A character of which only a part is there yet is left out.
    var text: String {
        var end = bytes.count
        // At most three bytes of a UTF-8 character can be there without the last one.
        for back in 1...3 where back <= bytes.count {
            let byte = bytes[bytes.count - back]
            guard byte & 0xC0 != 0x80 else { continue }
            let length = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
            if length > back { end = bytes.count - back }
            break
        }
        return String(decoding: bytes[..<end], as: UTF8.self)
    }
}
