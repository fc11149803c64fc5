import CLinux
import Control
import Glibc

/// Memory that two processes share, of a size that neither can change.
///
/// Unsafe because it is mapped by hand and the other process writes to it; `FrameRing` alone uses it. It cannot vanish
/// under its users: its size is sealed.
final class SharedMemory {
    let descriptor: Int32
    let bytes: UnsafeMutableRawBufferPointer

    /// Makes some, full of zeros.
    init(byteCount: Int) throws(Failure) {
        descriptor = memfd_create("plurix", PLURIX_MEMORY_SEALABLE)
        guard descriptor >= 0 else { throw Self.failure("cannot make memory to share") }
        guard ftruncate(descriptor, off_t(byteCount)) == 0,
            fcntl(descriptor, PLURIX_ADD_SEALS, PLURIX_SEALS_OF_SIZE) == 0,
            let bytes = Self.map(descriptor, byteCount)
        else {
            let failure = Self.failure("cannot make memory to share")
            close(descriptor)
            throw failure
        }
        self.bytes = bytes
    }

    /// Takes what another process made, and its descriptor; nil for anything else.
    init?(_ descriptor: Int32, byteCount: Int) {
        self.descriptor = descriptor
        var facts = stat()
        // The seals first: what is not sealed may have another size in the next moment.
        guard fcntl(descriptor, PLURIX_GET_SEALS) == PLURIX_SEALS_OF_SIZE,
            fstat(descriptor, &facts) == 0, facts.st_size == byteCount,
            let bytes = Self.map(descriptor, byteCount)
        else {
            close(descriptor)
            return nil
        }
        self.bytes = bytes
    }

    deinit {
        munmap(bytes.baseAddress, bytes.count)
        close(descriptor)
    }

    /// Safe: the caller has seen to it that the file has that many bytes, and keeps them.
    private static func map(_ descriptor: Int32, _ byteCount: Int) -> UnsafeMutableRawBufferPointer? {
        guard let start = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), start != MAP_FAILED
        else { return nil }
        return UnsafeMutableRawBufferPointer(start: start, count: byteCount)
    }

    private static func failure(_ what: String) -> Failure {
        Failure(.fault, "\(what): \(String(cString: strerror(errno)))")
    }
}
