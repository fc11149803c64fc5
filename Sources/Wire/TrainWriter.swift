/// Writes a train into its frame, page after page, and signs it in the same pass: who sends a page reads it once.
public struct TrainWriter {
    private let header: FrameHeader
    private let train: PageTrain
    private let key: FrameKey
    private var hash: SipHash
    private var offset: Int

    public init(_ train: PageTrain, _ header: FrameHeader, key: FrameKey) {
        self.train = train
        self.header = header
        self.key = key
        hash = key.emptyHash
        offset = train.dataOffset
    }

    /// Bytes of the frame.
    public var byteCount: Int { Limits.headerBytes + train.byteCount }

    /// Writes what is in front of the pages.
    public mutating func begin(_ frame: inout MutableRawSpan) {
        train.emit(into: &frame)
        header.emitFields(into: &frame)
        key.absorb(fieldsOf: frame.bytes, into: &hash)
    }

    /// Writes the next page, all of its bytes.
    public mutating func append(_ page: RawSpan, to frame: inout MutableRawSpan) {
        precondition(page.byteCount == Limits.pageBytes, "a train has whole pages")
        key.absorb(page, copiedTo: &frame, at: offset, into: &hash)
        offset += Limits.pageBytes
    }

    /// Signs the frame, when all of its pages are written.
    public mutating func finish(_ frame: inout MutableRawSpan) {
        precondition(offset == byteCount, "a train has as many pages as it says")
        FrameHeader.store(key.finish(hash, frame.bytes, from: train.dataOffset), in: &frame)
    }
}
