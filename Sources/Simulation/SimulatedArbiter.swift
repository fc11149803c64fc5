import Durability
import Protocol
import Store
import Wire

/// The arbiter of a run: the real state machine, killed and started again over what its disk kept.
final class SimulatedArbiter {
    var core: Arbiter
    var store: ArbiterStore
    var isAlive = false
    var pausedUntil: UInt64 = 0
    var ring: [Frame] = []
    var wakeGeneration: UInt64 = 0
    var diary: [String] = []
    /// What it decided, since the last look.
    var decisions: [Decision] = []
    /// How often it was started.
    private(set) var life = 0
    /// Its store's thread is to do something soon.
    var isStoreAwaited = false
    /// It dies after so many changes to its disk, when it is started next.
    var deathAtStart: Int?
    var host: HostDisk
    let habits: DiskHabits

    enum Decision {
        case poll(ArbiterNotice.Reason, at: UInt64)
        case opening(EpochRecord)
    }

    /// What was done to the facts while no arbiter ran.
    private var newFacts: ArbiterFacts?
    private let maximumFrameBytes: Int
    private let memory: Scenario.Memory
    private var random: Generator

    init(
        sharedPages: Int, maximumFrameBytes: Int, memory: Scenario.Memory, random: Generator,
        habits: DiskHabits = DiskHabits(), fate: Generator = Generator(1)
    ) {
        self.maximumFrameBytes = maximumFrameBytes
        self.memory = memory
        self.habits = habits
        var random = random
        host = HostDisk(tearsLastWrite: !habits.isImmediate, random: fate)
        store = Self.makeStore(
            on: host, habits, sharedPages: sharedPages, maximumFrameBytes: maximumFrameBytes, random: random.split())
        core = Self.makeCore(store, memory, nonce: random.next())
        self.random = random
    }

    private static func makeCore(_ store: borrowing ArbiterStore, _ memory: Scenario.Memory, nonce: UInt64) -> Arbiter {
        Arbiter(
            cluster: Simulation.cluster, key: Simulation.key, build: Simulation.build,
            state: store.keeper.state.arbiter, nonce: nonce, logEntries: memory.arbiterLogEntries,
            logWords: memory.arbiterLogWords, chainLimit: memory.chain)
    }

    private static func makeStore(
        on host: HostDisk, _ habits: DiskHabits, sharedPages: Int, maximumFrameBytes: Int, random: Generator
    ) -> ArbiterStore {
        do throws(StoreError) {
            var state = try DurableState(Store.create(
                on: DiskAccess(host: host), cluster: Simulation.cluster, identity: 1, key: Simulation.key,
                Geometry(
                    pageBytes: habits.page.byteCount, pageCount: sharedPages, segmentBytes: habits.segmentBytes,
                    reserveBytes: habits.reserveBytes)))
            try state.setRetention(habits.retention)
            try state.settle()
            let image = [[UInt64]](repeating: [UInt64](repeating: 0, count: PageFrames.words), count: sharedPages)
            let reader = try state.store.makeReader()
            return ArbiterStore(
                host: host, Keeper(state, settleInterval: habits.settleInterval), image: image, reader: reader, habits,
                maximumFrameBytes: maximumFrameBytes, random: random)
        } catch {
            preconditionFailure("a store can be made on an empty disk")
        }
    }

    /// Whether frames reach it: else its card keeps them for a while.
    func isListening(at now: UInt64) -> Bool { pausedUntil <= now && !store.isStalled }

    /// Starts from the disk alone; false when that cannot be read or written just now.
    @discardableResult
    func boot(now: UInt64, _ checker: Checker) -> Bool {
        let storeRandom = random.split()
        let nonce = random.next()
        do throws(StoreError) { try open(now, storeRandom, checker) } catch {
            if case .disk = error {} else { checker.fail(.saved, "the store was refused: \(error)") }
            return false
        }
        core = Self.makeCore(store, memory, nonce: nonce)
        isAlive = true
        life += 1
        isStoreAwaited = false
        pausedUntil = 0
        ring = []
        core.start(now: now, &store)
        follow(checker)
        return true
    }

    private func open(_ now: UInt64, _ storeRandom: Generator, _ checker: Checker) throws(StoreError) {
        var state = try openState()
        let found = try SavedState(reading: &state, at: nil, habits.page)
        checker.recovered(found, state.facts, expected: expectedFacts)
        try state.setRetention(habits.retention)
        try state.flush()
        let reader = try state.store.makeReader()
        store = ArbiterStore(
            host: host, Keeper(state, settleInterval: habits.settleInterval), image: found.image, reader: reader,
            habits,
            maximumFrameBytes: maximumFrameBytes, random: storeRandom)
        store.now = now
        newFacts = nil
    }

    private func openState() throws(StoreError) -> DurableState<DiskAccess> {
        host.beginProcess()
        host.callsUntilDeath = deathAtStart
        deathAtStart = nil
        return try DurableState(Store.open(DiskAccess(host: host), cluster: Simulation.cluster))
    }

    /// The facts that the disk must have, or one of which it must have.
    var expectedFacts: [ArbiterFacts] { newFacts.map { [$0] } ?? [store.noted] + (store.attempted.map { [$0] } ?? []) }

    /// All nodes are dead: the store is made ready for the next arbiter, as `StoreRevival.prepare` does it.
    func bury() throws(StoreError) {
        var state = try openState()
        var facts = state.facts
        facts.buryAll()
        let buried = facts
        try state.note { $0 = buried }
        try state.settle()
        newFacts = buried
    }

    /// Another disk takes the place of this one: a fork at one of the checkpoints, or the same when there is none.
    ///
    /// - Returns: The time of that checkpoint.
    func goBack(_ draw: inout Generator) throws(StoreError) -> GlobalTime? {
        var state = try openState()
        let checkpoints = state.store.checkpoints
        guard !checkpoints.isEmpty else { return nil }
        let time = checkpoints[draw.below(checkpoints.count)].time
        let other = HostDisk(tearsLastWrite: host.tearsLastWrite, random: draw.split())
        let fork = try state.fork(
            at: time, into: DiskAccess(host: other), cluster: Simulation.cluster, identity: draw.next())
        newFacts = fork.facts
        host = other
        return time
    }

    func kill() {
        isAlive = false
        store.outbox = []
        store.events = []
    }

    func follow(_ checker: Checker) {
        for event in store.events {
            switch event {
            case .held(let time, let image): checker.held(time, image: image)
            case .saved(let time): checker.saved(time)
            case .kept(let checkpoint): checker.kept(checkpoint)
            case .misread(let page): checker.fail(.saved, "page \(page), saved by an earlier arbiter, is not read back")
            case .opened(let record):
                checker.opened(record)
                decisions.append(.opening(record))
            case .notice(let notice, let time):
                if case .polling(_, let reason) = notice { decisions.append(.poll(reason, at: time)) }
                diary.append("\(notice)")
            }
        }
        store.events.removeAll(keepingCapacity: true)
    }
}
