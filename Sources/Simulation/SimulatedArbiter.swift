import Protocol
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

    enum Decision {
        case poll(ArbiterNotice.Reason)
        case opening(EpochRecord)
    }

    private let memory: Scenario.Memory
    private var random: Generator

    init(sharedPages: Int, maximumFrameBytes: Int, memory: Scenario.Memory, random: Generator) {
        self.memory = memory
        var random = random
        store = ArbiterStore(disk: ArbiterDisk(sharedPages: sharedPages), maximumFrameBytes: maximumFrameBytes,
                             random: random.split())
        core = Self.makeCore(store, memory, nonce: random.next())
        self.random = random
    }

    private static func makeCore(_ store: ArbiterStore, _ memory: Scenario.Memory, nonce: UInt64) -> Arbiter {
        Arbiter(cluster: Simulation.cluster, key: Simulation.key, build: Simulation.build, state: store.disk.state,
                nonce: nonce, logEntries: memory.arbiterLogEntries, logWords: memory.arbiterLogWords)
    }

    /// Starts from the disk alone.
    func boot(now: UInt64, _ checker: Checker) {
        store = ArbiterStore(disk: store.disk, maximumFrameBytes: store.maximumFrameBytes, random: random.split())
        core = Self.makeCore(store, memory, nonce: random.next())
        isAlive = true
        life += 1
        pausedUntil = 0
        ring = []
        core.start(now: now, &store)
        follow(checker)
    }

    func kill() {
        isAlive = false
        store.outbox = []
    }

    func follow(_ checker: Checker) {
        for event in store.events {
            switch event {
            case .saved(let time): checker.saved(time, image: store.disk.image)
            case .opened(let record):
                checker.opened(record)
                decisions.append(.opening(record))
            case .notice(let notice):
                if case .polling(_, let reason) = notice { decisions.append(.poll(reason)) }
                diary.append("\(notice)")
            }
        }
        store.events.removeAll(keepingCapacity: true)
    }
}
