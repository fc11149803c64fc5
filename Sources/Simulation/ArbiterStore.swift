import Protocol
import Wire

/// What a killed arbiter finds again: its facts, and the image of the shared memory at the saved time.
struct ArbiterDisk {
    var state: ArbiterState
    var image: [[UInt64]]

    init(sharedPages: Int) {
        state = ArbiterState(sharedPages: sharedPages)
        image = [[UInt64]](repeating: [UInt64](repeating: 0, count: PageFrames.words), count: sharedPages)
    }
}

/// What the arbiter's world tells the checker.
enum ArbiterEvent {
    case saved(GlobalTime)
    case opened(EpochRecord)
    case notice(ArbiterNotice)
}

/// The world of the simulated arbiter.
struct ArbiterStore: ArbiterWorld {
    let maximumFrameBytes: Int
    var disk: ArbiterDisk
    var outbox: [Frame] = []
    var frames = PageFrames()
    var events: [ArbiterEvent] = []
    private var random: Generator
    /// So many more facts reach the disk, then the process is killed, in the middle of whatever it does.
    var factsUntilDeath: Int?
    private(set) var isDead = false

    private mutating func isWritten() -> Bool {
        if factsUntilDeath == 0 { isDead = true }
        factsUntilDeath = factsUntilDeath.map { max(0, $0 - 1) }
        return !isDead
    }

    init(disk: ArbiterDisk, maximumFrameBytes: Int, random: Generator) {
        self.disk = disk
        self.maximumFrameBytes = maximumFrameBytes
        self.random = random
    }

    mutating func transmit(_ byteCount: Int, _ fill: (inout MutableRawSpan) -> Void) -> Bool {
        guard !isDead else { return false }
        precondition(byteCount <= maximumFrameBytes, "a frame fits the link")
        outbox.append(makeFrame(byteCount, fill))
        return true
    }

    mutating func transmit(_ byteCount: Int, _ content: PageContent, at target: Int,
                           _ fill: (inout MutableRawSpan) -> Void) -> Bool {
        guard !isDead else { return false }
        precondition(byteCount <= maximumFrameBytes, "a frame fits the link")
        outbox.append(makeFrame(byteCount, fill) { bytes in
            if let handle = content.handle { return frames.emit(handle, content, at: target, into: &bytes) }
            var span = bytes.mutableSpan
            var raw = span.mutableBytes
            for distance in stride(from: 0, to: content.count, by: 8) {
                raw.store(disk.image[Int(content.page.index)][(content.offset + distance) / 8], at: target + distance)
            }
        })
        return true
    }

    mutating func stage() -> FrameHandle { frames.take() }
    mutating func fill(_ handle: FrameHandle, at offset: Int, with bytes: RawSpan, from start: Int, count: Int) {
        frames.fill(handle, at: offset, with: bytes, from: start, count: count)
    }
    mutating func discard(_ handle: FrameHandle) { frames.give(handle) }

    mutating func gathered(_ page: SavedPage) {}
    mutating func abandonSave() {}

    mutating func save(_ time: GlobalTime, _ pages: [SavedPage]) -> Bool {
        guard isWritten() else { return false }
        for page in pages {
            disk.image[Int(page.page.index)] = frames[page.handle]
            disk.state.imageVersions[Int(page.page.index)] = page.version
            frames.give(page.handle)
        }
        disk.state.saved = time
        events.append(.saved(time))
        return true
    }

    mutating func persist(_ fact: ArbiterFact) {
        guard isWritten() else { return }
        switch fact {
        case .incarnation(let number): disk.state.incarnation = number
        case .polled(let epoch): disk.state.polledEpoch = epoch
        case .opened(let record):
            disk.state.chain.insert(record, at: 0)
            events.append(.opened(record))
        case .admitted(let node, let incarnation):
            disk.state.members[node.index] = incarnation
            disk.state.lastIncarnation = incarnation
        case .died(let node): disk.state.members[node.index] = 0
        }
    }

    mutating func randomNumber() -> UInt64 { random.next() }
    mutating func accept(_ reply: CommandReply, from node: Station) {}
    mutating func accept(_ report: Report, from node: Station) {}
    mutating func notify(_ notice: ArbiterNotice) { events.append(.notice(notice)) }
}
