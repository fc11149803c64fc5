import Protocol
import Store
import Wire

/// All that an arbiter must not forget, in a store: its facts, and the shared memory at the times that it saved.
///
/// Every round of saving is a checkpoint of the store; one that nobody asked to keep goes when the next one is there.
/// So the newest consistent state is always in the store, and to keep it costs one record.
///
/// Calls append only, and count together with the next `flush`, one barrier for all of them. After an error the store
/// reads only, and what was gathered for the round under way is forgotten, until `resume`.
public struct DurableState<Medium: Disk & ~Copyable>: ~Copyable {
    public private(set) var store: Store<Medium>
    public private(set) var facts: ArbiterFacts

    /// - Throws: `.foreign` for a store that no arbiter wrote.
    public init(_ store: consuming Store<Medium>) throws(StoreError) {
        guard let facts = ArbiterFacts({ store.register($0) }),
            facts.chain[0].epoch >= store.checkpoints.last?.time.epoch ?? 0
        else { throw .foreign }
        self.facts = facts
        self.store = store
    }

    /// What the next arbiter starts from.
    public var arbiter: ArbiterState {
        var state = ArbiterState(sharedPages: store.geometry.pageCount)
        state.incarnation = facts.incarnation
        state.polledEpoch = facts.polledEpoch
        state.lastIncarnation = facts.lastIncarnation
        state.chain = facts.chain
        state.members = facts.members
        state.saved = time
        for page in state.imageVersions.indices { state.imageVersions[page] = store.version(of: UInt32(page)) }
        return state
    }

    /// The commit time of the newest state.
    public var time: GlobalTime { store.checkpoints.last?.time ?? .zero }

    // MARK: Facts

    /// Notes a change of the facts.
    public mutating func note(_ change: (inout ArbiterFacts) -> Void) throws(StoreError) {
        var new = facts
        change(&new)
        let registers = new.registers(unlike: facts)
        guard !registers.isEmpty else { return }
        try store.set(registers)
        facts = new
    }

    // MARK: The shared memory

    /// Pages of the round of saving under way. Several at once: what is generic here is looked up at each call.
    public mutating func put(_ pages: [PageVersion]) throws(StoreError) {
        let pages = pages.span
        for place in pages.indices {
            try store.put(pages[place].number, version: pages[place].version, pages[place].bytes.span.bytes)
        }
    }

    /// The round ends: what was put since the last one, and all other pages as they were, is the state at this time.
    public mutating func end(_ checkpoint: Checkpoint) throws(StoreError) {
        try store.endCheckpoint(checkpoint)
    }

    public mutating func abandon() { store.abandonCheckpoint() }

    /// Everything appended so far survives whatever happens.
    public mutating func flush() throws(StoreError) { try store.flush() }

    /// And the log is vouched for up to here, so that it cannot be lost without notice.
    public mutating func settle() throws(StoreError) { try store.settle() }

    // MARK: Upkeep

    /// After an error: tries again from what is on the disk. The round under way must be put once more.
    public mutating func resume() throws(StoreError) {
        try store.resume()
        store.abandonCheckpoint()
        guard let found = ArbiterFacts({ store.register($0) }) else { throw .foreign }
        facts = found
    }

    /// Does a part of what is to be tidied up; false when nothing is left.
    public mutating func clean(budget: Int) throws(StoreError) -> Bool { try store.clean(budget: budget) }

    public mutating func setRetention(_ retention: Retention) throws(StoreError) { try store.setRetention(retention) }

    /// Forgets the checkpoints that the retention gives up.
    public mutating func expire(now: UInt64) throws(StoreError) { _ = try store.expire(now: now) }

    /// Forgets checkpoints, labelled or not.
    public mutating func forget(_ times: [GlobalTime]) throws(StoreError) { try store.forget(times) }

    /// The page as it was at the time of a checkpoint, the newest when none is named, and its version.
    public mutating func read(
        _ page: UInt32, at time: GlobalTime? = nil, into bytes: inout MutableRawSpan
    ) throws(StoreError) -> GlobalTime {
        try store.read(page, at: time, into: &bytes)
    }

    /// The bytes of a page at the newest state; nil when they are not those of this version.
    ///
    /// - Throws: `.damaged` when they cannot be read back as they were written; `.disk`.
    public mutating func page(_ page: UInt32, _ version: GlobalTime) throws(StoreError) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: store.geometry.pageBytes)
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        return try read(page, into: &raw) == version ? bytes : nil
    }

    /// Whether all pages of a state can be read back as they were written.
    public mutating func isWhole(at time: GlobalTime) throws(StoreError) -> Bool {
        var bytes = [UInt8](repeating: 0, count: store.geometry.pageBytes)
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        for page in 0..<UInt32(store.geometry.pageCount) {
            do throws(StoreError) { _ = try store.read(page, at: time, into: &raw) } catch {
                guard case .damaged = error else { throw error }
                return false
            }
        }
        return true
    }

    /// Of a damaged store that was opened to salvage it: checkpoints that are known by name only.
    public mutating func lostCheckpoints() throws(StoreError) -> [Checkpoint] { try store.lostCheckpoints() }

    /// Reads everything that is on the disk, and checks it.
    public mutating func verify() throws(StoreError) -> Inventory { try store.verify() }

    /// A store of its own out of the state at a checkpoint, for a cluster that goes on from there.
    public mutating func fork(
        at time: GlobalTime, into target: consuming Medium, cluster: UInt64, identity: UInt64
    ) throws(StoreError) -> DurableState {
        try DurableState(store.fork(
            at: time, into: target, cluster: cluster, identity: identity, registers: registers(goneBackTo: time)))
    }

    /// A fork that is sound, of a store that need not be.
    public mutating func soundFork(
        at time: GlobalTime, into target: consuming Medium, cluster: UInt64, identity: UInt64
    ) throws(StoreError) -> DurableState {
        try DurableState(store.soundFork(
            at: time, into: target, cluster: cluster, identity: identity, registers: registers(goneBackTo: time)))
    }

    /// What a fork begins with.
    private func registers(goneBackTo time: GlobalTime) -> [(key: UInt64, value: [UInt8])] {
        var facts = facts
        facts.goBack(to: time)
        return facts.registers(unlike: ArbiterFacts())
    }
}
