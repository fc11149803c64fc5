import Foundation

/// Writing the small files of a run directory, and what is said where that is not possible.
extension RunDirectory {
    /// Replaces what a file holds, all at once; mode 0600.
    ///
    /// - Throws: `.unavailable` with the system's reason; the file is then as it was.
    public static func replace(_ path: String, with data: Data) throws(Failure) {
        let code = try put(data, at: path) { rename($0, $1) }
        guard code == 0 else { throw unwritable(path, code) }
    }

    /// Makes a file that is not there yet, all at once; mode 0600.
    ///
    /// - Returns: False where one is there.
    /// - Throws: `.unavailable` with the system's reason; nothing of it is there then.
    static func make(_ path: String, with data: Data) throws(Failure) -> Bool {
        let code = try put(data, at: path) { link($0, $1) }
        guard code == 0 || code == EEXIST else { throw unwritable(path, code) }
        return code == 0
    }

    /// Writes a file under another name, and lets `name` give it its own, which returns 0 or -1.
    ///
    /// - Returns: 0, or the system's error number.
    private static func put(
        _ data: Data, at path: String, _ name: (String, String) -> Int32
    ) throws(Failure) -> Int32 {
        // Requests are answered side by side, so two may be at it.
        let new = "\(path).\(UInt64.random(in: 0...UInt64.max)).new"
        let file = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw unwritable(path) }
        defer {
            close(file)
            // Nothing is left of it under this name.
            unlink(new)
        }
        try write(data, to: file, path)
        return name(new, path) == 0 ? 0 : errno
    }

    /// Writes all of the bytes.
    ///
    /// - Throws: `.unavailable` with the system's reason.
    public static func write(_ data: Data, to file: Int32, _ path: String) throws(Failure) {
        var rest = data[...]
        while !rest.isEmpty {
            // Safe: the slice bounds what the system reads.
            let count = rest.withUnsafeBytes { Foundation.write(file, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw unwritable(path) }
            rest = rest.dropFirst(count)
        }
    }

    /// Whether the directory takes new bytes.
    ///
    /// - Throws: `.unavailable` with the system's reason when it does not.
    public func checkWritable() throws(Failure) {
        let trial = path + "/trial"
        defer { unlink(trial) }
        try Self.replace(trial, with: Data(count: Self.trialBytes))
    }

    /// More than the rest of a block that a log may still grow into.
    private static let trialBytes = 64 << 10

    /// The directory that a path lies in, "." for a mere name. Foundation's own way traps on a name of one character.
    public static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// What is said of a file that cannot be written, by the system's error number.
    public static func unwritable(_ path: String, _ code: Int32 = errno) -> Failure {
        let place = parent(of: path)
        let advice: String? =
            switch code {
            case ENOSPC, EDQUOT: "make room on the file system of \(place)"
            case EROFS, EACCES, EPERM: "make \(place) writable for this user"
            default: nil
            }
        return Failure(
            .unavailable, "cannot write \(path): \(String(cString: strerror(code)))", advice: advice, at: path)
    }
}
