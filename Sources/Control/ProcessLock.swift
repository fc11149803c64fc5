import Foundation

/// A lock that one process at a time can hold; the system lets go of it when the process ends, however it ends.
public struct ProcessLock: ~Copyable, Sendable {
    private let descriptor: Int32

    /// Takes the lock, or returns nil when another process holds it.
    ///
    /// - Throws: `.fault` when the file cannot be opened.
    public static func take(_ path: String) throws(Failure) -> ProcessLock? {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw RunDirectory.unwritable(path)
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            return nil
        }
        return ProcessLock(descriptor: descriptor)
    }

    /// Whether somebody holds the lock.
    static func isHeld(_ path: String) -> Bool {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) != 0
    }

    /// Waits for the lock that a directory itself is, so that nothing of it stays behind.
    ///
    /// - Throws: `.fault` when the directory cannot be opened, `.timeout` when another process keeps the lock.
    public static func wait(onDirectory path: String, limit: Duration) async throws(Failure) -> ProcessLock {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw Failure(.fault, "cannot open \(path): \(String(cString: strerror(errno)))")
        }
        let lock = ProcessLock(descriptor: descriptor)
        let end = ContinuousClock.now + limit
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard ContinuousClock.now < end else {
                throw Failure(
                    .timeout, "another command works on \(path) and does not end",
                    advice: "wait for it, or end it, and try again", at: path)
            }
            do { try await Task.sleep(for: .milliseconds(10)) } catch {
                throw Failure(error, while: "waiting for \(path)")
            }
        }
        return lock
    }

    private init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }
}
