import Control
import Durability
import Glibc
import Logging
import Protocol
import Wire

/// The world of the arbiter in a host process: a station of the segment, an image in memory, and a store.
final class HostWorld: ArbiterWorld {
    /// What has happened to the arbiter since its events were last taken.
    enum Event {
        case reply(CommandReply, from: Station)
        case report(from: Station)
        case notice(ArbiterNotice)
        case saved
    }

    let maximumFrameBytes: Int
    let link: ArbiterLink
    private(set) var image: SharedImage
    private(set) var events: [Event] = []
    let keeper: StoreKeeper
    /// Whether all pages of the image are known to be sound, as the keeper was told.
    private var isWhole: Bool
    /// Told, again and again, why the store cannot be written, until it can.
    var onStall: ((Failure) -> Void)?
    /// When the arbiter began to stand still; nil while it does not.
    private var stalledSince: UInt64?
    /// When each node was seen joined, microseconds since 1970; 0 for those that were not.
    private(set) var joinedAt: [UInt64]
    private let logger: Logger
    /// Contents that have arrived and are not part of the image; empty where the number is free.
    private var staged: [[UInt8]] = []
    private var freeHandles: [UInt32] = []
    /// Of the round under way.
    private var round = RoundPages()
    /// Memory of pages that are not part of the image any more, for those that come.
    private var spare: [[UInt8]] = []
    /// As many as most rounds have, 64 MiB: memory from the system costs as much as to write it to a file.
    private static let spareLimit = 16_384
    private var generator = SystemRandomNumberGenerator()

    init(
        link: ArbiterLink, keeper: StoreKeeper, image: SharedImage, joinedAt: [UInt64], maximumFrameBytes: Int,
        logger: Logger
    ) {
        self.link = link
        self.keeper = keeper
        self.maximumFrameBytes = maximumFrameBytes
        self.logger = logger
        self.image = image
        isWhole = image.isWhole
        self.joinedAt = joinedAt
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
        // A page that cannot be read back is not served: who asked asks again, and others too.
        guard let bytes = content.handle.map({ staged[Int($0.number)] }) ?? image.fetch(content.page.index)
        else { return false }
        link.transmit(byteCount) { frame in
            frame.copy(bytes.span.bytes, from: content.offset, count: content.count, to: target)
            fill(&frame)
        }
        return true
    }

    // MARK: Memory

    /// What it holds is whatever was there, until all of it has been filled.
    func stage() -> FrameHandle {
        let bytes = spare.popLast() ?? [UInt8](repeating: 0, count: Limits.pageBytes)
        if let number = freeHandles.popLast() {
            staged[Int(number)] = bytes
            return FrameHandle(number)
        }
        staged.append(bytes)
        return FrameHandle(UInt32(staged.count - 1))
    }

    func fill(_ handle: FrameHandle, at offset: Int, with bytes: RawSpan, from start: Int, count: Int) {
        staged[Int(handle.number)].withUnsafeMutableBytes { frame in
            // Safe: the span ends with this call, and `copy` checks both ranges.
            var target = frame.mutableBytes
            target.copy(bytes, from: start, count: count, to: offset)
        }
    }

    func discard(_ handle: FrameHandle) { _ = unstage(handle) }

    private func unstage(_ handle: FrameHandle) -> [UInt8] {
        var bytes: [UInt8] = []
        swap(&staged[Int(handle.number)], &bytes)
        freeHandles.append(handle.number)
        return bytes
    }

    // MARK: What must not be lost

    /// Handed on a few at a time: a short round goes as a whole when it ends.
    func gathered(_ page: SavedPage) {
        let due = round.add(PageVersion(
            number: page.page.index, version: page.version, bytes: staged[Int(page.handle.number)]))
        if !due.isEmpty { keeper.put(due) }
    }

    func abandonSave() {
        _ = round.end()
        keeper.abandon()
    }

    func save(_ time: GlobalTime, _ pages: [SavedPage]) -> Bool {
        for page in pages {
            let old = image.set(page.page.index, to: unstage(page.handle))
            if !old.isEmpty, spare.count < Self.spareLimit { spare.append(old) }
        }
        image.close(at: time)
        let isShort = round.isShort
        let isDurable = keeper.end(
            at: time, with: round.end(), isShort: isShort, now: Clock.microsecondsSince1970())
        // Not before: until the new page is there an old checkpoint may be the only one that has it.
        tellWhole()
        if isDurable { events.append(.saved) }
        return isDurable
    }

    /// Some of the image was read behind.
    func adopt(_ portion: ImageReader.Portion) {
        image.adopt(portion)
        tellWhole()
    }

    private func tellWhole() {
        guard image.isWhole != isWhole else { return }
        isWhole.toggle()
        keeper.setForgetting(isWhole)
    }

    /// What the image holds is durable: it may be shown.
    func noteSaved() { events.append(.saved) }

    func persist(_ fact: ArbiterFact) {
        note { $0.apply(fact) }
        if case .admitted(let node, _) = fact { joinedAt[node.index] = 0 }
    }

    /// A node was seen joined.
    func note(_ node: Station, joinedAt microseconds: UInt64) {
        note { $0.joinedAt[node.index] = microseconds }
        joinedAt[node.index] = microseconds
    }

    /// An arbiter that cannot record what it decides must not decide anything: it stands still until it can, and its
    /// nodes go on among themselves.
    private func note(_ change: @escaping @Sendable (inout ArbiterFacts) -> Void) {
        while true {
            do throws(Failure) {
                try keeper.note(change)
                break
            } catch { stall(error) }
        }
        guard let since = stalledSince else { return }
        logger.notice("the arbiter goes on after \((Clock.now() - since) / 1_000_000) ms")
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

    /// How often it is asked whether the store can be written again, which `RetryPause` has it tried, and requests are
    /// answered meanwhile.
    private static let stallMicroseconds: UInt32 = 100_000

    // MARK: What the host wants to know

    func randomNumber() -> UInt64 { generator.next() }
    func accept(_ reply: CommandReply, from node: Station) { events.append(.reply(reply, from: node)) }
    func accept(_ report: Report, from node: Station) { events.append(.report(from: node)) }
    func notify(_ notice: ArbiterNotice) { events.append(.notice(notice)) }
}
