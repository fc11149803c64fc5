import ArgumentParser
import Cluster
import Control
import Foundation
import PageServer
import Wire

extension ClusterDescription.Nic: ExpressibleByArgument {}

/// How to choose the accelerator.
enum AcceleratorChoice: String, CaseIterable, ExpressibleByArgument {
    case auto, tcg, kvm
}

/// Options that only tests and experiments need.
struct ExpertOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Expert: the node image to boot.", valueName: "file"), completion: .file())
    var image: String?

    @Option(
        help: ArgumentHelp("Expert: a file with the key, 16 bytes or 32 hexadecimal digits.", valueName: "file"),
        completion: .file())
    var keyFile: String?

    @Option(help: ArgumentHelp("Expert: the largest packet, jumbo or 1500.", valueName: "jumbo|1500"))
    var mtu: MaximumPacket?

    /// Absolute path of the chosen image; nil when none was chosen.
    ///
    /// - Throws: `.input` when it is no node image.
    func checkedImage() throws(Failure) -> String? {
        guard let image else { return nil }
        let path = try Installation().image(image)
        _ = try NodeImage.buildIdentifier(of: path)
        return path
    }

    func key() throws -> ClusterKey? { try keyFile.map { try ClusterKey.load($0) } }
}

/// The largest packet of the segment.
enum MaximumPacket: String, CaseIterable, ExpressibleByArgument {
    case jumbo
    case standard = "1500"

    /// With the Ethernet header.
    var frameBytes: Int {
        switch self {
        case .jumbo: Limits.maximumFrameBytes
        case .standard: Limits.standardFrameBytes
        }
    }
}

/// - Throws: which values an option takes.
func check(_ value: Int, in range: ClosedRange<Int>, _ option: String) throws {
    guard range.contains(value) else {
        throw ValidationError("\(option) \(value) must lie between \(range.lowerBound) and \(range.upperBound)")
    }
}

struct Up: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start a cluster and wait until every node has joined.")

    /// Enough for the system area and a program's tables; a node keeps 16 bytes or more for each page.
    static let sharedRange = 4...1024
    static let usualShared = 64
    static let memoryRange = 32...4096
    static let timeoutRange = 1...3600

    @OptionGroup var common: CommonOptions

    @Option(help: "How many nodes, 1 to \(Limits.maximumNodes).")
    var nodes = 3

    @Option(help: "The network card.")
    var nic = ClusterDescription.Nic.virtio

    @Option(help: ArgumentHelp("Memory of each node in MiB, 32 to 4096.", valueName: "mib"))
    var memory = 64

    @Option(
        help: ArgumentHelp(
            "Size of the shared memory in MiB, 4 to 1024; 64 unless named, or as the store has it.", valueName: "mib"))
    var shared: Int?

    @Option(help: "What runs the machines; auto tries KVM once and remembers whether it is fast.")
    var accel = AcceleratorChoice.auto

    @Option(help: ArgumentHelp("A local libvirt driver.", valueName: "uri"))
    var connect = "qemu:///embed"

    @Option(
        help: ArgumentHelp(
            """
            How long to wait for the nodes, and until all of a saved memory is read, 1 to 3600; a cluster that takes \
            longer is taken down again (75).
            """, valueName: "seconds"))
    var timeout = 60

    @OptionGroup(title: "Store") var store: StoreOptions

    @OptionGroup(title: "Expert") var expert: ExpertOptions

    func validate() throws {
        try check(nodes, in: 1...Limits.maximumNodes, "--nodes")
        try check(memory, in: Self.memoryRange, "--memory")
        if let shared { try check(shared, in: Self.sharedRange, "--shared") }
        try check(timeout, in: Self.timeoutRange, "--timeout")
        guard let uri = URL(string: connect), uri.scheme?.hasPrefix("qemu") == true else {
            throw ValidationError("--connect \(connect) is no URI of a QEMU driver, such as qemu:///embed")
        }
        guard (uri.host() ?? "").isEmpty, uri.scheme == "qemu" else {
            throw ValidationError("--connect \(connect) is remote: a cluster runs on this machine for now")
        }
        guard ["/embed", "/system", "/session"].contains(uri.path()) else {
            throw ValidationError("--connect must be qemu:///embed, qemu:///system or qemu:///session")
        }
    }

    func run() async throws {
        let directory = try common.directory()
        let start = ContinuousClock.now
        let plan = try store.plan(for: directory)
        let description = try describe(Installation(), plan.storage)
        let storeClaim = StoreClaim(plan)
        let interruption = Interruption()
        let watch = interruption.watch { await clean(directory, storeClaim) }
        do {
            try await claim(directory, description, plan, storeClaim)
            let status = try await boot(directory)
            try await checkMemory(directory, plan.storage.directory, since: start)
            watch.cancel()
            try await report(status, ContinuousClock.now - start, storeClaim)
        } catch {
            // Then the watch cleans, and ends the command.
            if interruption.isNoted { await watch.value }
            let failure = withLastWords(Failure(error, while: "starting the cluster"), directory)
            await clean(directory, storeClaim)
            throw failure
        }
    }

    /// A node's console goes with the cluster, so its end is told now.
    private func withLastWords(_ failure: Failure, _ directory: RunDirectory) -> Failure {
        guard let number = failure.place.flatMap({ try? nodeNumber($0, maximum: Limits.maximumNodes) }),
            let console = FileManager.default.contents(atPath: directory.serialLog(number))
        else { return failure }
        var failure = failure
        let lines = String(decoding: console, as: UTF8.self).split(whereSeparator: \.isNewline).suffix(Self.lastWords)
        failure.message += lines.isEmpty ? "; its console is empty" : "; its console ends with:\n  "
            + lines.joined(separator: "\n  ")
        failure.advice = nil
        return failure
    }

    private static let lastWords = 8

    /// Makes directory and store this cluster's, and starts its supervisor, which keeps them so. One command at a time:
    /// another would take a cluster that has no process yet for one that was left behind.
    private func claim(
        _ directory: RunDirectory, _ description: ClusterDescription, _ plan: StorePlan, _ storeClaim: StoreClaim
    ) async throws {
        try directory.createBase()
        let lock = try await ProcessLock.wait(onDirectory: directory.base, limit: .seconds(30))
        try Leftovers.check(directory)
        try plan.check(in: directory)
        try await Leftovers.clear(directory)
        try directory.create()
        do throws(Failure) {
            try await storeClaim.prepare(description, shared: shared, in: directory).create(in: directory)
        } catch {
            await storeClaim.undo()
            // Whoever ends a cluster takes its directory, also before anything is in it.
            let failure = directory.exists && !directory.isEnding ? error : directory.takenDown ?? error
            // Only if nothing is in it.
            rmdir(directory.path)
            throw failure
        }
        do throws(Failure) { try await ClusterHandle(directory).ensureSupervisor() } catch {
            throw directory.takenDown ?? error
        }
        // The lock is held until here.
        _ = consume lock
    }

    private func describe(
        _ installation: Installation, _ storage: ClusterDescription.Storage
    ) throws -> ClusterDescription {
        _ = try installation.emulator()
        _ = try installation.firmware()
        _ = try installation.domainTemplate()
        return ClusterDescription(
            name: common.name, identifier: UInt64.random(in: 1 ... .max),
            key: try expert.key() ?? ClusterKey.random(), nic: nic, memoryMebibytes: memory,
            sharedMebibytes: shared ?? Self.usualShared, accelerator: try chosenAccelerator(installation),
            connect: connect, image: try expert.checkedImage() ?? installation.image(nil),
            maximumFrameBytes: (expert.mtu ?? .jumbo).frameBytes, storage: storage)
    }

    private func chosenAccelerator(_ installation: Installation) throws -> ClusterDescription.Accelerator {
        switch accel {
        case .auto: try AcceleratorProbe(installation).answer().accelerator
        case .tcg: .tcg
        case .kvm:
            if access("/dev/kvm", R_OK | W_OK) == 0 { .kvm } else {
                throw Failure(
                    .unavailable, "this user cannot open /dev/kvm", advice: "use --accel auto or --accel tcg",
                    at: "--accel kvm")
            }
        }
    }

    /// A memory of which pages are lost is not gone on with. It was read while the nodes booted.
    private func checkMemory(
        _ directory: RunDirectory, _ path: String, since start: ContinuousClock.Instant
    ) async throws {
        guard let source = store.from else { return }
        let limit = .seconds(timeout) - (ContinuousClock.now - start)
        do throws(Failure) {
            let watch = ImageWatch(try ClusterHandle(directory), limit: limit)
            guard var damage = try await watch.wait({ Terminal.progress(unread: $0) }) else { return }
            // A fork, which goes with this cluster, has the files of what it was made of.
            damage.message = damage.message.replacing(path, with: source)
            damage.place = source
            // What is no damage has other advice.
            if damage.kind == .fault {
                damage.advice = "begin at a checkpoint before that with --at, save what is left with plurix store"
                    + " salvage \(source.quoted) NEW, or begin a new one with --new"
            }
            throw damage
        } catch {
            throw directory.takenDown ?? error
        }
    }

    private func boot(_ directory: RunDirectory) async throws -> ClusterStatus {
        do { return try await boot(ClusterHandle(directory)) } catch { throw directory.takenDown ?? error }
    }

    private func boot(_ cluster: ClusterHandle) async throws -> ClusterStatus {
        Terminal.progress("starting \(nodes) node\(nodes == 1 ? "" : "s") of cluster \(common.name)")
        // One after the other: a node that need not share the processors with others' boots joins in a few
        // milliseconds, and all together are up no later.
        let watch = JoinWatch(cluster, limit: .seconds(timeout))
        for number in 1..<nodes {
            _ = try await cluster.startNode(number)
            _ = try await watch.wait(for: [number]) { status in progress(status) }
        }
        _ = try await cluster.startNode(nodes)
        return try await watch.wait(for: Array(1...nodes)) { status in progress(status) }
    }

    private func progress(_ status: ClusterStatus) {
        Terminal.progress(status.joining { _ in true })
    }

    private func report(_ status: ClusterStatus, _ elapsed: Duration, _ claim: StoreClaim) async throws {
        let aside = await claim.asidePath
        let beginning = await claim.beginning
        if common.json { return try Terminal.show(json: Report(status: status, aside: aside, beginning: beginning)) }
        let hint = try common.directory().hint
        let seconds = (elapsed / .seconds(1)).rounded(to: 1)
        if let aside { Terminal.show("the store that was there is now \(aside)") }
        if let beginning { Terminal.show("the memory is as it was at \(beginning.title)") }
        if let words = status.resumption(hint) { Terminal.show(words) }
        Terminal.show(
            """
            \(nodes) node\(nodes == 1 ? "" : "s") joined in \(seconds) s. Next:
              \(hint("run counter 1000"))      a program on all nodes
              \(hint("status"))                how the nodes are
              \(hint("down"))                  \(store.isVolatile ? "end and remove the cluster" : "end the cluster")
            """)
    }

    /// What `up --json` prints: the cluster's state, and what became of stores.
    private struct Report: Encodable {
        var status: ClusterStatus
        var aside: String?
        var beginning: CheckpointReport?

        private enum Key: String, CodingKey { case oldStoreDirectory, begunAt }

        func encode(to encoder: any Encoder) throws {
            try status.encode(to: encoder)
            var container = encoder.container(keyedBy: Key.self)
            try container.encodeIfPresent(aside, forKey: .oldStoreDirectory)
            try container.encodeIfPresent(beginning, forKey: .begunAt)
        }
    }
}

extension ClusterStatus {
    /// How far nodes are, and what is in their way: "n1 joined, n2 starting; nothing is saved: …".
    func joining(_ isMeant: (String) -> Bool) -> String {
        let states = nodes.filter { isMeant($0.name) }.map { "\($0.name) \($0.state.rawValue)" }
        return states.joined(separator: ", ") + (trouble.map { "; \($0)" } ?? "")
    }
}

/// A cluster that did not come up leaves nothing behind; another one that has its name stays.
private func clean(_ directory: RunDirectory, _ claim: StoreClaim) async {
    do {
        if let identifier = await claim.cluster {
            let isThere = try directory.takenDown == nil && ClusterDescription.load(directory).identifier == identifier
            // Who takes it down instead says what becomes of its store.
            guard isThere, try await Teardown(directory).run()?.description?.identifier == identifier else {
                if let aside = await claim.asidePath { Terminal.progress("the store that was there is now \(aside)") }
                return
            }
        }
    } catch {
        // Why the cluster did not come up is told by the caller; this comes in addition.
        Terminal.progress("not all of it could be removed: \(error)")
    }
    await claim.undo()
}

/// What a cluster of the same name left behind.
enum Leftovers {
    /// - Throws: `.input` when a cluster of this name lives.
    static func check(_ directory: RunDirectory) throws(Failure) {
        guard !directory.hasLivingCluster else {
            throw Failure(
                .input, "a cluster named \"\(directory.name)\" runs",
                advice: "use another --name, or end it with \(directory.hint("down"))")
        }
    }

    /// Removes a cluster none of whose processes live any more, as after a reboot. Its store stays.
    static func clear(_ directory: RunDirectory) async throws(Failure) {
        try await Teardown(directory).run()
    }
}
