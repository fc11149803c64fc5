import CLibvirt
import Control
import Foundation
import Logging
import Synchronization

/// What libvirt keeps once for a process: its event loop, its error handler and its log.
enum LibvirtRuntime {
    private static let logger = Mutex<Logger?>(nil)

    /// Registers the event loop and runs it on a thread of its own. Only the first call does anything.
    static func start(_ newLogger: Logger) {
        let isFirst = logger.withLock { logger in
            defer { logger = logger ?? newLogger }
            return logger == nil
        }
        guard isFirst else { return }
        // Only errors, and those to the log: libvirt would write to standard error.
        setenv("LIBVIRT_LOG_OUTPUTS", "4:file:/dev/null", 0)
        setenv("LIBVIRT_DEBUG", "4", 0)
        virInitialize()
        virSetErrorFunc(nil) { _, error in
            guard let message = error?.pointee.message else { return }
            // Safe: libvirt's message is a C string that lives during the call.
            let text = String(cString: message)
            LibvirtRuntime.logger.withLock { $0?.debug("libvirt: \(text)") }
        }
        virEventRegisterDefaultImpl()
        let thread = Thread {
            while true {
                if virEventRunDefaultImpl() < 0 { usleep(10_000) }
            }
        }
        thread.name = "libvirt-events"
        thread.start()
        // An event loop without any timer or descriptor would spin through errors; a slow timer keeps it asleep.
        virEventAddTimeout(60_000, { _, _ in }, nil, nil)
    }

    /// libvirt's last error on this thread, as a failure.
    static func failure(_ kind: Failure.Kind, _ what: String) -> Failure {
        guard let message = virGetLastErrorMessage() else { return Failure(kind, what) }
        return Failure(kind, "\(what): \(String(cString: message))")
    }
}
