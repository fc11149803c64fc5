import CLinux
import Control
import Dispatch
import Glibc
import Store
import Wire

/// A directory of the file system as the disk of a store. Who writes to it has the only lock on it, readers share one;
/// it goes with the process, however that ends.
///
/// A flush of a file is one `fdatasync`, one of the names an `fsync` of the directory.
public struct StoreDirectory: Disk, Sendable, ~Copyable {
    public let path: String
    private let directory: Int32
    private let purpose: Purpose
    /// Flushes do nothing: what is in it survives processes, but not a power cut.
    private let isVolatile: Bool
    /// Files that are open.
    private var open: [(file: DiskFile, descriptor: Int32)] = []

    /// More open files than this are not kept.
    private let openLimit: Int
    /// Where files that are deleted are closed: the system frees what they took then, ten milliseconds for 8 MiB, and
    /// who saves does not wait for that.
    private let undertaker = DispatchQueue(label: "deleted files", qos: .utility)
    private var deleted = 0
    private var tail = SegmentTail()
    /// So many may wait there: they are open files of this process.
    private static let burialLimit = 64

    public enum Purpose: Sendable {
        /// Look at what is there, while nobody writes to it.
        case reading
        /// And what cannot be read is not there: a file ends where its disk fails.
        case salvaging
        /// Go on with what is there.
        case writing
        /// Begin something new; the directory is made when it is missing.
        case creating

        fileprivate var isReadOnly: Bool { self == .reading || self == .salvaging }
    }

    /// - Throws: `.input` when there is no such directory or it may not be used; `.unavailable` while another process
    ///   uses it.
    public init(_ path: String, for purpose: Purpose, isVolatile: Bool = false) throws(Failure) {
        if purpose == .creating, mkdir(path, 0o700) != 0, errno != EEXIST {
            throw Failure(.input, "\(path) cannot be made: \(String(cString: strerror(errno)))", at: path)
        }
        let directory = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else {
            throw Failure(outOfFiles: errno, at: path) ?? Failure(
                .input, "the store directory \(path) cannot be opened: \(String(cString: strerror(errno)))", at: path)
        }
        let code = Self.lock(directory, purpose.isReadOnly ? LOCK_SH : LOCK_EX)
        guard code == 0 else {
            close(directory)
            guard code == EWOULDBLOCK else {
                throw Failure(.unavailable, "\(path) cannot be locked: \(String(cString: strerror(code)))", at: path)
            }
            throw Failure(
                .unavailable, "the store in \(path) is in use", advice: "stop the process that uses it", at: path)
        }
        if !purpose.isReadOnly, !isVolatile {
            do throws(DiskError) { try Self.readFromDisk(directory) } catch {
                close(directory)
                throw Failure(StoreError.disk(error, .superblock(0)), store: path)
            }
        }
        self.path = path
        self.directory = directory
        self.purpose = purpose
        self.isVolatile = isVolatile
        openLimit = 128
    }

    deinit {
        trim()
        // What follows the store may want the space.
        undertaker.sync {}
        for file in open { close(file.descriptor) }
        close(directory)
    }

    private init(_ path: String, opened directory: Int32) {
        self.path = path
        self.directory = directory
        purpose = .reading
        isVolatile = true
        // What it has open takes space even when it was deleted, which a full disk may need.
        openLimit = 1
    }

    /// Without a lock of its own.
    public func reader() throws(DiskError) -> StoreDirectory {
        let copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0 else { throw Self.error() }
        return StoreDirectory(path, opened: copy)
    }

    /// Locks the directory, and returns 0 or the system's error.
    ///
    /// Whoever starts a program hands it all open files, locks among them, for the moment until that runs: so a lock
    /// that was given back can still be held, by nobody who wants it.
    private static func lock(_ directory: Int32, _ kind: Int32) -> Int32 {
        var code: Int32 = 0
        for _ in 0..<lockTries {
            if flock(directory, kind | LOCK_NB) == 0 { return 0 }
            code = errno
            guard code == EWOULDBLOCK else { break }
            usleep(lockPause)
        }
        return code
    }

    private static let lockTries = 40
    /// Microseconds.
    private static let lockPause: UInt32 = 10_000

    /// What the system says, as a store understands it.
    private static func error() -> DiskError {
        switch errno {
        case ENOENT: .missing
        case EEXIST: .exists
        case ENOSPC, EDQUOT: .full
        case EACCES, EPERM, EROFS: .denied
        default: .failed(errno)
        }
    }

    /// What is read from now on is what the disk has. After a flush that failed the system may still show what it could
    /// not write, to the next process too; built on that, a state would be called saved that a power cut takes away.
    private static func readFromDisk(_ directory: Int32) throws(DiskError) {
        for file in try files(in: directory) {
            let descriptor = openat(directory, file.description, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
            guard descriptor >= 0 else { throw error() }
            defer { close(descriptor) }
            guard fdatasync(descriptor) == 0 else { throw error() }
            let code = posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
            guard code == 0 else { throw .failed(code) }
        }
    }

    // MARK: Files

    private mutating func descriptor(_ file: DiskFile) throws(DiskError) -> Int32 {
        if let found = open.first(where: { $0.file == file }) { return found.descriptor }
        return try openFile(file, purpose.isReadOnly ? O_RDONLY : O_RDWR)
    }

    private mutating func openFile(_ file: DiskFile, _ flags: Int32) throws(DiskError) -> Int32 {
        func tryIt() -> Int32 { openat(directory, file.description, flags | O_CLOEXEC | O_NOFOLLOW, 0o600) }
        var descriptor = tryIt()
        if descriptor < 0, Self.error() == .full {
            undertaker.sync {}
            descriptor = tryIt()
        }
        guard descriptor >= 0 else {
            let error = Self.error()
            guard purpose == .salvaging, case .failed(let code) = error, code != EMFILE, code != ENFILE
            else { throw error }
            throw .missing
        }
        if open.count == openLimit { close(open.removeFirst().descriptor) }
        open.append((file, descriptor))
        return descriptor
    }

    public mutating func files() throws(DiskError) -> [DiskFile] { try Self.files(in: directory) }

    private static func files(in directory: Int32) throws(DiskError) -> [DiskFile] {
        let copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0 else { throw error() }
        guard let stream = fdopendir(copy) else {
            let error = error()
            close(copy)
            throw error
        }
        defer { closedir(stream) }
        var files: [DiskFile] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else { break }
            // Safe: the system ends the name with a zero, and the entry lives until the next one is read.
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let file = DiskFile(name) { files.append(file) }
        }
        guard errno == 0 else { throw error() }
        return files
    }

    public mutating func byteCount(of file: DiskFile) throws(DiskError) -> Int {
        var facts = stat()
        guard fstat(try descriptor(file), &facts) == 0 else { throw Self.error() }
        return Int(facts.st_size)
    }

    public mutating func create(_ file: DiskFile) throws(DiskError) {
        trim()
        let descriptor = try openFile(file, O_RDWR | O_CREAT | O_EXCL)
        guard case .segment = file, !takeRoom(descriptor) else { return }
        open.removeAll { $0.file == file }
        close(descriptor)
        guard unlinkat(directory, file.description, 0) == 0 else { throw Self.error() }
        throw .full
    }

    /// A full disk has room for names, and each try to go on would leave an empty file: so there is room for the
    /// beginning of a segment, or no segment.
    private func takeRoom(_ descriptor: Int32) -> Bool {
        func tryIt() -> Bool {
            // What cannot take room before it is needed does without.
            fallocate(descriptor, PLURIX_ALLOCATE_KEEP_SIZE, 0, Self.beginning) == 0 || Self.error() != .full
        }
        if tryIt() { return true }
        undertaker.sync {}
        return tryIt()
    }

    /// What a segment begins with usually takes less.
    private static let beginning = 16 << 10

    public mutating func read(
        _ file: DiskFile, at offset: Int, into bytes: inout MutableRawSpan, from start: Int
    ) throws(DiskError) -> Int {
        let descriptor = try descriptor(file)
        precondition(start >= 0 && start <= bytes.byteCount, "a place inside of the bytes")
        while true {
            // Safe: the rest of the span bounds what the system may write.
            let count = bytes.withUnsafeMutableBytes { target in
                target.count == start
                    ? 0 : pread(descriptor, target.baseAddress! + start, target.count - start, off_t(offset))
            }
            if count >= 0 { return count }
            if errno == EINTR { continue }
            guard purpose == .salvaging else { throw Self.error() }
            return 0
        }
    }

    public mutating func write(
        _ file: DiskFile, at offset: Int, _ bytes: RawSpan, from start: Int
    ) throws(DiskError) -> Int {
        let descriptor = try descriptor(file)
        precondition(start >= 0 && start < bytes.byteCount, "something to write")
        var isLastTry = false
        while true {
            // Safe: the rest of the span bounds what the system reads.
            let count = bytes.withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress! + start, $0.count - start, off_t(offset))
            }
            if count > 0 {
                beginWriting(descriptor, at: offset, count)
                if case .segment = file, !isVolatile { prepare(file, descriptor, at: offset, count) }
                return count
            }
            guard count < 0 else { throw Self.error() }
            if errno == EINTR { continue }
            let error = Self.error()
            guard error == .full, !isLastTry else { throw error }
            // There may be room when what was deleted is gone.
            isLastTry = true
            undertaker.sync {}
        }
    }

    /// Writes zeros behind a segment whose small portions are flushed one after the other. Without them it goes on too:
    /// the last room of a disk is not for them.
    private mutating func prepare(_ file: DiskFile, _ descriptor: Int32, at offset: Int, _ count: Int) {
        tail.wrote(file, at: offset, count)
        let wanted = tail.wanted
        guard wanted > 0 else { return }
        var facts = statfs()
        guard fstatfs(descriptor, &facts) == 0,
            Int(facts.f_bavail) * Int(facts.f_bsize) > Self.roomLeft
        else { return }
        // Safe: no more is read than there is.
        let written = Self.zeros.withUnsafeBytes {
            pwrite(descriptor, $0.baseAddress, min(wanted, $0.count), off_t(tail.end))
        }
        if written > 0 { tail.prepared(written) }
    }

    private static let zeros = [UInt8](repeating: 0, count: 256 << 10)
    private static let roomLeft = 256 << 20

    /// Takes away zeros that nothing replaces any more. Where that fails they stay, and are nothing.
    private func trim() {
        guard let (file, end) = tail.excess, let open = open.first(where: { $0.file == file }) else { return }
        ftruncate(open.descriptor, off_t(end))
    }

    /// Large portions go to the disk at once, so that the flush behind them has little to wait for. It is no more than
    /// a hint: what became of it the flush tells.
    private func beginWriting(_ descriptor: Int32, at offset: Int, _ count: Int) {
        guard !isVolatile, count >= Self.largePortion else { return }
        sync_file_range(descriptor, offset, count, PLURIX_FILE_RANGE_WRITE)
    }

    private static let largePortion = 512 << 10

    public mutating func flush(_ file: DiskFile) throws(DiskError) {
        guard !isVolatile else { return }
        guard fdatasync(try descriptor(file)) == 0 else { throw Self.error() }
        tail.flushed(file)
    }

    public mutating func flushNames() throws(DiskError) {
        guard !isVolatile else { return }
        guard fsync(directory) == 0 else { throw Self.error() }
    }

    public mutating func delete(_ file: DiskFile) throws(DiskError) {
        // Without an open descriptor it would be freed here.
        _ = try? descriptor(file)
        guard unlinkat(directory, file.description, 0) == 0 else { throw Self.error() }
        guard let place = open.firstIndex(where: { $0.file == file }) else { return }
        tail.deleted(file)
        let descriptor = open.remove(at: place).descriptor
        undertaker.async { close(descriptor) }
        deleted += 1
        if deleted % Self.burialLimit == 0 { undertaker.sync {} }
    }

    /// A second name of the same file, or where the file system has none, a copy that is flushed.
    public mutating func share(_ file: DiskFile, with other: inout StoreDirectory) throws(DiskError) {
        trim()
        let name = file.description
        if linkat(directory, name, other.directory, name, 0) == 0 { return }
        guard errno == EXDEV || errno == EPERM || errno == EMLINK else { throw Self.error() }
        try other.create(file)
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        var offset = 0
        while true {
            var span = bytes.mutableSpan
            var raw = span.mutableBytes
            let count = try read(file, at: offset, into: &raw, from: 0)
            if count == 0 { break }
            let part = bytes.span.bytes.extracting(0..<count)
            var done = 0
            while done < count { done += try other.write(file, at: offset + done, part, from: done) }
            offset += count
        }
        try other.flush(file)
    }
}
