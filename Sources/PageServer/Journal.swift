import Control
import Glibc
import Protocol
import Wire

/// The open journal (`JournalFormat`) of a running arbiter. Whoever has it open holds the only lock on it [P8].
final class Journal {
    /// A journal smaller than this is never compacted.
    static let compactionMinimum = 8 << 20
    /// Compacted at this multiple of what is still needed: each byte is then copied at most half a time on average.
    static let compactionFactor = 3

    let path: String
    /// Asked when a write fails: whether to try it again. Without it, such a failure is thrown.
    var triesAgain: ((Failure) -> Bool)?
    private var descriptor: Int32
    /// Bytes of the file, all of them complete records.
    private(set) var byteCount: Int
    private var buffer: JournalBuffer
    /// Raised when a compaction fails, so that not every save tries again.
    private var compactionFloor = Journal.compactionMinimum

    /// Opens or creates the journal, and reads what it says. An unfinished tail is cut off.
    ///
    /// - Throws: `.unavailable` when another process has it open; `.fault` when it is damaged, of another cluster, or
    ///   cannot be written.
    static func open(
        _ path: String, cluster: UInt64, sharedPages: UInt32
    ) throws(Failure) -> (journal: Journal, contents: JournalContents) {
        let descriptor = try lockedFile(path)
        do throws(Failure) {
            let read = try JournalReader(descriptor: descriptor, path: path).read()
            if let read, read.cluster != cluster || read.image.pageCount != Int(sharedPages) {
                throw Failure(.fault, "\(path) belongs to another cluster: remove it, or stop that cluster")
            }
            let header = JournalBuffer.header(cluster: cluster, sharedPages: sharedPages)
            let contents =
                read
                ?? JournalContents(
                    cluster: cluster, state: ArbiterState(sharedPages: Int(sharedPages)),
                    image: SharedImage(pageCount: Int(sharedPages)), validBytes: 0, tornBytes: 0, sequence: 0)
            let journal = try Journal(path, descriptor, contents)
            if read == nil { try journal.write(header) }
            return (journal, contents)
        } catch {
            close(descriptor)
            throw error
        }
    }

    private init(_ path: String, _ descriptor: Int32, _ contents: JournalContents) throws(Failure) {
        guard ftruncate(descriptor, off_t(contents.validBytes)) == 0 else { throw Self.failure("cut", path) }
        self.path = path
        self.descriptor = descriptor
        byteCount = contents.validBytes
        buffer = JournalBuffer(sequence: contents.sequence)
    }

    deinit {
        close(descriptor)
    }

    /// Writes a fact; it is there for the next arbiter when this returns.
    func persist(_ fact: ArbiterFact) throws(Failure) {
        buffer.removeAll()
        buffer.append(fact)
        try write(buffer.bytes)
    }

    /// Writes when a node was seen joined.
    func note(_ node: Station, joinedAt microseconds: UInt64) throws(Failure) {
        buffer.removeAll()
        buffer.append(joined: node, at: microseconds)
        try write(buffer.bytes)
    }

    /// Writes the pages that changed and the time at which they make a state.
    func save(
        _ time: GlobalTime, _ pages: [(page: UInt32, version: GlobalTime, bytes: [UInt8])]
    ) throws(Failure) {
        buffer.removeAll()
        for page in pages {
            buffer.append(page: page.page, version: page.version, bytes: page.bytes)
            // Written in portions; it counts only with the closing record.
            if buffer.bytes.count >= Self.portion {
                try write(buffer.bytes)
                buffer.removeAll()
            }
        }
        buffer.append(savedAt: time, pages: pages.count)
        try write(buffer.bytes)
    }

    private static let portion = 1 << 20

    /// Whether most of the file is old.
    func isDueForCompaction(_ image: SharedImage) -> Bool {
        byteCount > max(compactionFloor, Self.compactionFactor * Self.liveBytes(image))
    }

    /// Writes a new journal that says the same in fewer bytes, and puts it in the place of this one.
    func compact(_ state: ArbiterState, joinedAt: [UInt64], _ image: SharedImage) throws(Failure) {
        compactionFloor = 2 * byteCount
        let new = try Self.lockedFile(path + ".new")
        do throws(Failure) {
            guard ftruncate(new, 0) == 0 else { throw Self.failure("cut", path + ".new") }
            let (bytes, last) = try Self.write(
                state, joinedAt, image, cluster: cluster(), to: new, path + ".new")
            guard rename(path + ".new", path) == 0 else { throw Self.failure("replace", path) }
            close(descriptor)
            descriptor = new
            byteCount = bytes
            buffer = last
            compactionFloor = Self.compactionMinimum
        } catch {
            unlink(path + ".new")
            close(new)
            throw error
        }
    }

    private func cluster() throws(Failure) -> UInt64 {
        var word: UInt64 = 0
        // Safe: eight bytes into an integer of eight bytes.
        let count = withUnsafeMutableBytes(of: &word) { pread(descriptor, $0.baseAddress, 8, 8) }
        guard count == 8 else { throw Self.failure("read", path) }
        return UInt64(littleEndian: word)
    }

    private static func write(
        _ state: ArbiterState, _ joinedAt: [UInt64], _ image: SharedImage, cluster: UInt64, to file: Int32,
        _ path: String
    ) throws(Failure) -> (bytes: Int, buffer: JournalBuffer) {
        let header = JournalBuffer.header(cluster: cluster, sharedPages: UInt32(image.pageCount))
        try write(header, to: file, at: 0, path)
        var offset = header.count
        var buffer = JournalBuffer(sequence: 0)
        buffer.append(state)
        for (index, time) in joinedAt.enumerated() where time > 0 {
            buffer.append(joined: Station(UInt8(index + 1)), at: time)
        }
        for page in 0..<UInt32(image.pageCount) where image.isInUse(page) {
            buffer.append(page: page, version: state.imageVersions[Int(page)], bytes: image.bytes(of: page))
            if buffer.bytes.count >= portion {
                try write(buffer.bytes, to: file, at: offset, path)
                offset += buffer.bytes.count
                buffer.removeAll()
            }
        }
        buffer.append(savedAt: image.time, pages: image.pageCountInUse)
        try write(buffer.bytes, to: file, at: offset, path)
        offset += buffer.bytes.count
        buffer.removeAll()
        return (offset, buffer)
    }

    /// Bytes of a compacted journal, roughly.
    private static func liveBytes(_ image: SharedImage) -> Int {
        image.pageCountInUse * (JournalFormat.headBytes + JournalFormat.pagePayloadBytes)
    }

    private func write(_ bytes: [UInt8]) throws(Failure) {
        var isWritten = false
        while !isWritten {
            // The same bytes at the same place: what a failed try has written is written over.
            do throws(Failure) {
                try Self.write(bytes, to: descriptor, at: byteCount, path)
                isWritten = true
            } catch {
                guard triesAgain?(error) == true else { throw error }
            }
        }
        byteCount += bytes.count
    }

    private static func write(_ bytes: [UInt8], to file: Int32, at start: Int, _ path: String) throws(Failure) {
        var done = 0
        while done < bytes.count {
            // Safe: the rest of the array bounds what the system reads.
            let more = bytes.withUnsafeBytes {
                pwrite(file, $0.baseAddress! + done, $0.count - done, off_t(start + done))
            }
            if more < 0 && errno == EINTR { continue }
            guard more > 0 else { throw failure("write", path) }
            done += more
        }
    }

    /// Opens a file and locks it for the life of the process.
    private static func lockedFile(_ path: String) throws(Failure) -> Int32 {
        while true {
            let file = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            guard file >= 0 else { throw failure("open", path) }
            guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
                close(file)
                throw Failure(.unavailable, "\(path) is in use: another arbiter of this cluster runs")
            }
            // A compaction may have put another file in its place meanwhile; a lock on the old one protects nothing.
            var locked = stat()
            var named = stat()
            if fstat(file, &locked) == 0, stat(path, &named) == 0, locked.st_ino == named.st_ino { return file }
            close(file)
        }
    }

    private static func failure(_ action: String, _ path: String) -> Failure {
        if action == "write" || action == "open" { return RunDirectory.unwritable(path) }
        return Failure(.fault, "cannot \(action) \(path): \(String(cString: strerror(errno)))", at: path)
    }
}
