import Control
import Glibc
import Wire

/// Writes frames to a file in pcap format (libpcap's `pcap-savefile(5)`: version 2.4, microseconds, Ethernet).
///
/// One that can no longer be written (the disk is full) ends there, with the last frame that is whole in the file; the
/// network goes on, and who asks is told.
final class Capture {
    let path: String
    /// Frames that are in the file, or soon will be.
    private(set) var frames: UInt64 = 0
    /// Why the capture ended before somebody ended it.
    private(set) var problem: Failure?
    private let descriptor: Int32
    private var pending: [UInt8] = []
    /// Where each frame of `pending` ends.
    private var ends: [Int] = []
    private var fileBytes = 0

    /// Written out at this size, or when the segment has a quiet moment.
    private static let bufferBytes = 64 << 10

    /// - Throws: `.input` when the file cannot be a capture's, `.unavailable` when its disk is full. Only a regular
    ///   file never makes who writes wait for a reader: the segment would stand still.
    init(to path: String) throws(Failure) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0o644)
        // What is thrown from here on closes it by deinit.
        guard descriptor >= 0 else { throw Self.failure("cannot write \(path)") }
        var facts = stat()
        guard fstat(descriptor, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else {
            throw Failure(
                .input, "cannot write \(path): it is no regular file",
                advice: "name a file; tail -f -c +1 FILE shows it to another program as it grows")
        }
        guard ftruncate(descriptor, 0) == 0 else { throw Self.failure("cannot empty \(path)") }
        append(UInt32(0xA1B2_C3D4))
        append(UInt16(2))
        append(UInt16(4))
        append(UInt32(0))  // time zone: UTC
        append(UInt32(0))  // accuracy: not stated
        append(UInt32(Limits.trainFrameBytes))
        append(UInt32(1))  // link type: Ethernet
        flush()
        if let problem { throw problem }
    }

    deinit {
        close(descriptor)
    }

    var hasPending: Bool { !pending.isEmpty }

    /// What is said of it once it has ended by itself; nil while it has not.
    var ending: Failure? {
        problem.map { problem in
            let count = frames == 1 ? "1 frame" : "\(frames) frames"
            return Failure(
                .unavailable, "the capture into \(path) ended by itself after \(count): \(problem.message)",
                advice: problem.advice, at: path)
        }
    }

    /// - Parameter microseconds: time of the frame since 1970.
    func write(_ frame: RawSpan, microseconds: UInt64) {
        guard problem == nil else { return }
        append(UInt32(truncatingIfNeeded: microseconds / 1_000_000))
        append(UInt32(microseconds % 1_000_000))
        append(UInt32(frame.byteCount))
        append(UInt32(frame.byteCount))
        // Safe: appended bytes are copied within the call.
        frame.withUnsafeBytes { pending.append(contentsOf: $0) }
        ends.append(pending.count)
        frames += 1
        if pending.count >= Self.bufferBytes { flush() }
    }

    /// Writes out what is pending, or finds that it cannot be written.
    func flush() {
        var written = 0
        while written < pending.count {
            // Safe: the range ends at the end of the array.
            let count = pending.withUnsafeBytes { bytes in
                Glibc.write(descriptor, bytes.baseAddress! + written, bytes.count - written)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                end(Self.failure("cannot write \(path)"), written: written)
                return
            }
            written += count
        }
        fileBytes += written
        pending.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
    }

    /// Cuts the file behind the last whole frame: readers of captures complain of half a one.
    ///
    /// - Parameter written: how much of `pending` is in the file.
    private func end(_ reason: Failure, written: Int) {
        let whole = ends.last { $0 <= written } ?? 0
        frames -= UInt64(ends.count { $0 > written })
        problem = reason
        if ftruncate(descriptor, off_t(fileBytes + whole)) != 0 {
            problem?.message += "; its last frame is not whole"
        }
        pending = []
        ends = []
    }

    /// By the system's error number.
    private static func failure(_ what: String) -> Failure {
        let isFull = errno == ENOSPC || errno == EDQUOT
        return Failure(
            isFull ? .unavailable : .input, "\(what): \(String(cString: strerror(errno)))",
            advice: isFull ? "make room on its file system, or name a file on another" : nil)
    }

    private func append<Value: FixedWidthInteger>(_ value: Value) {
        // Safe: the bytes of an integer.
        withUnsafeBytes(of: value.littleEndian) { pending.append(contentsOf: $0) }
    }
}
