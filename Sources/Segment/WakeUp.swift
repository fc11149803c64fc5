import CLinux
import Control
import Glibc

/// Interrupts a thread that waits in `poll`.
struct WakeUp: ~Copyable, Sendable {
    let descriptor: Int32

    init() throws(Failure) {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        guard descriptor >= 0 else { throw Failure(.fault, "cannot create an event descriptor: errno \(errno)") }
    }

    deinit {
        close(descriptor)
    }

    func signal() {
        // Fails only when 2^64 - 1 signals are pending already.
        eventfd_write(descriptor, 1)
    }

    func clear() {
        var count: eventfd_t = 0
        // Fails only when no signal is pending.
        eventfd_read(descriptor, &count)
    }
}
