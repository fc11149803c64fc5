import Store
import Wire

/// A disk that lies or fails, once: a fault decorates any disk.
struct FaultyDisk<Base: Disk>: Disk {
    enum Fault: CaseIterable {
        case readError, writeError, flushError, nameError, createError, deleteError
        /// The write is acknowledged and nothing is written.
        case lostWrite
        /// It is written somewhere else in the same file.
        case misdirectedWrite
        /// It is written into another file.
        case strayWrite
        /// One of its bits is another one.
        case flippedWrite
        /// A later part of it is missing, though it is acknowledged.
        case shortenedWrite
    }

    var base: Base
    var fault: Fault?
    /// So many operations of the kind that the fault concerns pass before it.
    var countdown = 0
    /// Which bit, or how far off.
    var detail = 0
    private(set) var hasStruck = false

    /// Another fault, which strikes once more.
    mutating func await(_ next: Fault, after calls: Int) {
        fault = next
        countdown = calls
        hasStruck = false
    }

    init(_ base: Base) { self.base = base }

    private mutating func strikes(_ faults: Fault...) -> Fault? {
        guard let fault, faults.contains(fault), !hasStruck else { return nil }
        guard countdown == 0 else {
            countdown -= 1
            return nil
        }
        hasStruck = true
        return fault
    }

    private static var failure: DiskError { .failed(5) }

    mutating func files() throws(DiskError) -> [DiskFile] { try base.files() }
    mutating func byteCount(of file: DiskFile) throws(DiskError) -> Int { try base.byteCount(of: file) }

    mutating func create(_ file: DiskFile) throws(DiskError) {
        if strikes(.createError) != nil { throw Self.failure }
        try base.create(file)
    }

    mutating func read(
        _ file: DiskFile, at offset: Int, into bytes: inout MutableRawSpan, from start: Int
    ) throws(DiskError) -> Int {
        if strikes(.readError) != nil { throw Self.failure }
        return try base.read(file, at: offset, into: &bytes, from: start)
    }

    mutating func write(
        _ file: DiskFile, at offset: Int, _ bytes: RawSpan, from start: Int
    ) throws(DiskError) -> Int {
        let count = bytes.byteCount - start
        switch strikes(.writeError, .lostWrite, .misdirectedWrite, .strayWrite, .flippedWrite, .shortenedWrite) {
        case .writeError: throw Self.failure
        case .lostWrite: return count
        case .misdirectedWrite:
            let distance = 8 * (1 + detail % 64)
            try writeAll(bytes, from: start, to: file, at: offset < distance ? offset + distance : offset - distance)
            return count
        case .strayWrite:
            let others = try base.files().filter { $0 != file && $0 != .reserve }
            if !others.isEmpty { try writeAll(bytes, from: start, to: others[detail % others.count], at: offset) }
            return count
        case .flippedWrite:
            var changed = (start..<bytes.byteCount).map { bytes.load(UInt8.self, at: $0) }
            changed[detail % changed.count] ^= 1 << UInt8(detail % 8)
            try writeAll(changed.span.bytes, from: 0, to: file, at: offset)
            return count
        case .shortenedWrite:
            let part = (start..<start + detail % count).map { bytes.load(UInt8.self, at: $0) }
            try writeAll(part.span.bytes, from: 0, to: file, at: offset)
            return count
        default: return try base.write(file, at: offset, bytes, from: start)
        }
    }

    private mutating func writeAll(
        _ bytes: RawSpan, from start: Int, to file: DiskFile, at offset: Int
    ) throws(DiskError) {
        var done = start
        while done < bytes.byteCount {
            done += try base.write(file, at: offset + done - start, bytes, from: done)
        }
    }

    mutating func flush(_ file: DiskFile) throws(DiskError) {
        if strikes(.flushError) != nil { throw Self.failure }
        try base.flush(file)
    }

    mutating func flushNames() throws(DiskError) {
        if strikes(.nameError) != nil { throw Self.failure }
        try base.flushNames()
    }

    mutating func delete(_ file: DiskFile) throws(DiskError) {
        if strikes(.deleteError) != nil { throw Self.failure }
        try base.delete(file)
    }

    mutating func share(_ file: DiskFile, with other: inout FaultyDisk) throws(DiskError) {
        try base.share(file, with: &other.base)
    }

    /// As it is now.
    func reader() -> FaultyDisk { self }
}
