import Control
import Dispatch
import Durability
import Logging
import Protocol
import Store
import Synchronization
import Wire

/// The thread of a running arbiter's store: the arbiter goes on while the disk works, but for what takes less time than
/// to change threads twice, and for pages that were not read since it began. What is done to the store, and in which
/// order, is `Keeper`'s business.
///
/// Unchecked, because everything but constants and atomics belongs to the queue.
final class StoreKeeper: @unchecked Sendable {
    /// What the arbiter is told, in the queue.
    enum Report: Sendable {
        /// The state at this time survives whatever the disk survives.
        case durable(GlobalTime)
        /// The store cannot be written, and why; nil when it can be again.
        case trouble(Failure?)
    }

    let path: String
    let isVolatile: Bool
    private(set) var report: (@Sendable (Report) -> Void)?
    private let queue = DispatchQueue(label: "store", qos: .userInitiated)
    private let logger: Logger
    private let place: StorePlace?
    /// Why the store cannot be written, while it cannot, and what that means.
    private var cause: Failure?
    private var trouble: Failure?
    private var pause = RetryPause()
    private var keeper: Keeper<StoreDirectory>
    private var isCleaning = false
    /// What of the image is still to be read.
    private var unread: StoredPages?
    private var periodicMark: Int?
    /// Who waits for the outcome of a mark.
    private var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    /// What the queue has to do, or is doing.
    private let uses = Atomic<Int>(0)
    /// How long the last short round took, nanoseconds; the most there is when it failed.
    private let lastShortRound = Atomic<UInt64>(0)
    /// What had been written when tidying up was begun last.
    private var tidiedBytes = 0

    /// Written between two superblocks: what a recovery reads record by record.
    private static let settleInterval = 16 << 20
    /// Cleaned at a time: about a millisecond, so that who saves never waits long.
    private static let cleaningBudget = 256 << 10
    /// A short round that is written so fast is waited for: to hand it to another thread and back takes as long.
    private static let waitingTime: UInt64 = 200_000
    /// Written between two times of tidying up.
    private static let tidyInterval = 64 << 10

    /// Opens the store, or makes it.
    ///
    /// - Throws: `.unavailable` when another process uses it; `.input` for one of another cluster or another size;
    ///   `.fault` for a damaged one.
    init(_ settings: StoreSettings, cluster: UInt64, sharedPages: UInt32, logger: Logger) throws(Failure) {
        path = settings.directory
        isVolatile = settings.isVolatile
        self.logger = logger
        let store = try StoreOpening.open(settings, cluster: cluster, sharedPages: sharedPages)
        place = StorePlace(path)
        for finding in store.findings { logger.notice("\(settings.directory): \(finding)") }
        do throws(StoreError) {
            var state = try DurableState(store)
            try state.setRetention(settings.retention)
            try state.flush()
            keeper = Keeper(state, settleInterval: Self.settleInterval)
        } catch {
            throw Failure(error, store: settings.directory)
        }
    }

    /// What an arbiter starts from.
    ///
    /// - Throws: Why one of the pages that it looks at itself cannot be read.
    func contents() throws(Failure) -> (state: ArbiterState, joinedAt: [UInt64], image: SharedImage) {
        let pages = try storedPages().get()
        let (state, joinedAt) = use { (keeper.state.arbiter, keeper.state.facts.joinedAt) }
        let image = try SharedImage(pages, pageCount: state.imageVersions.count, at: state.saved)
        use {
            unread = image.unreadCount > 0 ? pages : nil
            keeper.isForgetting = image.isWhole
        }
        return (state, joinedAt, image)
    }

    private func storedPages() -> Result<StoredPages, Failure> {
        use {
            do throws(StoreError) {
                let reader = try keeper.state.store.makeReader()
                return .success(StoredPages(reader) { [weak self] in self?.page($0, $1) ?? .success(nil) })
            } catch {
                return .failure(Failure(error, store: path))
            }
        }
    }

    /// A page that is not where it was when the store was opened; nil when it has another version now.
    func page(_ page: UInt32, _ version: GlobalTime) -> Result<[UInt8]?, Failure> {
        use {
            do throws(StoreError) { return .success(try keeper.state.page(page, version)) } catch {
                return .failure(Failure(error, store: path))
            }
        }
    }

    /// From now on `report` is told what happens, in the queue. What earlier lives have left is tidied up: when the
    /// image has been read, if it is still to be.
    func begin(_ report: @escaping @Sendable (Report) -> Void) {
        use {
            self.report = report
            if keeper.state.store.isSpaceWanted { tidyUp() }
        }
    }

    /// Reads what the image lacks, in a thread of its own; nothing is tidied up meanwhile but what a full disk makes
    /// necessary.
    ///
    /// - Parameter body: Gets the pages in that thread, which it may hold up; returns false when nobody wants more.
    func readBehind(_ body: @escaping @Sendable (ImageReader.Portion) -> Bool) {
        guard let pages = use({ unread }) else { return }
        DispatchQueue.global(qos: .utility).async { [weak self] in
            var reader = ImageReader(pages)
            reader.run { portion in
                let isLast = portion.isLast
                guard body(portion), let self else { return false }
                if isLast { self.noteRead() }
                return true
            }
        }
    }

    private func noteRead() {
        later { [self] in
            unread = nil
            tidyUp()
        }
    }

    /// Whether old checkpoints make room for new ones: not while pages of the image are lost, which these may have.
    func setForgetting(_ isForgetting: Bool) {
        later { [self] in keeper.isForgetting = isForgetting }
    }

    // MARK: What must not be lost

    /// Notes a change of the facts; it is durable when this returns. While the store cannot be written it does not try:
    /// it is tried again by itself.
    func note(_ change: @escaping @Sendable (inout ArbiterFacts) -> Void) throws(Failure) {
        let outcome: Result<Void, Failure> = use {
            if keeper.isFailing, let cause { return .failure(cause) }
            defer { follow() }
            do throws(StoreError) {
                try keeper.note(change)
                return .success(())
            } catch {
                return .failure(Failure(error, store: path))
            }
        }
        try outcome.get()
    }

    /// Pages of the round under way.
    func put(_ pages: [PageVersion]) {
        later { [self] in
            keeper.put(pages)
            follow()
        }
    }

    /// The round ends with the state at this time.
    ///
    /// - Parameters:
    ///   - last: Pages of the round that were not put yet.
    ///   - isShort: These are all.
    /// - Returns: Whether it is durable already; else `report` tells.
    func end(at time: GlobalTime, with last: [PageVersion], isShort: Bool, now: UInt64) -> Bool {
        let isFast = isShort && uses.load(ordering: .relaxed) == 0
            && lastShortRound.load(ordering: .relaxed) < Self.waitingTime
        guard isVolatile || isFast else {
            later { [self] in finish(time, last, isShort, now) }
            return false
        }
        return use {
            finish(time, last, isShort, now, isAwaited: true)
            return keeper.isDurable
        }
    }

    private func finish(
        _ time: GlobalTime, _ last: [PageVersion], _ isShort: Bool, _ now: UInt64, isAwaited: Bool = false
    ) {
        let begin = Clock.now()
        keeper.put(last)
        keeper.end(at: time, now: now)
        if isShort {
            lastShortRound.store(keeper.isFailing ? .max : Clock.now() - begin, ordering: .relaxed)
        }
        follow(isAwaited: isAwaited)
        let written = keeper.state.store.bytesWritten
        guard written - tidiedBytes >= Self.tidyInterval || keeper.state.store.isSpaceWanted else { return }
        tidiedBytes = written
        tidyUp()
    }

    /// The round under way came to nothing.
    func abandon() {
        later { [self] in keeper.abandon() }
    }

    // MARK: Checkpoints

    /// Why nobody would find the store after the cluster's end; nil when it is where it was.
    var misplacement: Failure? { place?.trouble }

    var checkpoints: [Checkpoint] { use { keeper.state.store.checkpoints } }

    /// Wants the next state at or after `time` to be kept, under a label if it is not empty.
    ///
    /// - Returns: Under what `outcome(of:)` tells what became of it.
    func mark(_ label: String, notBefore time: GlobalTime, now: UInt64) -> Int {
        use {
            defer { follow() }
            return keeper.mark(label, notBefore: time, now: now)
        }
    }

    /// Keeps the next state at or after `time`; nobody waits for it.
    func keep(notBefore time: GlobalTime, now: UInt64) {
        later { [self] in
            // One that was wanted before, and is not there yet, is this one too.
            if let periodicMark { keeper.forget(mark: periodicMark) }
            periodicMark = keeper.mark("", notBefore: time, now: now)
            follow()
        }
    }

    /// The state is at `time`, and an earlier one than a mark waited for: an epoch has undone what was between.
    func lower(mark: Int, to time: GlobalTime) {
        use {
            keeper.lower(mark: mark, to: time)
            follow()
        }
    }

    /// What became of a mark; nil while nothing has.
    func outcome(of mark: Int) -> Result<KeptCheckpoint, Failure>? {
        switch use({ keeper.outcome(of: mark) }) {
        case nil: nil
        case .kept(let kept): .success(kept)
        case .taken(let other): .failure(Failure(
            .input, "this state is the checkpoint \(CheckpointReport(other).title) already, and all its labels together"
                + " have at most \(Checkpoint.maximumLabelBytes) bytes",
            advice: "use a shorter one, or take another checkpoint when something has changed"))
        case .elsewhere(let label): .failure(CheckpointName.taken(label))
        case .full(let most): .failure(Failure(
            .input, "\(most) checkpoints have labels, and the store can list no more",
            advice: "forget some of them: plurix forget", at: path))
        }
    }

    /// Waits until something has become of a mark, or for so long.
    func settled(_ mark: Int, within limit: DispatchTimeInterval) async {
        await withCheckedContinuation { continuation in
            later { [self] in
                waiters[mark] = continuation
                wakeWaiters()
                queue.asyncAfter(deadline: .now() + limit) { [self] in
                    // A later wait for the same mark has a limit of its own, and to be woken early does no harm.
                    waiters.removeValue(forKey: mark)?.resume()
                }
            }
        }
    }

    private func wakeWaiters() {
        for mark in waiters.keys where keeper.outcome(of: mark) != nil {
            waiters.removeValue(forKey: mark)?.resume()
        }
    }

    func forget(mark: Int) {
        use { keeper.forget(mark: mark) }
    }

    /// Forgets checkpoints by their names.
    ///
    /// - Throws: `.input` when one of them does not exist; then all stay. Or why the store cannot be written.
    func forget(_ names: [String]) throws(Failure) -> [Checkpoint] {
        try use { () -> Result<[Checkpoint], Failure> in
            defer {
                follow()
                tidyUp()
            }
            do throws(Failure) {
                let checkpoints = try CheckpointName.resolve(names, among: keeper.state.store.checkpoints)
                do throws(StoreError) { try keeper.forget(checkpoints.map(\.time)) } catch {
                    throw trouble ?? Failure(error, store: path)
                }
                return .success(checkpoints)
            } catch {
                return .failure(error)
            }
        }.get()
    }

    /// Makes a store for another cluster out of the state at a checkpoint.
    func fork(
        at name: String?, into target: String, cluster: UInt64
    ) throws(Failure) -> GlobalTime {
        try use { () -> Result<GlobalTime, Failure> in
            // The disk may have failed in the middle of it.
            defer {
                keeper.followUp()
                follow()
            }
            do throws(Failure) {
                if let trouble { throw trouble }
                return .success(
                    try StoreRevival.fork(&keeper.state, from: path, at: name, into: target, cluster: cluster))
            } catch {
                return .failure(error)
            }
        }.get()
    }

    // MARK: In the queue

    /// Does something in the queue, and waits for it.
    private func use<Value>(_ body: () throws -> Value) rethrows -> Value {
        uses.add(1, ordering: .relaxed)
        defer { uses.subtract(1, ordering: .relaxed) }
        return try queue.sync(execute: body)
    }

    /// Does something in the queue, after all that is to be done there already.
    private func later(_ body: @escaping @Sendable () -> Void) {
        uses.add(1, ordering: .relaxed)
        queue.async { [self] in
            body()
            uses.subtract(1, ordering: .relaxed)
        }
    }

    /// Tells what has happened, and sees to it that a store that cannot be written is tried again.
    ///
    /// - Parameter isAwaited: The arbiter sees by itself that all is durable.
    private func follow(isAwaited: Bool = false) {
        wakeWaiters()
        for one in keeper.takeReports() {
            switch one {
            case .durable(let time): if !isAwaited { report?(.durable(time)) }
            case .trouble(nil):
                cause = nil
                trouble = nil
                logger.notice("\(path) can be written again")
                report?(.trouble(nil))
            case .trouble(let error?):
                var failure = Failure(error, store: path)
                cause = failure
                failure.message = StoreOutage.beginning + failure.message
                logger.critical("\(failure)")
                trouble = failure
                report?(.trouble(failure))
                retryLater()
            }
        }
    }

    private func retryLater() {
        let pause = DispatchTimeInterval.milliseconds(pause.next(now: Clock.now()))
        queue.asyncAfter(deadline: .now() + pause) { [self] in
            if keeper.retry() { retryLater() }
            follow()
        }
    }

    /// Tidies up while there is nothing else to do.
    private func tidyUp() {
        guard !isCleaning, unread == nil else { return }
        isCleaning = true
        later { [self] in
            isCleaning = false
            if keeper.clean(budget: Self.cleaningBudget) { tidyUp() }
            follow()
        }
    }
}
