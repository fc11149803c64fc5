import Control
import Heap
import Kernel
import Logging
import Protocol
import Segment
import Synchronization
import Wire

/// The arbiter at work: one thread that takes frames, timers and requests one after the other.
///
/// Unchecked, because everything but `perform`, `stop` and `keeper` belongs to the thread that runs `run`.
public final class ArbiterLoop: @unchecked Sendable {
    /// Gets the loop, or why the loop does nothing for it.
    private typealias Task = @Sendable (Result<ArbiterLoop, Failure>) -> Void

    private struct Mailbox {
        var tasks: [Task] = []
        /// What the store's thread told.
        var reports: [StoreKeeper.Report] = []
        var isClosed = false
    }

    private let station: HostStation
    /// What was read of the image.
    private let portions = PortionQueue()
    private let mailbox = Mutex(Mailbox())
    private var waits = LoopWaits()
    private var arbiter: Arbiter
    private var world: HostWorld
    private var orders: Orders
    private var jobs: Jobs
    private var roster: Roster
    private var notices: NoticeBoard
    private var pauses = Pauses()
    /// When nodes are told to stop recording, because who wanted it asks no more; nil when none records.
    private var recordingEnd: UInt64?
    /// Nanoseconds after which a recording that nobody renews ends.
    private static let recordingPatience: UInt64 = 30_000_000_000
    private let settings: ArbiterSettings
    private let directory: RunDirectory
    /// Anybody may use it.
    let keeper: StoreKeeper

    /// Why nothing is saved; nil while that works.
    private var storeTrouble: Failure?
    private var outage: StoreOutage
    /// It was told that pages are lost.
    private var isDamaged = false
    /// When the next periodic checkpoint is due.
    private var nextCheckpoint = UInt64.max

    /// Opens the store and attaches to the segment.
    ///
    /// - Throws: `.unavailable` when another arbiter of the cluster runs; `.fault` for a damaged store; `.input` for
    ///   one that is not this cluster's.
    public init(_ settings: ArbiterSettings, in directory: RunDirectory, logger: Logger) throws(Failure) {
        // The lock before the socket: a second arbiter must not take the frames of the first.
        let keeper = try StoreKeeper(
            settings.store, cluster: settings.cluster, sharedPages: settings.sharedPages, logger: logger)
        self.keeper = keeper
        let contents = try keeper.contents()
        try contents.image.checkLayout(of: settings.store.directory)
        station = try HostStation(.arbiter, in: directory, isSharing: true)
        world = HostWorld(
            link: ArbiterLink(station), keeper: keeper, image: contents.image, joinedAt: contents.joinedAt,
            maximumFrameBytes: settings.maximumFrameBytes, logger: logger)
        var generator = SystemRandomNumberGenerator()
        arbiter = Arbiter(
            cluster: settings.cluster, key: settings.key, build: settings.build, state: contents.state,
            nonce: generator.next())
        self.settings = settings
        orders = Orders(incarnation: arbiter.endpoint.incarnation)
        jobs = Jobs(incarnation: arbiter.endpoint.incarnation, in: directory, now: Clock.now())
        roster = Roster(arbiter)
        notices = NoticeBoard(build: settings.build, file: directory.notices, logger: logger)
        outage = StoreOutage(after: directory.notices.lines, now: Clock.now())
        self.directory = directory
        world.onStall = { [weak self] failure in
            self?.answerAll(.failure(failure))
            self?.waits.fail(failure)
            self?.jobs.standStill(now: Clock.now())
        }
        keeper.begin { [weak self] report in self?.post(report) }
        if settings.store.checkpointInterval > 0 { nextCheckpoint = Clock.now() + settings.store.checkpointInterval }
    }

    /// Works until `stop()`. Blocks the calling thread.
    public func run() {
        keeper.readBehind { [portions, station] portion in
            defer { station.wake() }
            return portions.put(portion)
        }
        arbiter.start(now: Clock.now(), &world)
        jobs.refresh(world.image, now: Clock.now(), &orders)
        settle()
        while true {
            receive()
            let now = Clock.now()
            if arbiter.deadline <= now { arbiter.tick(now: now, &world) }
            let isClosed = mailbox.withLock { $0.isClosed }
            hear()
            // Who asks is told of what has just happened, too.
            if mailbox.withLock({ !$0.tasks.isEmpty }) { settle() }
            answerAll(.success(self))
            if isClosed { return close() }
            settle()
            waits.settle(self, now: Clock.now())
        }
    }

    private func close() {
        hear(isLast: true)
        waits.fail(Self.closed)
    }

    /// Does what waits for the loop, one after the other: the first may stall, and the others are answered by that.
    private func answerAll(_ result: Result<ArbiterLoop, Failure>) {
        while let task = mailbox.withLock({ $0.tasks.isEmpty ? nil : $0.tasks.removeFirst() }) { task(result) }
    }

    private func post(_ report: StoreKeeper.Report) {
        mailbox.withLock { $0.reports.append(report) }
        station.wake()
    }

    /// Takes in what the store's thread told. Only then an outage may have ended: an arbiter that stood still has not
    /// heard yet that it goes on.
    private func hear(isLast: Bool = false) {
        let now = isLast ? .max : Clock.now()
        let reports = mailbox.withLock { box in
            defer { box.reports.removeAll() }
            return box.reports
        }
        for report in reports {
            switch report {
            case .durable(let time):
                arbiter.becameDurable(time, now: Clock.now(), &world)
                world.noteSaved()
            case .trouble(let failure):
                storeTrouble = failure
                if let words = outage.hear(failure, now: Clock.now()) { notices.post(words, .error) }
            }
        }
        for portion in portions.takeAll() {
            world.adopt(portion)
            if portion.isLast, let damage = world.image.damage {
                isDamaged = true
                notices.post(damage.description, .error)
            }
        }
        if isDamaged, world.image.isWhole {
            isDamaged = false
            notices.post("all of the saved memory can be read back again")
        }
        if let words = outage.end(now: now) { notices.post(words, .error) }
    }

    /// Ends `run`. What waits for the loop is still answered.
    public func stop() {
        mailbox.withLock { $0.isClosed = true }
        portions.close()
        station.wake()
    }

    /// Runs `body` between two events of the loop and hands back what it returns.
    ///
    /// - Throws: what `body` throws; `.unavailable` when the loop has ended.
    public func perform<Result: Sendable>(
        _ body: @escaping @Sendable (ArbiterLoop) throws(Failure) -> Result
    ) async throws(Failure) -> Result {
        let outcome: Swift.Result<Result, Failure> = await withCheckedContinuation { continuation in
            post { loop in
                do throws(Failure) {
                    continuation.resume(returning: .success(try body(try loop.get())))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try outcome.get()
    }

    /// Waits until something is so, which is looked at whenever the loop has done something.
    ///
    /// - Returns: False when it has not become so in time.
    /// - Throws: `.unavailable` when the loop has ended; why it stands still, when it does.
    func wait(
        _ patience: Duration, until isSo: @escaping @Sendable (ArbiterLoop) -> Bool
    ) async throws(Failure) -> Bool {
        let end = Clock.now() + UInt64(patience / .nanoseconds(1))
        let outcome: Swift.Result<Bool, Failure> = await withCheckedContinuation { continuation in
            post { loop in
                switch loop {
                case .success(let loop):
                    loop.waits.add(LoopWait(end: end, isSo: isSo) { continuation.resume(returning: $0) })
                case .failure(let failure): continuation.resume(returning: .failure(failure))
                }
            }
        }
        return try outcome.get()
    }

    private func post(_ task: @escaping Task) {
        let isOpen = mailbox.withLock { box in
            if !box.isClosed { box.tasks.append(task) }
            return !box.isClosed
        }
        if isOpen { station.wake() } else { task(.failure(Self.closed)) }
    }

    private static let closed = Failure(.unavailable, "the arbiter is stopping")

    // MARK: One turn

    private func receive() {
        let now = Clock.now()
        world.link.flush(now)
        var due = min(arbiter.deadline, orders.deadline, nextCheckpoint, waits.deadline, outage.deadline)
        if world.link.isBacklogged { due = min(due, now + ArbiterLink.retryInterval) }
        station.receive(waiting: due > now ? due - now : 0) { frame in
            arbiter.receive(frame, now: Clock.now(), &world)
        }
    }

    /// Follows up what the arbiter's last events mean for orders, jobs and the user.
    private func settle() {
        let now = Clock.now()
        var isChanged = false
        for event in world.takeEvents() {
            switch event {
            case .reply(let reply, _): orders.answer(reply, now: now)
            case .report: noteJoined()
            case .notice(let notice):
                if case .joined(let node, _) = notice { roster.admitted(node) }
                notices.post(notice, now: now)
            case .saved: isChanged = true
            }
        }
        orders.settle(saved: arbiter.saved, chain: arbiter.chain, now: now)
        // What is shown must be saved: an image that is ahead of the disk is looked at when the disk has it.
        let isShown = world.image.time <= arbiter.saved
        if isChanged, isShown {
            noteJoined()
            jobs.refresh(world.image, now: now, &orders)
        }
        jobs.settle(dead: roster.deadMask, now: now, &orders)
        if isShown, jobs.isLookWanted(world.image) { jobs.refresh(world.image, now: now, &orders) }
        for words in jobs.takeNotices() { notices.post(words) }
        if let recordingEnd, recordingEnd <= now { _ = beginRecording(isOn: false) }
        checkpointIfDue(now)
        guard orders.deadline <= now else { return }
        let nodes = jobs.preferring(roster.ready(arbiter, world.image, now: now))
        orders.tick(now: now, nodes: nodes) { command, payload, node in
            arbiter.command(command, payload, to: node, &world)
        }
    }

    /// Notes which members have joined by now.
    private func noteJoined() {
        for number in 1...Limits.maximumNodes where world.joinedAt[number - 1] == 0 {
            guard Roster.isJoined(number, arbiter, world.image) else { continue }
            world.note(Station(UInt8(number)), joinedAt: Clock.microsecondsSince1970())
        }
    }

    // MARK: What may be asked of it, inside `perform`

    /// What the arbiter knows of the cluster.
    public func status() -> ArbiterStatus.Reply {
        let misplacement = keeper.misplacement
        return ArbiterStatus.Reply(
            epoch: arbiter.epoch, commitTime: arbiter.applied.raw, savedTime: arbiter.saved.raw,
            nodes: roster.reports(
                arbiter, world.image, joinedAt: world.joinedAt, refusals: notices.refusals, now: Clock.now()),
            running: jobs.running(now: Clock.now()), storeTrouble: (misplacement ?? storeTrouble)?.description,
            isStoreMisplaced: misplacement != nil, unreadPages: world.image.unreadCount, damage: world.image.damage,
            notices: notices.texts)
    }

    /// Of all pages that an earlier arbiter has saved it is known whether they can be read back.
    var isMemoryKnown: Bool { world.image.unreadCount == 0 }

    /// Gives the program up that runs.
    func stopProgram() throws(Failure) -> RunningProgram? {
        guard let running = jobs.running(now: Clock.now()) else { return nil }
        try cancel(running.job)
        return running
    }

    // MARK: Checkpoints

    /// The newest commit that the arbiter has followed.
    var commitTime: GlobalTime { arbiter.applied }

    /// Somebody waits for a checkpoint.
    func hasten() { arbiter.hasten(now: Clock.now()) }

    private func checkpointIfDue(_ now: UInt64) {
        guard nextCheckpoint <= now else { return }
        nextCheckpoint = now + settings.store.checkpointInterval
        keeper.keep(notBefore: arbiter.applied, now: Clock.microsecondsSince1970())
    }

    /// Which machines there are.
    public func update(_ machines: ArbiterMachines) {
        pauses.update(paused: machines.paused, now: Clock.now())
        jobs.isClosed = machines.isRestoring
        for node in roster.update(running: machines.running, paused: machines.paused) { bury(node) }
    }

    /// The machine of a node is gone.
    public func died(_ node: Int) {
        roster.died(node)
        bury(node)
    }

    private func bury(_ node: Int) {
        guard (1...Limits.maximumNodes).contains(node) else { return }
        let member = arbiter.member(Station(UInt8(node)))
        let hasLeft = orders.bury(Station(UInt8(node)))
        if hasLeft { notices.left(node) }
        if member.state == .member { jobs.died(node, member.counters, hasLeft: hasLeft) }
        arbiter.died(Station(UInt8(node)), now: Clock.now(), &world)
    }

    func reserveJob() -> Int { jobs.reserve() }

    /// Begins a job, unless it has begun already.
    ///
    /// - Throws: `.unavailable` when another one runs or a node has not joined.
    func start(_ request: JobRequest) throws(Failure) -> Int {
        if let number = request.number, jobs.knows(number) { return number }
        for node in request.nodes where !Roster.isJoined(node, arbiter, world.image) {
            throw Failure(
                .unavailable, "n\(node) has not joined the cluster", advice: "see \(directory.hint("status"))",
                at: "n\(node)")
        }
        return try jobs.start(request, now: Clock.now(), &orders)
    }

    /// How a job stands, and the bytes of its result.
    func report(_ job: Int) -> (reply: ArbiterJob.Reply, result: [UInt8]) {
        jobs.report(job, now: Clock.now())
    }

    func cancel(_ job: Int) throws(Failure) {
        try jobs.cancel(job, now: Clock.now(), &orders)
    }

    /// Why nothing is saved, also while a full disk has room for moments.
    var outageWords: String? { outage.told }

    /// Asks a node to end its work. False when there is no such node (any more).
    ///
    /// - Parameter patience: as long as it is waited for. A node is not told later, as when a full disk has room again.
    func beginRetirement(_ node: Int, within patience: Duration) -> Bool {
        guard isMember(node) else { return false }
        let purpose = Orders.Purpose.powerOff(node: node)
        guard !orders.contains(purpose) else { return true }
        let end = Clock.now() + UInt64(patience / .nanoseconds(1))
        orders.submit(purpose, .powerOff, only: Station(UInt8(node)), until: end)
        return true
    }

    /// Whether everything that the node did is saved, or the node is gone.
    func isRetired(_ node: Int) -> Bool {
        !isMember(node) || orders.outcome(of: .powerOff(node: node)) == .done
    }

    /// Tells all joined nodes to record their transactions, or to stop; returns whom it told.
    func beginRecording(isOn: Bool) -> [Int] {
        orders.removeAll { if case .recordHistory = $0 { true } else { false } }
        _ = orders.takeRecorders()
        recordingEnd = isOn ? Clock.now() + Self.recordingPatience : nil
        let nodes = roster.ready(arbiter, world.image, now: Clock.now()).map { Int($0.number) }
        for node in nodes {
            orders.submit(.recordHistory(node: node, isOn: isOn), .recordHistory, only: Station(UInt8(node)))
        }
        return nodes
    }

    /// Those of the nodes that have not answered and still live.
    func waitsForRecording(_ nodes: [Int], isOn: Bool) -> [Int] {
        nodes.filter { isMember($0) && orders.contains(.recordHistory(node: $0, isOn: isOn)) }
    }

    /// What they answered, and what a history must know of the cluster.
    func recordingFacts(since began: UInt64) -> ArbiterRecordHistory.Reply {
        let now = Clock.now()
        return ArbiterRecordHistory.Reply(
            nodes: orders.takeRecorders(), savedTime: arbiter.saved.raw,
            openings: arbiter.chain.map { ArbiterRecordHistory.Opening(epoch: $0.epoch, opened: $0.opened.raw) },
            pausedNanoseconds: pauses.total(now: now), beginNanoseconds: began, endNanoseconds: now)
    }

    private func isMember(_ node: Int) -> Bool {
        (1...Limits.maximumNodes).contains(node) && arbiter.member(Station(UInt8(node))).state == .member
    }
}
