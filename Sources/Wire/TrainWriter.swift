/// Writes a train into its frame, page after page, and signs it in the same pass: who sends a page reads it once.
public struct TrainWriter {
    private let header: FrameHeader
    private let nonce: UInt64
    private let version: GlobalTime
    private let count: Int
    private let key: FrameKey
    private var hash: SipHash
    private var place = 0

    /// - Parameter header: of a payload of `PageTrain.byteCount(count)` bytes.
    public init(_ header: FrameHeader, nonce: UInt64, version: GlobalTime, count: Int, key: FrameKey) {
        self.header = header
        self.nonce = nonce
        self.version = version
        self.count = count
        self.key = key
        hash = key.emptyHash
    }

    /// Bytes of the frame.
    public var byteCount: Int { Limits.headerBytes + PageTrain.byteCount(count) }

    /// Writes what is in front of the pages.
    public mutating func begin(_ frame: inout MutableRawSpan) {
        PageTrain.emit(nonce, version, count, into: &frame)
        header.emitFields(into: &frame)
        key.absorb(fieldsOf: frame.bytes, into: &hash)
    }

    /// Writes the next page, its number and all of its bytes.
    public mutating func append(_ page: PageNumber, _ bytes: RawSpan, to frame: inout MutableRawSpan) {
        precondition(bytes.byteCount == Limits.pageBytes, "a train has whole pages")
        precondition(place < count, "a train has as many pages as it says")
        PageTrain.emit(page, at: place, into: &frame)
        let offset = PageTrain.dataOffset(count) + place * Limits.pageBytes
        key.absorb(bytes, copiedTo: &frame, at: offset, into: &hash)
        place += 1
    }

    /// Signs the frame, when all of its pages are written.
    public mutating func finish(_ frame: inout MutableRawSpan) {
        precondition(place == count, "a train has as many pages as it says")
        FrameHeader.store(key.finish(hash, frame.bytes, from: PageTrain.dataOffset(count)), in: &frame)
    }
}
