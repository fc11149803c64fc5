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

    /// A cluster that is gone.
    public struct Removed: Equatable, Sendable {
        /// What it said of itself; nil where it had not come so far, or said nothing that can be read.
        public var description: ClusterDescription?
    }

    /// Nil when there was nothing to remove.
    @discardableResult
    public func run() async throws(Failure) -> Removed? {
        guard directory.exists else { return nil }
        let description = try? ClusterDescription.load(directory)
        if let description, description.connect != "qemu:///embed" { await shutDownMachines() }
        // From here on nobody starts anything of it again.
        let lock = await announce()
        guard directory.exists else { return nil }
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
        let removed = try await remove()
        // The lock is held until here.
        _ = consume lock
        return removed
    }

    /// Tells other commands that the cluster ends, and waits for those that end it too. Nil where the disk takes no
    /// name: then it ends without that.
    private func announce() async -> ProcessLock? {
        let deadline = ContinuousClock.now + Self.longest
        while ContinuousClock.now < deadline {
            do throws(Failure) {
                if let lock = try ProcessLock.take(directory.endingLock) { return lock }
            } catch {
                return nil
            }
            await directory.waitForEnding(Self.longest)
            guard !Task.isCancelled else { return nil }
        }
        return nil
    }

    /// As long as another command may take to end a cluster.
    public static let longest = Duration.seconds(60)

    /// Removes the directory. What another command puts into it or takes from it meanwhile makes one try fail.
    private func remove() async throws(Failure) -> Removed {
        let deadline = ContinuousClock.now + .seconds(2)
        var removed = Removed()
        while directory.exists {
            do {
                try removeAll(&removed)
                break
            } catch {
                guard ContinuousClock.now > deadline else {
                    // The next try may go on where this one failed; a cancelled one ends sooner.
                    try? await Task.sleep(for: .milliseconds(5))
                    continue
                }
                throw Failure(error, while: "removing \(directory.path)")
            }
        }
        return removed
    }

    /// The lock last: until then who else takes the cluster down waits. The description is read when it goes: another
    /// command may write it until then, and leaves the store to what is said of it here.
    private func removeAll(_ removed: inout Removed) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: directory.path) {
            let path = directory.path + "/" + name
            if path == directory.endingLock { continue }
            if path == directory.stateFile { removed.description = try? ClusterDescription.load(directory) }
            try FileManager.default.removeItem(atPath: path)
        }
        unlink(directory.endingLock)
        // Not with what has come into it meanwhile.
        guard rmdir(directory.path) == 0 else { throw RunDirectory.unwritable(directory.path) }
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
