import Control
import Foundation
import Glibc
import Store

/// Moves a store as one file, with one tag over all of it.
public enum StoreTransfer {
    private static let portion = 1 << 20

    /// Writes a store into a new file.
    ///
    /// - Returns: Bytes of the file.
    /// - Throws: `.unavailable` while a cluster runs on the store; `.input` for a file that is there already.
    public static func export(_ path: String, to file: String) throws(Failure) -> Int {
        let disk = try StoreDirectory(path, for: .reading)
        let target = try open(file, O_WRONLY | O_CREAT | O_EXCL)
        do {
            var store = try Store.examine(disk)
            try checkWhole(&store)
            var export = try store.beginExport()
            while let bytes = try store.next(of: &export) { try target.write(contentsOf: bytes) }
            try target.synchronize()
            try target.close()
            return export.byteCount
        } catch {
            unlink(file)
            throw failure(error, path, file)
        }
    }

    /// Makes a store out of such a file, in a directory that is empty or missing.
    ///
    /// - Throws: `.input` for a file that is not whole, which then leaves nothing there, or a directory with something
    ///   in it.
    public static func `import`(_ file: String, into path: String) throws(Failure) {
        let source = try open(file, O_RDONLY)
        let isNew = access(path, F_OK) != 0
        let disk = try StoreDirectory(path, for: .creating)
        var isBegun = false
        do {
            var copy = try Import(into: disk)
            isBegun = true
            while let bytes = try source.read(upToCount: portion), !bytes.isEmpty { try copy.append([UInt8](bytes)) }
            var store = try copy.finish()
            try checkWhole(&store)
        } catch {
            if isBegun { try remove(path) }
            // Where it is not empty it stays.
            if isNew { rmdir(path) }
            throw failure(error, path, file)
        }
    }

    private static func open(_ file: String, _ flags: Int32) throws(Failure) -> FileHandle {
        let descriptor = Glibc.open(file, flags | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw Failure(.input, "\(file) cannot be opened: \(String(cString: strerror(errno)))", at: file)
        }
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    /// What is not whole is not passed on: a copy is made to be relied upon.
    private static func checkWhole(_ store: inout Store<StoreDirectory>) throws(StoreError) {
        for finding in try store.verify().findings {
            if case .damaged(let file, let offset) = finding { throw .damaged(file, offset: offset) }
        }
    }

    /// Takes the beginnings of a store away again.
    private static func remove(_ path: String) throws(Failure) {
        var disk = try StoreDirectory(path, for: .writing)
        do throws(DiskError) {
            for name in try disk.files() { try disk.delete(name) }
        } catch {
            throw Failure(.disk(error, .superblock(0)), store: path)
        }
    }

    private static func failure(_ error: any Error, _ path: String, _ file: String) -> Failure {
        if let error = error as? StoreError {
            return error == .badArchive ? Failure(error, store: file) : Failure(error, store: path)
        }
        return Failure(error, while: "copying between \(path) and \(file)")
    }
}
