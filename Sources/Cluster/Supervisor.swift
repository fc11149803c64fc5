import Control
import Foundation
import Logging
import Wire

/// The background process that owns the libvirt connection. It starts, watches and ends everything else of a cluster,
/// and may itself be killed and started again while the machines live.
actor Supervisor {
    let directory: RunDirectory
    var description: ClusterDescription
    private let installation = Installation()
    let logger: Logger
    private let machines: VirtualMachines
    private let cache: CapabilityCache
    private let segment: ControlClient
    let arbiter: ControlClient
    private(set) var nodes: [NodeRecord]
    /// Numbers whose machine is being started.
    private(set) var starting: Set<Int> = []
    /// Machines that were killed and that libvirt still takes leave of.
    private var endings: [Int: Task<Void, Never>] = [:]
    /// What the arbiter said last.
    private var lastSeen: ArbiterStatus.Reply?
    /// Whether the arbiter does not know all that has become of the machines, and when it was told last.
    private var isReportDue = false
    private var reportedAt = ContinuousClock.now
    /// Why a background process does not start.
    private(set) var troubles: [BackgroundProcess: Failure] = [:]
    /// Whether those that live do their work.
    var attendances: [BackgroundProcess: Attendance] = [:]
    /// Whether the arbiter was ended by our own hand, and is to be started.
    var isArbiterAwaited = false
    /// The state that the cluster goes back to, while it does: nodes neither come nor go, and no program begins.
    var restoring: String?
    /// Keeps arbiters from their work while the store is exchanged: whoever has it is the arbiter.
    var arbiterLock: ProcessLock?
    /// Whether the arbiter is not to be started again for now.
    var isArbiterHeld = false

    init(in directory: RunDirectory, logger: Logger) throws(Failure) {
        self.directory = directory
        self.logger = logger
        description = try ClusterDescription.load(directory)
        cache = CapabilityCache(directory)
        if description.connect == "qemu:///embed" {
            cache.bring()
            try EmbeddedDriver.prepare(directory)
        }
        machines = try VirtualMachines(uri: EmbeddedDriver.uri(description.connect, directory), logger: logger)
        segment = BackgroundProcess.segment.client(in: directory)
        arbiter = BackgroundProcess.arbiter.client(in: directory)
        nodes = NodeRecord.load(directory)
    }

    /// Finds out what became of the machines since the last supervisor.
    func recover() async throws(Failure) {
        let active = try await machines.active()
        for index in nodes.indices where nodes[index].stage != .dead {
            let isPaused = active[domain(nodes[index].number)]
            nodes[index].stage = isPaused.map { $0 ? .paused : .running } ?? .dead
        }
        adopt(active)
        try save()
        await report()
        for node in nodes where node.stage == .dead { await tellDeath(node.number) }
    }

    /// Machines that the last supervisor started and did not live to write down are nodes like all others.
    private func adopt(_ active: [String: Bool]) {
        for (number, process) in Emulators.running(in: directory) where !isRunning(number) {
            guard let isPaused = active[domain(number)] else { continue }
            logger.notice("the machine of n\(number) was started by a supervisor that was killed")
            enter(number, isPaused ? .paused : .running, process)
        }
    }

    private func enter(_ number: Int, _ stage: NodeRecord.Stage, _ process: ProcessIdentity?) {
        nodes.removeAll { $0.number == number }
        nodes.append(
            NodeRecord(
                number: number, stage: stage, process: process,
                startedAt: process?.startedAt ?? UInt64(Date().timeIntervalSince1970 * 1e6)))
        nodes.sort { $0.number < $1.number }
    }

    // MARK: Requests

    func start(_ request: StartNode) async throws(Failure) -> StartNode.Reply {
        try refuseWhileRestoring()
        return try await startMachine(request)
    }

    func startMachine(_ request: StartNode) async throws(Failure) -> StartNode.Reply {
        let number = if let node = request.node { node } else { try freeNumber() }
        guard (1...Limits.maximumNodes).contains(number) else {
            throw Failure(.usage, "a cluster has nodes n1 to n\(Limits.maximumNodes)")
        }
        guard !isRunning(number), starting.insert(number).inserted else {
            throw Failure(
                .input, "the node n\(number) runs already", advice: "see \(directory.hint("status"))", at: "n\(number)")
        }
        defer { starting.remove(number) }
        await endings[number]?.value
        let definition = MachineDefinition(
            description: description, node: number, image: request.image ?? description.image, directory: directory,
            emulator: try installation.emulator(), firmware: try installation.firmware())
        try bootModule(for: request, number).write(to: directory.bootModule(number))
        _ = try await segment.sendPatiently(SegmentAttach(station: UInt8(number)))
        let xml = try definition.xml(template: try installation.domainTemplate())
        do throws(Failure) { try await machines.create(xml) } catch { throw explained(error, number) }
        cache.keep()
        let process = NodeRecord.emulatorProcess(domain: domain(number), in: directory)
        enter(number, .running, process)
        try save()
        await report()
        return StartNode.Reply(node: number)
    }

    /// Why a machine does not start: libvirt quotes QEMU's whole command line, and the reason is elsewhere.
    private func explained(_ failure: Failure, _ number: Int) -> Failure {
        do throws(Failure) { try directory.checkWritable() } catch { return error }
        let log = directory.libvirtRoot + "/log/qemu/\(domain(number)).log"
        let lines = String(decoding: FileManager.default.contents(atPath: log) ?? Data(), as: UTF8.self)
            .split(separator: "\n")
        let words = lines.last { $0.contains("qemu-system") && !$0.hasPrefix("/") }
        guard let words else { return failure }
        return Failure(
            failure.kind, "cannot start the machine of n\(number): \(words)",
            advice: "see plurix doctor", at: "n\(number)")
    }

    func change(_ request: ChangeNode) async throws(Failure) {
        try refuseWhileRestoring()
        let number = request.node
        guard let index = nodes.firstIndex(where: { $0.number == number }) else {
            throw Failure(
                .input, "there is no node n\(number)", advice: "see \(directory.hint("status"))", at: "n\(number)")
        }
        switch (request.change, nodes[index].stage) {
        case (.remove, .dead):
            break
        case (.remove, _):
            try refuseWhileHindered()
            _ = try await arbiter.send(ArbiterRetire(node: number))
            try await end(number)
        case (.kill, .dead), (.pause, .dead), (.resume, .dead):
            throw Failure(
                .unavailable, "the node n\(number) is dead",
                advice: "see \(directory.hint("autopsy n\(number)")), or start it again with"
                    + " \(directory.hint("add n\(number)"))",
                at: "n\(number)")
        case (.kill, _):
            try await end(number)
        case (.pause, .paused), (.resume, .running):
            return
        case (.pause, _):
            // Told before it is so: who adds up how long the machine's clock stood still never counts too little.
            try await set(.paused, number)
            do throws(Failure) { try await machines.suspend(domain(number)) } catch {
                try await set(.running, number)
                throw error
            }
        case (.resume, _):
            try await machines.resume(domain(number))
            try await set(.running, number)
        }
        if request.change == .remove {
            nodes.removeAll { $0.number == number }
            try save()
            await report()
            _ = try await segment.sendPatiently(SegmentDetach(station: UInt8(number)))
        }
    }

    func status() async -> ClusterStatus {
        let (seen, trouble) = await arbiterStatus()
        func processIdentifier(_ process: BackgroundProcess) -> Int32? {
            process.running(in: directory)?.processIdentifier
        }
        return ClusterStatus(
            cluster: description.name,
            processes: ClusterStatus.Processes(
                supervisor: getpid(), segment: processIdentifier(.segment), arbiter: processIdentifier(.arbiter)),
            epoch: seen?.epoch ?? 0, commitTime: seen?.commitTime ?? 0, savedTime: seen?.savedTime ?? 0,
            storeDirectory: description.storage.directory, isVolatile: description.storage.isVolatile,
            storeTrouble: seen?.storeTrouble,
            nodes: nodes.map { node in
                ClusterStatus.Node(
                    node, description.nic, seen: seen?.nodes.first { $0.number == node.number })
            },
            running: seen?.running.map { running in
                ClusterStatus.Program(
                    program: running.program, nodes: running.nodes.map { "n\($0)" },
                    unattendedSeconds: running.unattendedSeconds, patienceSeconds: running.patienceSeconds)
            },
            restoring: restoring, trouble: trouble ?? seen?.storeTrouble,
            unreadPages: trouble == nil ? seen?.unreadPages : nil, damage: seen?.damage?.description,
            notices: seen?.notices ?? [])
    }

    /// Ends all machines, then the arbiter and the segment.
    func shutDown() async throws(Failure) {
        for node in nodes where node.stage != .dead { try await end(node.number) }
        for ending in endings.values { await ending.value }
    }

    // MARK: Machines

    /// A machine ended by itself or by our hand, says libvirt: this one, or a former one of the same node.
    func ended(domain: String) async {
        guard let number = MachineDefinition.node(ofDomain: domain, cluster: description.name),
            let record = nodes.first(where: { $0.number == number })
        else { return }
        // A process that is killed loses its connections, which is what libvirt sees, before it has ended.
        let deadline = ContinuousClock.now + Self.dying
        while record.process?.isAlive == true {
            guard ContinuousClock.now < deadline else { return }
            // Cancellation makes it look more often.
            try? await Task.sleep(for: .milliseconds(5))
        }
        guard let index = nodes.firstIndex(where: { $0.number == number }), nodes[index].stage != .dead,
            nodes[index].process == record.process
        else { return }
        nodes[index].stage = .dead
        nodes[index].process = nil
        logger.notice("the machine of n\(number) ended")
        do { try save() } catch { logger.error("\(error)") }
        await report()
        await tellDeath(number)
    }

    /// Machines whose process is gone. libvirt tells of one that was killed only when the host's first process has
    /// taken note of it, which may take seconds in which nobody could start it again.
    func noticeDeaths() async {
        for node in nodes where node.stage != .dead && endings[node.number] == nil {
            guard let process = node.process, !process.isAlive else { continue }
            endings[node.number] = Task { await forget(node.number) }
            await ended(domain: domain(node.number))
        }
    }

    /// As long as a busy system may take to free a machine's memory.
    private static let dying = Duration.seconds(10)

    /// Ends a machine as a power failure would. QEMU is killed directly: libvirt would wait for it to end by itself,
    /// and then until its parent has taken note of its death, which is the host's first process and may take a second.
    func end(_ number: Int) async throws(Failure) {
        let domain = domain(number)
        guard let process = nodes.first(where: { $0.number == number })?.process else {
            try await machines.destroy(domain)
            return await ended(domain: domain)
        }
        process.signal(SIGKILL)
        endings[number] = Task { await forget(number) }
        // A killed process ends as soon as the kernel has freed its memory.
        while process.isAlive { try? await Task.sleep(for: .milliseconds(1)) }
        await ended(domain: domain)
    }

    /// Lets libvirt take leave of a machine that was killed.
    private func forget(_ number: Int) async {
        do throws(Failure) { try await machines.destroy(domain(number)) } catch { logger.error("\(error)") }
        endings[number] = nil
    }

    private func set(_ stage: NodeRecord.Stage, _ number: Int) async throws(Failure) {
        guard let index = nodes.firstIndex(where: { $0.number == number }) else { return }
        nodes[index].stage = stage
        try save()
        await report()
    }

    private func bootModule(for request: StartNode, _ number: Int) -> BootModule {
        let key = (request.key ?? description.key).halves
        return BootModule(
            cluster: description.identifier, key: SipHash.Key(low: key.low, high: key.high),
            nonce: UInt64.random(in: 1 ... .max), sharedPages: description.sharedPages,
            maximumFrameBytes: UInt16(request.maximumFrameBytes ?? description.maximumFrameBytes),
            node: Station(UInt8(number)))
    }

    private func freeNumber() throws(Failure) -> Int {
        guard let number = (1...Limits.maximumNodes).first(where: { !isRunning($0) && !starting.contains($0) }) else {
            throw Failure(.input, "a cluster has at most \(Limits.maximumNodes) nodes")
        }
        return number
    }

    func isRunning(_ number: Int) -> Bool {
        nodes.contains { $0.number == number && $0.stage != .dead }
    }

    private func domain(_ number: Int) -> String { MachineDefinition.domainName(description.name, number) }

    private func save() throws(Failure) { try NodeRecord.save(nodes, in: directory) }

    // MARK: The arbiter

    /// Tells the arbiter which machines run, which says which are gone. One that does not take it is told again.
    func report() async {
        do throws(Failure) { try await tell() } catch {
            isReportDue = true
            logger.warning("the arbiter was not told which machines run: \(error)")
        }
    }

    /// Tells the arbiter which machines run, and whether programs may begin.
    func tell() async throws(Failure) {
        let running = nodes.filter { $0.stage == .running }.map(\.number)
        let paused = nodes.filter { $0.stage == .paused }.map(\.number)
        reportedAt = .now
        let machines = ArbiterMachines(running: running, paused: paused, isRestoring: restoring != nil)
        _ = try await arbiter.send(machines, limit: .seconds(5))
        isReportDue = false
    }

    private func tellDeath(_ number: Int) async {
        do { _ = try await arbiter.send(ArbiterDied(node: number), limit: .seconds(5)) } catch {
            isReportDue = true
            logger.warning("the arbiter was not told of the death of n\(number): \(error)")
        }
    }

    /// Tells the arbiter what it could not be told, as one that stood still because the disk was full.
    func reportAgain() async {
        if isReportDue, ContinuousClock.now - reportedAt > .seconds(1) { await report() }
    }

    /// What the arbiter says, or has said last, and what keeps it from saying more.
    private func arbiterStatus() async -> (seen: ArbiterStatus.Reply?, trouble: String?) {
        // One that was killed is there again in a moment.
        for _ in 0..<Self.tries {
            do throws(Failure) {
                lastSeen = try await arbiter.send(ArbiterStatus(), limit: ClusterHandle.glance)
                return (lastSeen, troubles.values.map(\.description).sorted().first ?? hindrance)
            } catch {
                let trouble = troubles[.arbiter] ?? attendances[.arbiter]?.trouble ?? error
                let isAway = error.kind == .unavailable && error.place == arbiter.path
                guard isAway, troubles.isEmpty else { return (lastSeen, trouble.description) }
                // It is not to be there.
                if isArbiterHeld { return (lastSeen, nil) }
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
        return (lastSeen, "the arbiter does not answer; see \(directory.log(of: BackgroundProcess.arbiter.rawValue))")
    }

    private static let tries = 20

    /// Whether a process is not to be started for now.
    func isHeld(_ process: BackgroundProcess) -> Bool { process == .arbiter && isArbiterHeld }

    /// Remembers why a background process does not start; nil when it does.
    func note(_ trouble: Failure?, of process: BackgroundProcess) { troubles[process] = trouble }
}

extension Supervisor {
    /// Machines that end, as libvirt reports them.
    nonisolated var events: AsyncStream<VirtualMachines.Event> { machines.events }
}

extension ClusterStatus.Node {
    /// What the supervisor and the arbiter know of one node together.
    init(_ record: NodeRecord, _ nic: ClusterDescription.Nic, seen: NodeReport?) {
        name = record.name
        switch record.stage {
        case .dead: state = .dead
        case .paused: state = .paused
        case .running: state = seen.map { $0.state == .dead ? .starting : $0.state } ?? .starting
        }
        self.nic = nic
        processIdentifier = record.process.flatMap { $0.isAlive ? $0.processIdentifier : nil }
        joinMilliseconds = Double(seen?.joinMicroseconds ?? 0) / 1000
        joinPageRequests = seen?.joinPageRequests ?? 0
        let joinedAt = seen?.joinedAt ?? 0
        upMilliseconds = joinedAt > record.startedAt ? Double(joinedAt - record.startedAt) / 1000 : 0
        commitTime = seen?.commitTime ?? 0
        commits = seen?.commits ?? 0
        aborts = seen?.aborts ?? 0
        pagesFetched = seen?.pagesFetched ?? 0
        framesSent = seen?.framesSent ?? 0
        framesReceived = seen?.framesReceived ?? 0
        framesRejected = seen?.framesRejected ?? 0
        silentMilliseconds = seen?.silentMilliseconds ?? 0
        notice = seen?.notice
    }
}
