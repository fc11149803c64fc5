import Control
import Foundation
import Glibc
import Store

/// Moves a store as one file, or as a stream, with one tag over all of it.
public enum StoreTransfer {
    /// In place of a file's name: standard output, or standard input.
    public static let stream = "-"

    private static let standardOutput = "standard output"

    private static let portion = 1 << 20

    /// Writes a store into a new file, or to standard output.
    ///
    /// - Returns: Bytes of the file.
    /// - Throws: `.unavailable` while a cluster runs on the store, or for a full disk; `.input` for a file that exists,
    ///   or would lie in the store; `.usage` for a terminal.
    public static func export(_ path: String, to file: String) throws(Failure) -> Int {
        let disk = try StoreDirectory(path, for: .reading)
        guard file != stream else {
            try refuse(terminal: STDOUT_FILENO, "export \(path.quoted) - > FILE")
            do throws(Failure) { return try export(disk, path, to: STDOUT_FILENO, standardOutput) } catch {
                guard error.place == standardOutput else { throw error }
                throw Failure(
                    error.kind, error.message, advice: "what has come of it is no whole export", at: standardOutput)
            }
        }
        try StoreFolder.refuse(file, inside: path)
        let target = try open(file, O_WRONLY | O_CREAT | O_EXCL)
        defer { close(target) }
        do throws(Failure) { return try export(disk, path, to: target, file) } catch {
            unlink(file)
            throw error
        }
    }

    private static func export(
        _ disk: consuming StoreDirectory, _ path: String, to target: Int32, _ name: String
    ) throws(Failure) -> Int {
        do {
            var store = try Store.examine(disk)
            try checkWhole(&store)
            var export = try store.beginExport()
            while let bytes = try store.next(of: &export) { try RunDirectory.write(Data(bytes), to: target, name) }
            // Where nothing is kept, as in a pipe, nothing is to be flushed.
            guard fsync(target) == 0 || errno == EINVAL else { throw RunDirectory.unwritable(name) }
            return export.byteCount
        } catch {
            throw failure(error, path, name)
        }
    }

    /// - Parameter command: How it is meant.
    static func refuse(terminal descriptor: Int32, _ command: String) throws(Failure) {
        guard isatty(descriptor) == 0 else {
            throw Failure(
                .usage, "an export is nothing to be read or written on a terminal",
                advice: "name a file, or use plurix store \(command)", at: stream)
        }
    }

    /// Makes a store out of such a file, or of standard input, in a directory that is empty or missing.
    ///
    /// - Throws: `.input` for a file that cannot be read or is not whole, which then leaves nothing there, or a
    ///   directory with something in it; `.usage` for a terminal.
    public static func `import`(_ file: String, into path: String) throws(Failure) {
        guard file != stream else {
            try refuse(terminal: STDIN_FILENO, "import - \(path.quoted) < FILE")
            return try `import`(STDIN_FILENO, "standard input", into: path)
        }
        let source = try open(file, O_RDONLY)
        defer { close(source) }
        try `import`(source, file, into: path)
    }

    private static func `import`(_ source: Int32, _ file: String, into path: String) throws(Failure) {
        // What cannot be read at all is found out before anything is made.
        var bytes = try read(source, file)
        let isNew = try StoreFolder.make(path)
        let disk = try StoreDirectory(path, for: .creating)
        var isBegun = false
        do {
            var copy = try Import(into: disk)
            isBegun = true
            while !bytes.isEmpty {
                try copy.append(bytes)
                bytes = try read(source, file)
            }
            var store = try copy.finish()
            try checkWhole(&store)
        } catch {
            if isBegun {
                try StoreFolder.delete(path, andDirectory: isNew)
            } else if isNew {
                // Where it is not empty it stays.
                rmdir(path)
            }
            throw failure(error, path, file)
        }
    }

    private static func open(_ file: String, _ flags: Int32) throws(Failure) -> Int32 {
        let descriptor = Glibc.open(file, flags | O_CLOEXEC, 0o600)
        if descriptor < 0, errno == EEXIST {
            throw Failure(
                .input, "\(file) exists already, and is not overwritten", advice: "name another file, or remove it",
                at: file)
        }
        guard descriptor >= 0 else { throw unusable(file, "opened") }
        return descriptor
    }

    /// The next portion of a file; empty at its end.
    private static func read(_ descriptor: Int32, _ file: String) throws(Failure) -> [UInt8] {
        while true {
            var code: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: portion) { buffer, count in
                // Safe: the buffer bounds what the system writes, and as much of it counts as was written.
                let result = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
                code = result < 0 ? errno : 0
                count = max(0, result)
            }
            if code == 0 { return bytes }
            guard code == EINTR else { throw unusable(file, "read", code) }
        }
    }

    private static func unusable(_ file: String, _ what: String, _ code: Int32 = errno) -> Failure {
        Failure(.input, "\(file) cannot be \(what): \(String(cString: strerror(code)))", at: file)
    }

    /// What is not whole is not passed on: a copy is made to be relied upon.
    private static func checkWhole(_ store: inout Store<StoreDirectory>) throws(StoreError) {
        for finding in try store.verify().findings {
            if case .damaged(let file, let offset) = finding { throw .damaged(file, offset: offset) }
        }
    }

    private static func failure(_ error: any Error, _ path: String, _ file: String) -> Failure {
        if let error = error as? StoreError {
            return error == .badArchive ? Failure(error, store: file) : Failure(error, store: path)
        }
        return Failure(error, while: "copying between \(path) and \(file)")
    }
}
