import Control
import Foundation
import Logging
import Wire

/// The background process that owns the libvirt connection. It starts, watches and ends everything else of a cluster,
/// and may itself be killed and started again while the machines live.
actor Supervisor {
    private let directory: RunDirectory
    private let description: ClusterDescription
    private let installation = Installation()
    private let logger: Logger
    private let machines: VirtualMachines
    private let cache: CapabilityCache
    private let segment: ControlClient
    private let arbiter: ControlClient
    private var nodes: [NodeRecord]
    /// Numbers whose machine is being started.
    private var starting: Set<Int> = []

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
        segment = ControlClient(path: directory.segmentSocket)
        arbiter = ControlClient(path: directory.arbiterSocket)
        nodes = NodeRecord.load(directory)
    }

    /// Finds out what became of the machines since the last supervisor.
    func recover() async throws(Failure) {
        let active = Set(try await machines.active())
        for index in nodes.indices where nodes[index].stage != .dead {
            if !active.contains(domain(nodes[index].number)) { nodes[index].stage = .dead }
        }
        try save()
        await report()
        for node in nodes where node.stage == .dead { await tellDeath(node.number) }
    }

    // MARK: Requests

    func start(_ request: StartNode) async throws(Failure) -> StartNode.Reply {
        let number = if let node = request.node { node } else { try freeNumber() }
        guard (1...Limits.maximumNodes).contains(number) else {
            throw Failure(.usage, "a cluster has nodes n1 to n\(Limits.maximumNodes)")
        }
        guard !isRunning(number), starting.insert(number).inserted else {
            throw Failure(.input, "the node n\(number) runs already")
        }
        defer { starting.remove(number) }
        let definition = MachineDefinition(
            description: description, node: number, image: request.image ?? description.image, directory: directory,
            emulator: try installation.emulator(), firmware: try installation.firmware())
        try bootModule(for: request, number).write(to: directory.bootModule(number))
        _ = try await segment.sendPatiently(SegmentAttach(station: UInt8(number)))
        let xml = try definition.xml(template: try installation.domainTemplate())
        try await machines.create(xml)
        cache.keep()
        let process = NodeRecord.emulatorProcess(domain: domain(number), in: directory)
        nodes.removeAll { $0.number == number }
        nodes.append(
            NodeRecord(
                number: number, stage: .running, process: process,
                startedAt: process?.startedAt ?? UInt64(Date().timeIntervalSince1970 * 1e6)))
        nodes.sort { $0.number < $1.number }
        try save()
        await report()
        return StartNode.Reply(node: number)
    }

    func change(_ request: ChangeNode) async throws(Failure) {
        let number = request.node
        guard let index = nodes.firstIndex(where: { $0.number == number }) else {
            throw Failure(.input, "there is no node n\(number): see plurix status")
        }
        switch (request.change, nodes[index].stage) {
        case (.remove, .dead):
            break
        case (.remove, _):
            _ = try await arbiter.send(ArbiterRetire(node: number))
            try await end(number)
        case (.kill, .dead), (.pause, .dead), (.resume, .dead):
            throw Failure(.unavailable, "the node n\(number) is dead: see plurix autopsy n\(number)")
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
        let seen = await arbiterStatus()
        func processIdentifier(_ process: BackgroundProcess) -> Int32? {
            process.running(in: directory)?.processIdentifier
        }
        return ClusterStatus(
            cluster: description.name,
            processes: ClusterStatus.Processes(
                supervisor: getpid(), segment: processIdentifier(.segment), arbiter: processIdentifier(.arbiter)),
            epoch: seen?.epoch ?? 0, commitTime: seen?.commitTime ?? 0, savedTime: seen?.savedTime ?? 0,
            nodes: nodes.map { node in
                ClusterStatus.Node(
                    node, description.nic, seen: seen?.nodes.first { $0.number == node.number })
            },
            notices: seen?.notices ?? [])
    }

    /// Ends all machines, then the arbiter and the segment.
    func shutDown() async throws(Failure) {
        for node in nodes where node.stage != .dead { try await end(node.number) }
    }

    // MARK: Machines

    /// A machine ended by itself or by our hand.
    func ended(domain: String) async {
        guard let number = MachineDefinition.node(ofDomain: domain, cluster: description.name),
            let index = nodes.firstIndex(where: { $0.number == number }), nodes[index].stage != .dead,
            nodes[index].process?.isAlive != true
        else { return }
        nodes[index].stage = .dead
        nodes[index].process = nil
        logger.notice("the machine of n\(number) ended")
        do { try save() } catch { logger.error("\(error)") }
        await report()
        await tellDeath(number)
    }

    /// Ends a machine as a power failure would. QEMU is killed directly, because libvirt waits 1.5 s for it to end by
    /// itself first.
    private func end(_ number: Int) async throws(Failure) {
        nodes.first { $0.number == number }?.process?.signal(SIGKILL)
        try await machines.destroy(domain(number))
        await ended(domain: domain(number))
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

    private func isRunning(_ number: Int) -> Bool {
        nodes.contains { $0.number == number && $0.stage != .dead }
    }

    private func domain(_ number: Int) -> String { MachineDefinition.domainName(description.name, number) }

    private func save() throws(Failure) { try NodeRecord.save(nodes, in: directory) }

    // MARK: The arbiter

    /// Tells the arbiter which machines run. An arbiter that does not answer asks for nothing: it is told again when it
    /// was restarted.
    func report() async {
        let running = nodes.filter { $0.stage == .running }.map(\.number)
        let paused = nodes.filter { $0.stage == .paused }.map(\.number)
        do { _ = try await arbiter.send(ArbiterMachines(running: running, paused: paused), limit: .seconds(5)) } catch {
            logger.warning("the arbiter was not told which machines run: \(error)")
        }
    }

    private func tellDeath(_ number: Int) async {
        do { _ = try await arbiter.send(ArbiterDied(node: number), limit: .seconds(5)) } catch {
            logger.warning("the arbiter was not told of the death of n\(number): \(error)")
        }
    }

    private func arbiterStatus() async -> ArbiterStatus.Reply? {
        do { return try await arbiter.send(ArbiterStatus(), limit: .seconds(5)) } catch {
            logger.warning("the arbiter gives no status: \(error)")
            return nil
        }
    }
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
        notice = seen?.notice
    }
}
