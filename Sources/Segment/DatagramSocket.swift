import CLinux
import Control
import Glibc
import Wire

/// A Unix datagram socket that carries Ethernet frames, one a datagram. Never blocks.
///
/// This file is where the room touches C: socket addresses are C structs with a path inside.
struct DatagramSocket: ~Copyable {
    let descriptor: Int32
    private let path: String

    /// Bytes that the kernel may hold for one sender: room for several hundred of the largest frames.
    private static let bufferBytes: Int32 = 4 << 20

    /// How an attempt to send ended.
    enum Sent {
        case done
        /// The receiver reads too slowly: try again when the socket is writable.
        case full
        /// Nobody has bound the other end.
        case unreachable
    }

    /// Binds a socket at `path`, replacing what a killed process left there.
    init(at path: String) throws(Failure) {
        self.path = path
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0)
        guard descriptor >= 0 else { throw Self.failure("cannot open a socket") }
        unlink(path)
        guard Self.withAddress(path, { bind(descriptor, $0, $1) }) == 0 else {
            throw Self.failure("cannot bind \(path)")
        }
        var bytes = Self.bufferBytes
        // The system may grant less; that costs speed under load, nothing else.
        setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit {
        close(descriptor)
    }

    /// Removes the socket's file; done when a station goes for good, not when the process ends.
    func removeFile() {
        unlink(path)
    }

    /// Makes `path` the receiver of `send(_:)`. False when nobody has bound it.
    func attach(to path: String) -> Bool {
        Self.withAddress(path) { connect(descriptor, $0, $1) } == 0
    }

    /// Lets go of the receiver: until the next one is attached, everybody may send to this socket.
    func detach() {
        var nobody = sockaddr()
        nobody.sa_family = sa_family_t(AF_UNSPEC)
        // A socket without a receiver stays as it is.
        connect(descriptor, &nobody, socklen_t(MemoryLayout<sockaddr>.size))
    }

    /// Sends to the attached receiver.
    func send(_ frame: RawSpan) -> Sent {
        frame.withUnsafeBytes { bytes in
            // Safe: the kernel reads exactly `count` bytes, which the span guarantees.
            Self.outcome(Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)))
        }
    }

    /// Sends to whoever has bound `path` at this moment.
    func send(_ frame: RawSpan, to path: String) -> Sent {
        frame.withUnsafeBytes { bytes in
            // Safe: as above.
            Self.withAddress(path) { address, size in
                Self.outcome(
                    sendto(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL), address, size))
            }
        }
    }

    /// Takes the next datagram and returns its length, which is larger than the buffer when it was cut off; nil when
    /// none waits.
    func receive(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        // Safe: the kernel writes at most `count` bytes into memory that the caller owns.
        let count = recv(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_TRUNC))
        return count >= 0 ? count : nil
    }

    /// The same for a datagram that may bring two open files along, which are the caller's then.
    func receive(into buffer: UnsafeMutableRawBufferPointer, _ passed: inout PassedFiles) -> Int? {
        // Safe: as above, and two descriptors are all that is ever written to the pair.
        let count = withUnsafeMutableBytes(of: &passed) {
            plurix_receive_files(
                descriptor, buffer.baseAddress, buffer.count, $0.assumingMemoryBound(to: Int32.self).baseAddress)
        }
        return count >= 0 ? count : nil
    }

    /// Passes two open files to whoever has bound `path`, with a datagram that is no frame.
    func pass(_ files: PassedFiles, to path: String) -> Sent {
        var files = files
        // Safe: two descriptors and one byte are all that is read.
        return withUnsafeBytes(of: &files) { pair in
            Self.withAddress(path) { address, size in
                var byte: UInt8 = 0
                return Self.outcome(plurix_send_files(
                    descriptor, address, size, &byte, 1, pair.assumingMemoryBound(to: Int32.self).baseAddress))
            }
        }
    }

    private static func outcome(_ result: Int) -> Sent {
        if result >= 0 { return .done }
        switch errno {
        case EAGAIN, ENOBUFS, ENOMEM, EINTR: return .full
        default: return .unreachable
        }
    }

    private static func withAddress<Result>(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { field in
            // Safe: `RunDirectory` admits only paths that fit, and the last byte stays the terminating zero.
            precondition(path.utf8.count < field.count, "socket path too long")
            field.copyBytes(from: path.utf8)
        }
        return withUnsafePointer(to: &address) { pointer in
            // Safe: every socket address may be seen as its common head; the size says which one it is.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private static func failure(_ what: String) -> Failure {
        Failure(.fault, "\(what): \(String(cString: strerror(errno)))")
    }
}
