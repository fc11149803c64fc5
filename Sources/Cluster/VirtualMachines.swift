import CLibvirt
import Control
import Foundation
import Logging
import Synchronization

/// A connection to libvirt: the only place that calls it.
///
/// `qemu:///embed` runs the QEMU driver inside this process, below a root directory that one process at a time may use.
/// Machines outlive the process; reopening the root finds them again.
public final class VirtualMachines: @unchecked Sendable {
    /// A machine changed by itself or by request.
    public enum Event: Sendable, Equatable {
        /// The domain's machine is gone.
        case ended(domain: String)
    }

    /// Machines that end, as they end.
    public let events: AsyncStream<Event>

    // libvirt's connections and its event loop are made for use from many threads.
    private let connection: virConnectPtr
    private let queue = DispatchQueue(label: "libvirt", attributes: .concurrent)

    /// - Parameter uri: of a local driver.
    /// - Throws: `.unavailable` with libvirt's own words when the driver does not open.
    public init(uri: String, logger: Logger) throws(Failure) {
        LibvirtRuntime.start(logger)
        guard let connection = virConnectOpen(uri) else {
            var failure = LibvirtRuntime.failure(.unavailable, "cannot open libvirt's \(uri)")
            if !uri.hasPrefix("qemu:///embed") {
                failure.advice =
                    "start libvirt's daemon, as with systemctl start libvirtd, or leave --connect out: the default"
                    + " needs none"
            }
            throw failure
        }
        self.connection = connection
        let (events, continuation) = AsyncStream.makeStream(of: Event.self)
        self.events = events
        let callback: virConnectDomainEventCallback = { _, domain, event, _, context in
            let isEnd = event == VIR_DOMAIN_EVENT_STOPPED.rawValue || event == VIR_DOMAIN_EVENT_CRASHED.rawValue
            guard isEnd, let context, let name = virDomainGetName(domain) else { return 0 }
            // Safe: the context is the box retained below, which lives as long as the registration.
            Unmanaged<EventBox>.fromOpaque(context).takeUnretainedValue().continuation
                .yield(.ended(domain: String(cString: name)))
            return 0
        }
        let box = Unmanaged.passRetained(EventBox(continuation))
        // Safe: libvirt asks for each event's own callback type to be passed as its generic one.
        let generic = unsafeBitCast(callback, to: virConnectDomainEventGenericCallback.self)
        let registered = virConnectDomainEventRegisterAny(
            connection, nil, Int32(VIR_DOMAIN_EVENT_ID_LIFECYCLE.rawValue), generic, box.toOpaque()
        ) { context in
            // Safe: balances `passRetained`.
            if let context { Unmanaged<EventBox>.fromOpaque(context).release() }
        }
        guard registered >= 0 else { throw LibvirtRuntime.failure(.fault, "cannot hear of libvirt's events") }
    }

    private final class EventBox {
        let continuation: AsyncStream<Event>.Continuation
        init(_ continuation: AsyncStream<Event>.Continuation) { self.continuation = continuation }
    }

    /// Starts a machine. It is gone for good when it ends.
    ///
    /// - Throws: `.unavailable` with libvirt's own words.
    public func create(_ xml: String) async throws(Failure) {
        try await blocking { [self] () throws(Failure) in
            guard let domain = virDomainCreateXML(connection, xml, 0) else {
                throw LibvirtRuntime.failure(.unavailable, "cannot start the machine")
            }
            virDomainFree(domain)
        }
    }

    /// Ends a machine at once. One that is gone already is no error.
    public func destroy(_ name: String) async throws(Failure) {
        try await withDomain(name) { domain throws(Failure) in
            guard virDomainDestroy(domain) == 0 else {
                if virGetLastErrorCode() == VIR_ERR_NO_DOMAIN.rawValue { return }
                if virGetLastErrorCode() == VIR_ERR_OPERATION_INVALID.rawValue { return }
                throw LibvirtRuntime.failure(.fault, "cannot end the machine \(name)")
            }
        }
    }

    public func suspend(_ name: String) async throws(Failure) {
        let found = try await withDomain(name) { domain throws(Failure) in
            guard virDomainSuspend(domain) == 0 else { throw LibvirtRuntime.failure(.fault, "cannot pause \(name)") }
        }
        guard found else { throw Failure(.unavailable, "the machine \(name) does not run") }
    }

    public func resume(_ name: String) async throws(Failure) {
        let found = try await withDomain(name) { domain throws(Failure) in
            guard virDomainResume(domain) == 0 else { throw LibvirtRuntime.failure(.fault, "cannot resume \(name)") }
        }
        guard found else { throw Failure(.unavailable, "the machine \(name) does not run") }
    }

    /// All machines that run or are paused, by name: whether they are paused.
    public func active() async throws(Failure) -> [String: Bool] {
        try await blocking { [self] () throws(Failure) in
            // Safe: libvirt sets it to an array of its own, which is freed below.
            var list: UnsafeMutablePointer<virDomainPtr?>?
            let count = virConnectListAllDomains(connection, &list, VIR_CONNECT_LIST_DOMAINS_ACTIVE.rawValue)
            guard count >= 0, let list else { throw LibvirtRuntime.failure(.fault, "cannot list the machines") }
            defer { free(list) }
            // Safe: libvirt allocated `count` entries and hands them over.
            var found: [String: Bool] = [:]
            for index in 0..<Int(count) {
                guard let domain = list[index] else { continue }
                defer { virDomainFree(domain) }
                var state: Int32 = 0
                guard let name = virDomainGetName(domain), virDomainGetState(domain, &state, nil, 0) == 0 else {
                    continue
                }
                found[String(cString: name)] = state == VIR_DOMAIN_PAUSED.rawValue
            }
            return found
        }
    }

    /// Version of the emulator, as "7.2.22"; nil when the driver does not say.
    public func emulatorVersion() -> String? {
        var version: UInt = 0
        guard virConnectGetVersion(connection, &version) == 0 else { return nil }
        return "\(version / 1_000_000).\(version / 1000 % 1000).\(version % 1000)"
    }

    /// False when there is no such domain.
    @discardableResult
    private func withDomain(
        _ name: String, _ body: @escaping @Sendable (virDomainPtr) throws(Failure) -> Void
    ) async throws(Failure) -> Bool {
        try await blocking { [self] () throws(Failure) in
            guard let domain = virDomainLookupByName(connection, name) else { return false }
            defer { virDomainFree(domain) }
            try body(domain)
            return true
        }
    }

    /// Calls of libvirt may take seconds, so they never run on a thread of Swift's pool.
    private func blocking<Result: Sendable>(
        _ body: @escaping @Sendable () throws(Failure) -> Result
    ) async throws(Failure) -> Result {
        do {
            return try await withCheckedThrowingContinuation { continuation in
                queue.async {
                    do throws(Failure) { continuation.resume(returning: try body()) } catch {
                        continuation.resume(throwing: error)
                    }
                }
            }
        } catch {
            throw Failure(error, while: "calling libvirt")
        }
    }
}
