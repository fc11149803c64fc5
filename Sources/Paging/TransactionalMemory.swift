/// The shared memory of one node as its page tables hold it, and what the running transaction has done to it.
///
/// A page that is here has one frame, mapped read-only. The first write of a transaction copies it to a **shadow** and
/// makes it writable; commit keeps the written frame and hands the shadow out as the version before; abort puts the
/// shadow back in its place without a copy. What was read is what the processor has marked as accessed.
public struct TransactionalMemory<Hardware: PagingHardware> {
    /// What became of a fault.
    public enum FaultOutcome: Equatable, Sendable {
        /// The access can be repeated now.
        case ready
        /// The page is not here.
        case absent
        /// The first write of this transaction: the page has a shadow and is writable; it belongs to the write set.
        case written
        /// No frame is left for a shadow or a table.
        case outOfFrames
    }

    private let hardware: Hardware
    public private(set) var window: PageWindow<Hardware>
    public private(set) var frames: FramePool

    /// Pages that the transaction has written, and their shadows (0: the page is gone from the set).
    private var writtenPages: [UInt32]
    private var shadows: [UInt64]
    public private(set) var writeCount = 0
    /// Where `publish` goes on: it is called in the order of the writes.
    private var publishNext = 0

    public private(set) var isConnected = true
    /// A page that the last step read has been changed since `watch`.
    public private(set) var hasChanged = false
    private var isWatching = false
    private var hand = 0
    /// Pages that are here.
    public private(set) var residentCount = 0

    /// - Parameter writeLimit: the most pages that one transaction may write.
    public init(_ hardware: Hardware, window: consuming PageWindow<Hardware>, frames: consuming FramePool,
                writeLimit: Int) {
        self.hardware = hardware
        self.window = window
        self.frames = frames
        writtenPages = [UInt32](repeating: 0, count: writeLimit)
        shadows = [UInt64](repeating: 0, count: writeLimit)
    }

    public var writeLimit: Int { writtenPages.count }

    // MARK: Transactions

    /// Begins a transaction: nothing is writable, nothing accessed. Costs by what the last one touched.
    public mutating func begin() {
        precondition(writeCount == 0, "the last transaction has ended")
        if !isConnected {
            window.connect()
            isConnected = true
        }
        window.harvestAccessed { _ in }
        publishNext = 0
        isWatching = false
        hasChanged = false
    }

    /// From now on `hasChanged` tells whether a page that the finished transaction touched is taken away.
    public mutating func watch() {
        isWatching = true
        hasChanged = false
    }

    /// Whether the running transaction has read or written the page.
    @inline(__always)
    public func isAccessed(_ page: Int) -> Bool { window.entry(page).isAccessed }

    /// Calls `body` with each page that the running transaction has touched: the frame with its committed content and,
    /// when the transaction has written it, the frame with what it wrote.
    public func forEachAccessed(_ body: (Int, UInt64, UInt64?) -> Void) {
        window.forEachAccessed { page, entry in
            if entry.isWritable {
                body(page, shadows[place(of: page, from: 0)], entry.frame)
            } else {
                body(page, entry.frame, nil)
            }
        }
    }

    /// An access to the page has faulted.
    public mutating func fault(_ page: Int, isWrite: Bool) -> FaultOutcome {
        guard window.prepare(page, &frames) else { return .outOfFrames }
        let entry = window.entry(page)
        guard entry.isPresent else { return .absent }
        guard isWrite, !entry.isWritable else { return .ready }
        guard writeCount < writtenPages.count, let shadow = frames.take(apartFrom: entry.frame)
        else { return .outOfFrames }
        hardware.copy(entry.frame, to: shadow)
        writtenPages[writeCount] = UInt32(page)
        shadows[writeCount] = shadow
        writeCount += 1
        window.set(page, .data(entry.frame, isWritable: true, isAccessed: true))
        return .written
    }

    /// Makes the window unreachable for the doomed transaction.
    public mutating func doom() {
        window.disconnect()
        isConnected = false
    }

    /// Puts every shadow back; the window stays as unreachable or reachable as it is.
    public mutating func abort() {
        for place in 0..<writeCount where shadows[place] != 0 {
            let page = Int(writtenPages[place])
            frames.give(window.entry(page).frame)
            window.set(page, .data(shadows[place], isWritable: false, isAccessed: true))
        }
        writeCount = 0
    }

    /// The written page becomes the committed copy. Returns the frame with the content before.
    public mutating func publish(_ page: Int) -> UInt64 {
        let place = place(of: page, from: publishNext)
        publishNext = place + 1
        let shadow = shadows[place]
        precondition(shadow != 0, "a page is published once")
        shadows[place] = 0
        window.set(page, .data(window.entry(page).frame, isWritable: false, isAccessed: true))
        return shadow
    }

    /// All written pages were published.
    public mutating func committed() {
        writeCount = 0
        publishNext = 0
    }

    private func place(of page: Int, from start: Int) -> Int {
        for place in start..<writeCount where Int(writtenPages[place]) == page { return place }
        for place in 0..<min(start, writeCount) where Int(writtenPages[place]) == page { return place }
        preconditionFailure("a writable page is in the write set")
    }

    // MARK: Copies

    /// A frame for a page that is arriving. Its table is made now, so that `install` cannot find too little memory.
    public mutating func stage(for page: Int) -> UInt64? {
        guard window.prepare(page, &frames) else { return nil }
        return frames.take()
    }

    public mutating func discard(_ frame: UInt64) { frames.give(frame) }

    public func fill(_ frame: UInt64, at offset: Int, _ bytes: RawSpan, from start: Int, count: Int) {
        hardware.write(frame + UInt64(offset), bytes, from: start, count: count)
    }

    public func clear(_ frame: UInt64) { hardware.clear(frame) }

    /// Makes a frame the read-only copy of a page.
    public mutating func install(_ frame: UInt64, as page: Int) {
        guard window.prepare(page, &frames) else { preconditionFailure("a staged page has a table") }
        precondition(!window.entry(page).isPresent, "a page has one frame")
        window.enter(page, .data(frame, isWritable: false, isAccessed: false))
        residentCount += 1
    }

    /// Takes the page away and returns the frame with its last committed content.
    public mutating func remove(_ page: Int) -> UInt64 {
        let entry = window.entry(page)
        precondition(entry.isPresent, "only a page that is here can go")
        if isWatching && entry.isAccessed { hasChanged = true }
        window.set(page, .absent)
        residentCount -= 1
        guard entry.isWritable else { return entry.frame }
        let place = place(of: page, from: 0)
        let shadow = shadows[place]
        shadows[place] = 0
        frames.give(entry.frame)
        return shadow
    }

    /// The frame with the page's committed content: its shadow while the running transaction writes it.
    public func committedFrame(_ page: Int) -> UInt64 {
        let entry = window.entry(page)
        return entry.isWritable ? shadows[place(of: page, from: 0)] : entry.frame
    }

    public func read(_ frame: UInt64, at offset: Int, count: Int, into bytes: inout MutableRawSpan, at target: Int) {
        hardware.read(frame + UInt64(offset), count: count, into: &bytes, at: target)
    }

    /// The next page in turn that is here and was not touched by the running transaction, and that `mayGo`; nil after
    /// one whole turn.
    public mutating func nextVictim(_ mayGo: (Int) -> Bool) -> Int? {
        for _ in 0..<window.pageCount {
            hand = hand + 1 < window.pageCount ? hand + 1 : 0
            let entry = window.entry(hand)
            if entry.isPresent, !entry.isAccessed, mayGo(hand) { return hand }
        }
        return nil
    }
}
