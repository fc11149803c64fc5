import Store

/// The end of the segment that is written to: as long as small portions are flushed one after the other, zeros stand
/// behind it on the disk. A flush of what replaces them changes nothing of the file but its contents; one that also
/// makes the file longer waits for the file system's journal too, which takes about as long again.
///
/// To a store zeros are nothing: no record begins with them.
struct SegmentTail {
    private var file: DiskFile?
    /// Behind what was written.
    private(set) var end = 0
    /// Behind the zeros.
    private var preparedEnd = 0
    private var unflushed = 0
    /// Flushes of small portions in a row.
    private var shortFlushes = 0

    /// Larger portions are not such.
    private static let smallBytes = 64 << 10
    /// Flushes after which the next are expected to be small too.
    private static let fewFlushes = 2
    private static let most = 256 << 10
    private static let least = 16 << 10

    /// A portion of a segment was written.
    mutating func wrote(_ file: DiskFile, at offset: Int, _ count: Int) {
        if self.file != file {
            let flushes = shortFlushes
            self = SegmentTail()
            self.file = file
            shortFlushes = flushes
        }
        end = max(end, offset + count)
        unflushed += count
    }

    /// Zeros that should be written behind the end now: as many as the file has bytes, within limits, and none where no
    /// segment of a page server's store reaches.
    var wanted: Int {
        guard shortFlushes >= Self.fewFlushes, unflushed < Self.smallBytes, end > preparedEnd else { return 0 }
        return max(0, min(Self.most, max(Self.least, end), Geometry.usualSegmentBytes - end))
    }

    /// So many zeros were written there.
    mutating func prepared(_ count: Int) { preparedEnd = end + count }

    mutating func flushed(_ file: DiskFile) {
        guard self.file == file else { return }
        shortFlushes = unflushed < Self.smallBytes ? shortFlushes + 1 : 0
        unflushed = 0
    }

    /// The segment that has zeros behind its end, if any.
    var excess: (file: DiskFile, end: Int)? {
        guard let file, preparedEnd > end else { return nil }
        return (file, end)
    }

    mutating func deleted(_ file: DiskFile) {
        if self.file == file { self = SegmentTail() }
    }
}
