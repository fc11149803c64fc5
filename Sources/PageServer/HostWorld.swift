import Control
import Glibc
import Logging
import Protocol
import Wire

/// The world of the arbiter in a host process: a station of the segment, an image in memory, and the journal.
final class HostWorld: ArbiterWorld {
    /// What has happened to the arbiter since its events were last taken.
    enum Event {
        case reply(CommandReply, from: Station)
        case report(from: Station)
        case notice(ArbiterNotice)
        case saved(GlobalTime)
    }

    let maximumFrameBytes: Int
    let link: ArbiterLink
    private(set) var image: SharedImage
    private(set) var events: [Event] = []
    private let journal: Journal
    /// Told, again and again, why the journal cannot be written, until it can.
    var onStall: ((Failure) -> Void)?
    /// When the journal could not be written any more; nil while it can.
    private var stalledSince: UInt64?
    /// What the journal says, for compaction.
    private var state: ArbiterState
    /// When each node was seen joined, microseconds since 1970; 0 for those that were not.
    private(set) var joinedAt: [UInt64]
    private let logger: Logger
    /// Contents that have arrived and are not part of the image; empty where the number is free.
    private var staged: [[UInt8]] = []
    private var freeHandles: [UInt32] = []
    private var generator = SystemRandomNumberGenerator()

    init(
        link: ArbiterLink, journal: Journal, contents: JournalContents, maximumFrameBytes: Int, logger: Logger
    ) {
        self.link = link
        self.journal = journal
        self.maximumFrameBytes = maximumFrameBytes
        self.logger = logger
        image = contents.image
        state = contents.state
        joinedAt = contents.joinedAt
        journal.triesAgain = { [weak self] failure in
            self?.stall(failure)
            return true
        }
    }

    func takeEvents() -> [Event] {
        guard !events.isEmpty else { return [] }
        defer { events.removeAll(keepingCapacity: true) }
        return events
    }

    // MARK: The link

    func transmit(_ byteCount: Int, _ fill: (inout MutableRawSpan) -> Void) -> Bool {
        link.transmit(byteCount, fill)
        return true
    }

    func transmit(
        _ byteCount: Int, _ content: PageContent, at target: Int, _ fill: (inout MutableRawSpan) -> Void
    ) -> Bool {
        let bytes = content.handle.map { staged[Int($0.number)] } ?? image.bytes(of: content.page.index)
        link.transmit(byteCount) { frame in
            frame.copy(bytes.span.bytes, from: content.offset, count: content.count, to: target)
            fill(&frame)
        }
        return true
    }

    // MARK: Memory

    func stage() -> FrameHandle {
        let empty = [UInt8](repeating: 0, count: Limits.pageBytes)
        if let number = freeHandles.popLast() {
            staged[Int(number)] = empty
            return FrameHandle(number)
        }
        staged.append(empty)
        return FrameHandle(UInt32(staged.count - 1))
    }

    func fill(_ handle: FrameHandle, at offset: Int, with bytes: RawSpan, from start: Int, count: Int) {
        staged[Int(handle.number)].withUnsafeMutableBytes { frame in
            // Safe: the span ends with this call, and `copy` checks both ranges.
            var target = frame.mutableBytes
            target.copy(bytes, from: start, count: count, to: offset)
        }
    }

    func discard(_ handle: FrameHandle) {
        staged[Int(handle.number)] = []
        freeHandles.append(handle.number)
    }

    // MARK: What survives a kill

    func save(_ time: GlobalTime, _ pages: [SavedPage]) {
        let contents = pages.map { ($0.page.index, $0.version, staged[Int($0.handle.number)]) }
        attempt { () throws(Failure) in try journal.save(time, contents) }
        for (page, version, bytes) in contents {
            image.set(page, to: bytes)
            state.imageVersions[Int(page)] = version
        }
        for page in pages { discard(page.handle) }
        image.close(at: time)
        state.saved = time
        events.append(.saved(time))
        compactIfDue()
    }

    func persist(_ fact: ArbiterFact) {
        attempt { () throws(Failure) in try journal.persist(fact) }
        if case .admitted(let node, _) = fact { joinedAt[node.index] = 0 }
        state.apply(fact)
    }

    /// A node was seen joined.
    func note(_ node: Station, joinedAt microseconds: UInt64) {
        attempt { () throws(Failure) in try journal.note(node, joinedAt: microseconds) }
        joinedAt[node.index] = microseconds
    }

    private func compactIfDue() {
        guard journal.isDueForCompaction(image) else { return }
        let before = journal.byteCount
        do throws(Failure) {
            try journal.compact(state, joinedAt: joinedAt, image)
            logger.debug("journal compacted from \(before) to \(journal.byteCount) bytes")
        } catch {
            logger.warning("the journal could not be compacted: \(error)")
        }
    }

    /// An arbiter that cannot record what it decides must not decide anything: it stands still until it can, and its
    /// nodes go on among themselves.
    private func attempt(_ body: () throws(Failure) -> Void) {
        do throws(Failure) { try body() } catch {
            logger.critical("the arbiter ends: \(error)")
            exit(error.kind.rawValue)
        }
        guard let since = stalledSince else { return }
        logger.notice("the journal can be written again after \((Clock.now() - since) / 1_000_000) ms")
        stalledSince = nil
    }

    private func stall(_ failure: Failure) {
        if stalledSince == nil {
            stalledSince = Clock.now()
            logger.critical("the arbiter stands still: \(failure)")
        }
        var failure = failure
        failure.message = "the arbiter stands still: \(failure.message)"
        onStall?(failure)
        usleep(Self.stallMicroseconds)
    }

    /// How often a journal that cannot be written is tried, and requests are answered meanwhile.
    private static let stallMicroseconds: UInt32 = 100_000

    // MARK: What the host wants to know

    func randomNumber() -> UInt64 { generator.next() }
    func accept(_ reply: CommandReply, from node: Station) { events.append(.reply(reply, from: node)) }
    func accept(_ report: Report, from node: Station) { events.append(.report(from: node)) }
    func notify(_ notice: ArbiterNotice) { events.append(.notice(notice)) }
}
