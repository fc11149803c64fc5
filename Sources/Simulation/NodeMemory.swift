import Protocol
import Wire

/// The world of a simulated node: its memory as arrays, its link as an outbox.
///
/// A page has at most one committed copy and, while the running transaction has written it, a working copy beside it.
/// The read set is explicit. What the page tables do in the image, `isUnreachable` does here.
struct NodeMemory: NodeWorld {
    let station: Station
    let maximumFrameBytes: Int
    let trainPages: Int
    var outbox: [Frame] = []
    var frames = PageFrames()
    private(set) var copies: [FrameHandle?]
    private(set) var working: [FrameHandle?]
    private(set) var accessed: [Bool]
    private var touched: [PageNumber] = []
    private(set) var isUnreachable = false
    /// Memory is short just now: nothing can be staged.
    var isShort = false
    var news: [News] = []

    /// What the core has told, in order.
    enum News {
        case event(ProtocolEvent)
        case rollback(GlobalTime)
    }

    init(station: Station, sharedPages: Int, maximumFrameBytes: Int, trainPages: Int) {
        self.station = station
        self.trainPages = trainPages
        self.maximumFrameBytes = maximumFrameBytes
        copies = [FrameHandle?](repeating: nil, count: sharedPages)
        working = copies
        accessed = [Bool](repeating: false, count: sharedPages)
    }

    // MARK: NodeWorld

    mutating func transmit(_ byteCount: Int, _ fill: (inout MutableRawSpan) -> Void) -> Bool {
        precondition(byteCount <= maximumFrameBytes, "a frame fits the link")
        outbox.append(makeFrame(byteCount, fill))
        return true
    }

    mutating func transmit(_ byteCount: Int, _ content: PageContent, at target: Int,
                           _ fill: (inout MutableRawSpan) -> Void) -> Bool {
        precondition(byteCount <= maximumFrameBytes, "a frame fits the link")
        let handle = content.handle ?? copies[Int(content.page.index)]
        precondition(handle != nil || content.count == 0, "a page that is sent is here")
        outbox.append(makeFrame(byteCount, fill) { frames.emit(handle, content, at: target, into: &$0) })
        return true
    }

    mutating func transmit(_ run: PageRun, _ writer: inout TrainWriter) -> Bool {
        precondition(run.count <= trainPages, "a train fits the link")
        var bytes = [UInt8](repeating: 0, count: writer.byteCount)
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        writer.begin(&raw)
        for place in 0..<run.count {
            guard let handle = run[place].handle ?? copies[Int(run[place].page.index)] else {
                preconditionFailure("a page that is sent is here")
            }
            writer.append(run[place].page, frames[handle].span.bytes, to: &raw)
        }
        writer.finish(&raw)
        outbox.append(Frame(bytes))
        return true
    }

    func isAccessed(_ page: PageNumber) -> Bool { accessed[Int(page.index)] }

    mutating func doom() { isUnreachable = true }

    mutating func stage(for page: PageNumber) -> FrameHandle? { isShort ? nil : frames.take() }

    mutating func fill(_ handle: FrameHandle, at offset: Int, with bytes: RawSpan, from start: Int, count: Int) {
        frames.fill(handle, at: offset, with: bytes, from: start, count: count)
    }

    mutating func clear(_ handle: FrameHandle, at offset: Int, count: Int) {
        frames.clear(handle, at: offset, count: count)
    }

    mutating func install(_ handle: FrameHandle, as page: PageNumber) {
        precondition(copies[Int(page.index)] == nil, "a page is installed where none is")
        copies[Int(page.index)] = handle
    }

    mutating func discard(_ handle: FrameHandle) { frames.give(handle) }

    mutating func drop(_ page: PageNumber) { frames.give(retain(page)) }

    mutating func retain(_ page: PageNumber) -> FrameHandle {
        precondition(!accessed[Int(page.index)] || isUnreachable, "what a transaction has touched stays until its doom")
        return take(page)
    }

    private mutating func take(_ page: PageNumber) -> FrameHandle {
        guard let handle = copies[Int(page.index)] else { preconditionFailure("only a present page is taken") }
        copies[Int(page.index)] = nil
        return handle
    }

    mutating func publish(_ page: PageNumber) -> FrameHandle {
        guard let old = copies[Int(page.index)], let new = working[Int(page.index)] else {
            preconditionFailure("only a written page can be published")
        }
        copies[Int(page.index)] = new
        working[Int(page.index)] = nil
        return old
    }

    mutating func accept(_ command: Command, from frame: RawSpan) {}
    mutating func record(_ event: ProtocolEvent) { news.append(.event(event)) }
    mutating func rollback(to time: GlobalTime) { news.append(.rollback(time)) }

    // MARK: The running transaction

    /// The transaction reads a word of a page that is here.
    mutating func read(_ page: PageNumber) -> [UInt64] {
        precondition(!isUnreachable, "a doomed transaction reads nothing")
        touch(page)
        guard let handle = working[Int(page.index)] ?? copies[Int(page.index)] else {
            preconditionFailure("a page that is read is here")
        }
        return frames[handle]
    }

    private mutating func touch(_ page: PageNumber) {
        guard !accessed[Int(page.index)] else { return }
        accessed[Int(page.index)] = true
        touched.append(page)
    }

    func isWritten(_ page: PageNumber) -> Bool { working[Int(page.index)] != nil }

    /// The transaction makes the page its own.
    mutating func write(_ page: PageNumber, _ content: [UInt64]) {
        precondition(!isUnreachable, "a doomed transaction writes nothing")
        touch(page)
        let handle = working[Int(page.index)] ?? frames.take()
        working[Int(page.index)] = handle
        frames[handle] = content
    }

    /// The transaction has ended: what it wrote and did not publish is gone.
    mutating func finish() {
        for page in touched {
            accessed[Int(page.index)] = false
            if let handle = working[Int(page.index)] { frames.give(handle) }
            working[Int(page.index)] = nil
        }
        touched.removeAll(keepingCapacity: true)
        isUnreachable = false
    }

    /// Drops a copy that the running transaction has not written. Its place in the read set stays [P18].
    mutating func evict(_ page: PageNumber) {
        precondition(!isWritten(page), "what a transaction has written stays")
        frames.give(take(page))
    }

    var presentCount: Int { copies.reduce(0) { $0 + ($1 == nil ? 0 : 1) } }
    func content(of page: PageNumber) -> [UInt64]? { copies[Int(page.index)].map { frames[$0] } }
}
