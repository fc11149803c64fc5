import Wire

/// The world of a store: one directory of files, to which nobody else writes.
///
/// What was written is there for readers at once, and after a power cut only if the file was flushed since; what was
/// not flushed may be there wholly, in parts, or not at all, and in any order. The same holds for names: a file that
/// was created or deleted is so for certain only after `flushNames`. Offsets and counts are bytes.
public protocol Disk: ~Copyable {
    /// The files of a store that are there, in any order; others in the same directory are left out.
    mutating func files() throws(DiskError) -> [DiskFile]
    mutating func byteCount(of file: DiskFile) throws(DiskError) -> Int
    /// A new, empty file.
    ///
    /// - Throws: `.exists` when it is there already; `.full` when there is room for its name and for nothing in it, and
    ///   then it is not there.
    mutating func create(_ file: DiskFile) throws(DiskError)
    /// Fills `bytes` from `start` on, as far as that many bytes are there and the disk gives them at once.
    ///
    /// - Returns: How many bytes were read; 0 only at the end of the file.
    mutating func read(
        _ file: DiskFile, at offset: Int, into bytes: inout MutableRawSpan, from start: Int
    ) throws(DiskError) -> Int
    /// Writes bytes of `bytes` from `start` on, which may lengthen the file.
    ///
    /// - Returns: How many bytes were written, at least 1.
    mutating func write(
        _ file: DiskFile, at offset: Int, _ bytes: RawSpan, from start: Int
    ) throws(DiskError) -> Int
    /// Returns when what was written to the file survives a power cut. After an error nothing is known of it.
    mutating func flush(_ file: DiskFile) throws(DiskError)
    /// Returns when the creations and deletions survive a power cut.
    mutating func flushNames() throws(DiskError)
    mutating func delete(_ file: DiskFile) throws(DiskError)
    /// Puts the file into another directory too, under the same name. Neither side writes to it again.
    mutating func share(_ file: DiskFile, with other: inout Self) throws(DiskError)
    /// The same files for somebody who only reads them, beside their user.
    func reader() throws(DiskError) -> Self
}

/// The files of a store.
public enum DiskFile: Equatable, Sendable {
    /// Number 0 or 1.
    case superblock(Int)
    /// Numbered from 1, in the order in which they were begun; a number is never used twice.
    case segment(UInt64)
    /// Holds nothing but the space that cleaning a full disk needs.
    case reserve
}

/// Why the disk did not do what it was told.
public enum DiskError: Error, Equatable, Sendable {
    case missing
    case exists
    /// No space is left, or no more is granted.
    case full
    case denied
    /// Anything else, with the number that the system gives it.
    case failed(Int32)
}

extension Disk where Self: ~Copyable {
    /// Reads as many bytes as there are, `count` at most.
    mutating func bytes(of file: DiskFile, at offset: Int, count: Int) throws(DiskError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            var span = bytes.mutableSpan
            var raw = span.mutableBytes
            let more = try read(file, at: offset + done, into: &raw, from: done)
            precondition(more >= 0 && more <= count - done, "a disk reads what it was asked for")
            if more == 0 { break }
            done += more
        }
        bytes.removeLast(count - done)
        return bytes
    }

    /// Writes all of it.
    mutating func writeAll(_ bytes: [UInt8], to file: DiskFile, at offset: Int) throws(DiskError) {
        var done = 0
        while done < bytes.count {
            let more = try write(file, at: offset + done, bytes.span.bytes, from: done)
            precondition(more > 0 && more <= bytes.count - done, "a disk writes what it was given")
            done += more
        }
    }
}
