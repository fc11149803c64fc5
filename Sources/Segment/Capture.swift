import Control
import Glibc
import Wire

/// Writes frames to a file in pcap format (libpcap's `pcap-savefile(5)`: version 2.4, microseconds, Ethernet).
final class Capture {
    let path: String
    private(set) var frames: UInt64 = 0
    private let descriptor: Int32
    private var pending: [UInt8] = []

    /// Written out at this size, or when the segment has a quiet moment.
    private static let bufferBytes = 64 << 10

    /// - Throws: `.input` when the file cannot be written. Only a regular file never makes who writes wait for a
    ///   reader: the segment would stand still.
    init(to path: String) throws(Failure) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw Failure(.input, "cannot write \(path): \(String(cString: strerror(errno)))")
        }
        var facts = stat()
        guard fstat(descriptor, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG, ftruncate(descriptor, 0) == 0
        else {
            // Closed by deinit.
            throw Failure(
                .input, "cannot write \(path): it is no regular file",
                advice: "name a file; tail -f -c +1 FILE shows it to another program as it grows")
        }
        append(UInt32(0xA1B2_C3D4))
        append(UInt16(2))
        append(UInt16(4))
        append(UInt32(0))  // time zone: UTC
        append(UInt32(0))  // accuracy: not stated
        append(UInt32(Limits.trainFrameBytes))
        append(UInt32(1))  // link type: Ethernet
        try flush()
    }

    deinit {
        close(descriptor)
    }

    var hasPending: Bool { !pending.isEmpty }

    /// - Parameter microseconds: time of the frame since 1970.
    func write(_ frame: RawSpan, microseconds: UInt64) throws(Failure) {
        append(UInt32(truncatingIfNeeded: microseconds / 1_000_000))
        append(UInt32(microseconds % 1_000_000))
        append(UInt32(frame.byteCount))
        append(UInt32(frame.byteCount))
        // Safe: appended bytes are copied within the call.
        frame.withUnsafeBytes { pending.append(contentsOf: $0) }
        frames += 1
        if pending.count >= Self.bufferBytes { try flush() }
    }

    func flush() throws(Failure) {
        var written = 0
        while written < pending.count {
            // Safe: the range ends at the end of the array.
            let count = pending.withUnsafeBytes { bytes in
                Glibc.write(descriptor, bytes.baseAddress! + written, bytes.count - written)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                throw Failure(.input, "cannot write \(path): \(String(cString: strerror(errno)))")
            }
            written += count
        }
        pending.removeAll(keepingCapacity: true)
    }

    private func append<Value: FixedWidthInteger>(_ value: Value) {
        // Safe: the bytes of an integer.
        withUnsafeBytes(of: value.littleEndian) { pending.append(contentsOf: $0) }
    }
}
