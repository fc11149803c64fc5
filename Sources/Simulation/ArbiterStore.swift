import Durability
import Protocol
import Store
import Wire

/// What the arbiter's world tells the checker.
enum ArbiterEvent {
    /// The image was of this time; a second one may have followed at once.
    case held(GlobalTime, [[UInt64]])
    /// And durable.
    case saved(GlobalTime)
    case opened(EpochRecord)
    case kept(Checkpoint)
    case notice(ArbiterNotice, at: UInt64)
    /// A page of an earlier arbiter's is not read as it was.
    case misread(UInt32)
}

/// The world of the simulated arbiter: an image in memory, and the page server's keeper over a simulated disk.
///
/// What `StoreKeeper` does with a thread is done here with a list of what that thread still has to do: facts wait for
/// it, all else does not.
struct ArbiterStore: ArbiterWorld, ~Copyable {
    let maximumFrameBytes: Int
    let host: HostDisk
    let habits: DiskHabits
    var keeper: Keeper<DiskAccess>
    private(set) var image: [[UInt64]]
    /// What the image began with, page by page, as long as the store's thread or a node has not read it.
    private var late: LatePages
    private var reader: PageReader<DiskAccess>
    var outbox: [Frame] = []
    /// What it would send if it did not wait for the disk.
    private var heldBack: [Frame] = []
    /// And what it would tell: that an epoch is open is known only when it is on the disk, and what it did next comes
    /// after that (seed 97005711).
    private var heldNotices: [ArbiterEvent] = []
    var frames = PageFrames()
    var events: [ArbiterEvent] = []
    var now: UInt64 = 0
    private var random: Generator
    private var jobs: [Job] = []
    /// Of the round under way.
    private var round = RoundPages()
    /// The process is killed just before or after the next fact of this kind is durable.
    var ambush: Ambush?
    /// Times that the store's thread has made durable, and the arbiter is still to hear of.
    private var durable: [GlobalTime] = []
    /// Marks whose outcome is not known.
    private var marks: [Int] = []
    /// A fact cannot be written: until it can, the arbiter does nothing.
    private(set) var isStalled = false
    private(set) var isCleaningWanted: Bool
    /// Cleaning takes its turn: rounds that follow each other closely do not keep it waiting.
    private(set) var isCleaningNext = false
    private var turns = 0
    /// What the store says for certain; and perhaps this.
    private(set) var noted: ArbiterFacts
    private(set) var attempted: ArbiterFacts?

    struct Ambush {
        enum Moment { case opening, death }
        var moment: Moment
        var isBefore: Bool

        func isMet(by fact: ArbiterFact) -> Bool {
            switch (moment, fact) {
            case (.opening, .opened), (.death, .polled), (.death, .died): true
            default: false
            }
        }
    }

    /// What the store's thread is to do.
    private enum Job {
        case put([PageVersion])
        case end(GlobalTime, with: [PageVersion])
        case abandon
        case note(ArbiterFact)
        case mark(String, notBefore: GlobalTime)
    }

    init(
        host: HostDisk, _ keeper: consuming Keeper<DiskAccess>, image: [[UInt64]],
        reader: consuming PageReader<DiskAccess>, _ habits: DiskHabits, maximumFrameBytes: Int, random: Generator
    ) {
        late = LatePages(pageCount: image.count) { reader.version(of: $0) > .zero && !habits.isImmediate }
        self.reader = reader
        self.host = host
        self.habits = habits
        noted = keeper.state.facts
        isCleaningWanted = keeper.state.store.isSpaceWanted
        self.keeper = keeper
        self.image = image
        self.maximumFrameBytes = maximumFrameBytes
        self.random = random
    }

    var isDead: Bool { host.isProcessDead }

    // MARK: The link

    mutating func transmit(_ byteCount: Int, _ fill: (inout MutableRawSpan) -> Void) -> Bool {
        guard !isDead else { return false }
        send(makeFrame(byteCount, fill))
        return true
    }

    mutating func transmit(_ byteCount: Int, _ content: PageContent, at target: Int,
                           _ fill: (inout MutableRawSpan) -> Void) -> Bool {
        guard !isDead else { return false }
        send(makeFrame(byteCount, fill) { bytes in
            if let handle = content.handle { return frames.emit(handle, content, at: target, into: &bytes) }
            readLate(content.page.index)
            var span = bytes.mutableSpan
            var raw = span.mutableBytes
            for distance in stride(from: 0, to: content.count, by: 8) {
                raw.store(image[Int(content.page.index)][(content.offset + distance) / 8], at: target + distance)
            }
        })
        return true
    }

    private mutating func send(_ frame: Frame) {
        precondition(frame.bytes.count <= maximumFrameBytes, "a frame fits the link")
        if isStalled { heldBack.append(frame) } else { outbox.append(frame) }
    }

    // MARK: Memory

    mutating func stage() -> FrameHandle { frames.take() }
    mutating func fill(_ handle: FrameHandle, at offset: Int, with bytes: RawSpan, from start: Int, count: Int) {
        frames.fill(handle, at: offset, with: bytes, from: start, count: count)
    }
    mutating func discard(_ handle: FrameHandle) { frames.give(handle) }

    // MARK: What must not be lost

    mutating func gathered(_ page: SavedPage) {
        let due = round.add(PageVersion(
            number: page.page.index, version: page.version, bytes: habits.page.bytes(frames[page.handle])))
        if !due.isEmpty { jobs.append(.put(due)) }
    }

    mutating func abandonSave() {
        _ = round.end()
        jobs.append(.abandon)
    }

    mutating func save(_ time: GlobalTime, _ pages: [SavedPage]) -> Bool {
        guard !isDead else { return false }
        for page in pages {
            image[Int(page.page.index)] = frames[page.handle]
            late.remove(page.page.index)
            frames.give(page.handle)
        }
        events.append(.held(time, image))
        jobs.append(.end(time, with: round.end()))
        guard habits.isImmediate || host.chance(habits.atOncePerMille) else { return false }
        workAll()
        guard durable.last == time else { return false }
        durable.removeLast()
        events.append(.saved(time))
        return true
    }

    mutating func persist(_ fact: ArbiterFact) {
        let isLast = ambush?.isMet(by: fact) == true
        if isLast, ambush?.isBefore == true { host.killProcess() }
        guard !isDead else { return }
        jobs.append(.note(fact))
        workAll()
        if isLast { host.killProcess() }
    }

    // MARK: The store's thread

    var hasJobs: Bool { !jobs.isEmpty }
    var hasWork: Bool { !jobs.isEmpty || !durable.isEmpty || isCleaningWanted || hasLatePages || keeper.isFailing }
    var hasLatePages: Bool { late.count > 0 }

    /// Does what is to be done, as far as the disk lets it.
    mutating func workAll() {
        while !jobs.isEmpty, !isDead { if !workOne() { return } }
        guard isStalled, !isDead else { return }
        isStalled = false
        outbox += heldBack
        heldBack = []
        events += heldNotices
        heldNotices = []
    }

    /// Does the next thing, with the pages before it; false when it cannot be done.
    mutating func work() {
        while case .put(let pages) = jobs.first, !isDead {
            jobs.removeFirst()
            keeper.put(pages)
        }
        if !jobs.isEmpty { _ = workOne() }
        turns += 1
        // The more is cleaned at once, the more seldom: it spreads over the next rounds.
        isCleaningNext = isCleaningWanted && turns % (1 + habits.cleaningBudget / 512) == 0
        follow()
    }

    private mutating func workOne() -> Bool {
        switch jobs[0] {
        case .put(let pages): keeper.put(pages)
        case .end(let time, let pages):
            keeper.put(pages)
            keeper.end(at: time, now: now / 1000)
            isCleaningWanted = !habits.isImmediate
        case .abandon: keeper.abandon()
        case .note(let fact):
            guard note(fact) else { return false }
        case .mark(let label, let time): marks.append(keeper.mark(label, notBefore: time, now: now / 1000))
        }
        jobs.removeFirst()
        follow()
        return true
    }

    private mutating func note(_ fact: ArbiterFact) -> Bool {
        attempted = keeper.state.facts
        attempted?.apply(fact)
        do throws(StoreError) { try keeper.note { $0.apply(fact) } } catch {
            isStalled = !isDead
            follow()
            return false
        }
        noted = keeper.state.facts
        attempted = nil
        if case .opened(let record) = fact { events.append(.opened(record)) }
        return true
    }

    /// Tries a store that could not be written again, and goes on with what waited for it.
    mutating func retry() {
        guard !keeper.retry() else { return }
        follow()
        workAll()
    }

    mutating func clean() {
        isCleaningWanted = keeper.clean(budget: habits.cleaningBudget)
        isCleaningNext = false
        follow()
    }

    /// Reads some of the image behind, as `ImageReader` does it.
    mutating func readBehind() {
        for page in (0..<UInt32(image.count)).filter(late.contains).prefix(4) { readLate(page) }
    }

    private mutating func readLate(_ page: UInt32) {
        guard late.contains(page) else { return }
        let bytes = readBack(page)
        if late.remove(page), bytes.map({ habits.page.content($0) }) != image[Int(page)] {
            events.append(.misread(page))
        }
    }

    private mutating func readBack(_ page: UInt32) -> [UInt8]? {
        if let bytes = reader.read(page) { return bytes }
        let version = reader.version(of: page)
        // A disk that fails does so once.
        for _ in 0..<2 { if let bytes = try? keeper.state.page(page, version) { return bytes } }
        return nil
    }

    mutating func mark(_ label: String, notBefore time: GlobalTime) {
        jobs.append(.mark(label, notBefore: time))
        workAll()
    }

    private mutating func follow() {
        guard !isDead else { return }
        for report in keeper.takeReports() {
            if case .durable(let time) = report { durable.append(time) }
        }
        for mark in marks {
            guard let outcome = keeper.outcome(of: mark) else { continue }
            if case .kept(let kept) = outcome { events.append(.kept(kept.checkpoint)) }
            keeper.forget(mark: mark)
            marks.removeAll { $0 == mark }
        }
    }

    /// The next time that the arbiter is to hear of.
    mutating func takeDurable() -> GlobalTime? {
        guard !isStalled, !durable.isEmpty else { return nil }
        let time = durable.removeFirst()
        events.append(.saved(time))
        return time
    }

    mutating func randomNumber() -> UInt64 { random.next() }
    mutating func accept(_ reply: CommandReply, from node: Station) {}
    mutating func accept(_ report: Report, from node: Station) {}
    mutating func notify(_ notice: ArbiterNotice) {
        if isStalled { heldNotices.append(.notice(notice, at: now)) } else { events.append(.notice(notice, at: now)) }
    }
}
