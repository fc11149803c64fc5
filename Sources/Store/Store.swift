import Wire

/// A log-structured store: what an arbiter must not forget, and the states of the shared memory at the times of its
/// checkpoints. Everything is appended to segments (linear segment technique: Plurix 8; Rosenblum and Ousterhout, “The
/// Design and Implementation of a Log-Structured File System”, 1992); `Store.docc` has the layout and what is promised
/// after a crash.
///
/// It does nothing by itself: it has no thread and no clock, and its disk is a parameter. A killed process keeps what
/// was handed to the disk (`submit`), a power cut what was flushed (`flush`); what was settled (`settle`) is vouched
/// for, so that it cannot be lost without being missed.
///
/// After any error in writing it only reads; what it then has is what is on the disk. `resume` tries again.
public struct Store<Medium: Disk & ~Copyable>: ~Copyable {
    var disk: Medium
    var superblock: Superblock
    var state: LogState
    var log: LogWriter
    /// What was odd when it was opened, and harmless.
    public internal(set) var findings: [Finding] = []
    /// The error after which it has stopped writing.
    public internal(set) var stopped: StoreError?
    /// A flush has failed: what was written before it may be gone though it can still be read.
    var isFlushLost = false
    /// Segments that are no part of the log any more, to be deleted when no superblock leads to them.
    var leftovers: [Leftover] = []
    /// The segment that is being emptied, and how far.
    var cleaning: Cleaning?
    /// Segments with a page that cannot be read: they stay as they are.
    var unreadable: [UInt64] = []
    /// The floor in the older superblock.
    var olderFloor = LogPosition()
    var hasReserve = false
    /// Something was forgotten, the disk was full, or earlier lives left many files: what is not needed should go soon.
    public internal(set) var isSpaceWanted = false
    /// For that, both superblocks shall lead past this segment.
    var leadPast: UInt64?

    /// Barriers so far: each makes all that was written before it durable.
    public internal(set) var flushCount = 0
    /// Bytes that were handed to the disk.
    public internal(set) var bytesWritten = 0
    /// Bytes that were read record by record when it was opened, and will be again as long as nothing settles it.
    public internal(set) var recoveredBytes = 0

    init(_ disk: consuming Medium, _ superblock: Superblock, _ state: LogState, _ log: LogWriter) {
        self.disk = disk
        self.superblock = superblock
        self.state = state
        self.log = log
    }

    // MARK: What it says

    public var cluster: UInt64 { superblock.cluster }
    public var identity: UInt64 { superblock.identity }
    public var geometry: Geometry { superblock.geometry }
    /// By rising time; the last one is the newest state, kept or not.
    public var checkpoints: [Checkpoint] { state.checkpoints }
    public var retention: Retention { state.retention }
    /// The value of a register; empty where none was set.
    public func register(_ key: UInt64) -> [UInt8] { state.registers[key] }
    /// Whether everything appended so far survives a power cut.
    public var isFlushed: Bool { log.flushedSequence == log.position.sequence }

    /// The newest checkpoint with a label.
    public func checkpoint(labelled label: String) -> Checkpoint? {
        state.checkpoints.last { $0.labels.contains(label) }
    }

    public func checkpoint(at time: GlobalTime) -> Checkpoint? {
        state.place(of: time).map { state.checkpoints[$0] }
    }

    /// Copies a page as it was at the time of a checkpoint, the newest when none is named, and returns the version it
    /// had. A page that was never written is zero, of version zero.
    ///
    /// - Throws: `.noCheckpoint`; `.damaged` for a page that cannot be read back as it was written.
    public mutating func read(
        _ page: UInt32, at time: GlobalTime? = nil, into bytes: inout MutableRawSpan
    ) throws(StoreError) -> GlobalTime {
        precondition(Int(page) < geometry.pageCount && bytes.byteCount == geometry.pageBytes, "a page of this memory")
        if let time, state.place(of: time) == nil { throw .noCheckpoint }
        let newest = state.newest?.time ?? .zero
        guard let version = state.index.find(page, at: time ?? newest) else {
            for offset in stride(from: 0, to: bytes.byteCount, by: 8) { bytes.store(UInt64(0), at: offset) }
            return .zero
        }
        let record = try record(of: page, version)
        bytes.copy(record.span.bytes, from: RecordHead.byteCount, count: geometry.pageBytes, to: 0)
        return version.version
    }

    /// The version that a page has at the time of the newest checkpoint; zero when it was never written.
    public func version(of page: UInt32) -> GlobalTime {
        state.index.find(page, at: state.newest?.time ?? .zero)?.version ?? .zero
    }

    /// The record of a page, checked against everything that is known of it.
    mutating func record(of page: UInt32, _ version: PageIndex.Version) throws(StoreError) -> [UInt8] {
        let file = DiskFile.segment(version.segment)
        let offset = Int(version.offset)
        let count = RecordHead.byteCount + geometry.pageBytes
        var bytes: [UInt8]
        let isHead = version.segment == state.head
        if isHead && offset >= log.submitted {
            let start = offset - log.submitted
            bytes = Array(log.buffer[start..<start + count])
        } else {
            bytes = try diskBytes(of: file, at: offset, count: count)
        }
        let place = superblock.place(in: version.segment, of: state.segments)
        guard try place.isPage(page, version, geometry, bytes.span.bytes, from: 0) else {
            throw .damaged(file, offset: offset)
        }
        return bytes
    }

    // MARK: The disk, with the name of the file in every error

    mutating func diskBytes(of file: DiskFile, at offset: Int, count: Int) throws(StoreError) -> [UInt8] {
        do throws(DiskError) { return try disk.bytes(of: file, at: offset, count: count) } catch {
            throw error == .missing ? .damaged(file, offset: 0) : .disk(error, file)
        }
    }

    mutating func diskWrite(_ bytes: [UInt8], to file: DiskFile, at offset: Int) throws(StoreError) {
        do throws(DiskError) { try disk.writeAll(bytes, to: file, at: offset) } catch { throw .disk(error, file) }
        bytesWritten += bytes.count
    }

    mutating func diskCreate(_ file: DiskFile) throws(StoreError) {
        do throws(DiskError) { try disk.create(file) } catch { throw .disk(error, file) }
        log.areNamesDirty = true
    }

    mutating func diskDelete(_ file: DiskFile) throws(StoreError) {
        do throws(DiskError) { try disk.delete(file) } catch { throw .disk(error, file) }
        log.areNamesDirty = true
    }

    mutating func diskFlush(_ file: DiskFile) throws(StoreError) {
        do throws(DiskError) { try disk.flush(file) } catch {
            isFlushLost = true
            throw .disk(error, file)
        }
    }

    mutating func diskFlushNames() throws(StoreError) {
        do throws(DiskError) { try disk.flushNames() } catch {
            isFlushLost = true
            throw .disk(error, .superblock(0))
        }
    }
}

/// Something that a store noticed about its files.
public enum Finding: Equatable, Sendable {
    /// The last writer was interrupted: so many bytes behind this place were never finished, and are not used.
    case unfinished(DiskFile, offset: Int, byteCount: Int)
    /// One of the two superblocks cannot be read. The other one is used.
    case superblock(Int)
    /// A file that is no part of the log any more.
    case leftover(DiskFile)
    /// What was written and flushed here cannot be read back.
    case damaged(DiskFile, offset: Int)
    /// The list of its pages at the end of a segment cannot be read; its records can.
    case seal(DiskFile)

    /// Whether anything that was saved is lost.
    public var isLoss: Bool { if case .damaged = self { true } else { false } }
}
