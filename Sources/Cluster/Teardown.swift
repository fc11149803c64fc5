import Control
import Foundation

/// `plurix down`: ends and removes everything of a cluster, also what is left of one whose processes were killed.
///
/// Only processes that this cluster recorded are touched, and only while number, start time and boot agree, and QEMU
/// processes whose command line names a machine of this cluster in this cluster's directory.
public struct Teardown: Sendable {
    private let directory: RunDirectory

    public init(_ directory: RunDirectory) {
        self.directory = directory
    }

    /// False when there was nothing to remove.
    @discardableResult
    public func run() async throws(Failure) -> Bool {
        guard directory.exists else { return false }
        let description = try? ClusterDescription.load(directory)
        if let description, description.connect != "qemu:///embed" { await shutDownMachines() }
        // First the supervisor, which would start the others again.
        await end(BackgroundProcess.supervisor.running(in: directory).map { [$0] } ?? [])
        for process in [BackgroundProcess.arbiter, .segment] {
            guard process.running(in: directory) != nil else { continue }
            // One that does not answer is killed below.
            _ = try? await process.client(in: directory).send(Stop(), limit: .seconds(5))
        }
        let rest = [BackgroundProcess.arbiter, .segment].compactMap { $0.running(in: directory) }
        await end(emulators() + rest)
        // Stores that a restore was about to tidy up.
        if let intent = RestoreIntent.load(directory) { _ = try intent.settle() }
        try await remove()
        return true
    }

    /// Removes the directory. What another command puts into it or takes from it meanwhile makes one try fail.
    private func remove() async throws(Failure) {
        let deadline = ContinuousClock.now + .seconds(2)
        while directory.exists {
            do { try FileManager.default.removeItem(atPath: directory.path) } catch {
                guard ContinuousClock.now > deadline else {
                    // The next try may go on where this one failed; a cancelled one ends sooner.
                    try? await Task.sleep(for: .milliseconds(5))
                    continue
                }
                throw Failure(error, while: "removing \(directory.path)")
            }
        }
    }

    /// Whether a machine of this cluster runs.
    public var hasLivingMachines: Bool { emulators().contains(where: \.isAlive) }

    /// A shared libvirt driver has to end its machines itself.
    private func shutDownMachines() async {
        guard let cluster = try? ClusterHandle(directory) else { return }
        do {
            try await cluster.ensureSupervisor()
            _ = try await BackgroundProcess.supervisor.client(in: directory).send(ShutDown(), limit: .seconds(60))
        } catch {
            // What libvirt does not end, `emulators` finds.
        }
    }

    private func emulators() -> [ProcessIdentity] { Array(Emulators.running(in: directory).values) }

    /// Kills processes and waits until they are gone.
    private func end(_ processes: [ProcessIdentity]) async {
        for process in processes { process.signal(SIGKILL) }
        let deadline = ContinuousClock.now + .seconds(10)
        while processes.contains(where: \.isAlive), ContinuousClock.now < deadline {
            // Own children are taken from the process table.
            for process in processes { waitpid(process.processIdentifier, nil, WNOHANG) }
            try? await Task.sleep(for: .milliseconds(2))
        }
    }
}

extension RunDirectory {
    /// Whether anything of the cluster is at work: its next command starts what is missing again.
    public var hasLivingCluster: Bool {
        BackgroundProcess.allCases.contains { $0.running(in: self) != nil } || Teardown(self).hasLivingMachines
    }
}

extension StoreUser {
    /// The cluster that has a store, if it lives. The store is its own also while its page server is away for a moment.
    public static func livingCluster(of store: String) -> RunDirectory? {
        cluster(of: store).flatMap { $0.hasLivingCluster ? $0 : nil }
    }
}
