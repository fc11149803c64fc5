import Foundation

/// A file system of its own that is soon full, for what happens then. Only root can make one.
public struct SmallDisk {
    /// Where it is mounted.
    public let path: String

    public static var isPossible: Bool { getuid() == 0 }

    enum Problem: Error {
        case cannot(String, status: Int32)
        /// What lies at the path is not the file system that was made.
        case isAnother(path: String, bytes: UInt64)
    }

    /// Makes one of `bytes`, whole pages, for as long as `body` runs. Nothing is written before it is seen that what
    /// lies at the path is that file system, and not the one of the whole host.
    public static func with(bytes: UInt64, _ body: (SmallDisk) throws -> Void) throws {
        let path = "/tmp/plurix-disk-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        // Only the empty directory, never what is in it.
        defer { rmdir(path) }
        try run("/bin/mount", "-t", "tmpfs", "-o", "size=\(bytes)", "tmpfs", path)
        let outcome = Result {
            let disk = SmallDisk(path: path)
            try disk.check(bytes: bytes)
            try body(disk)
        }
        try run("/bin/umount", path)
        try outcome.get()
    }

    /// Takes all room that there is, as somebody else does who writes to the same disk.
    public func fill() {
        let file = open(path + "/full", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        let zeros = [UInt8](repeating: 0, count: 4096)
        while write(file, zeros, zeros.count) > 0 {}
        close(file)
    }

    /// Gives back what `fill()` took.
    public func empty() { unlink(path + "/full") }

    /// - Throws: unless a file system of so many bytes is mounted here.
    func check(bytes: UInt64) throws {
        var (here, above) = (stat(), stat())
        var size = statvfs()
        guard stat(path, &here) == 0, stat(path + "/..", &above) == 0, statvfs(path, &size) == 0 else {
            throw Problem.cannot("look at \(path)", status: errno)
        }
        let found = UInt64(size.f_blocks) * UInt64(size.f_frsize)
        guard here.st_dev != above.st_dev, found == bytes else { throw Problem.isAnother(path: path, bytes: found) }
    }

    private static func run(_ words: String...) throws {
        let process = try Process.run(URL(filePath: words[0]), arguments: Array(words.dropFirst()))
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Problem.cannot(words.joined(separator: " "), status: process.terminationStatus)
        }
    }
}
