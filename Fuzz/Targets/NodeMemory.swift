import Wire

@testable import Protocol

/// The world of a node under attack: every promise between the core and the nucleus is checked.
struct NodeMemory: NodeWorld {
    let maximumFrameBytes: Int
    var pool = FramePool()
    private(set) var copies: [FrameHandle?]
    private(set) var working: [FrameHandle?]
    private var accessed: [Bool]
    private(set) var isUnreachable = false
    /// Nothing can be staged just now.
    var isShort = false
    /// The card takes nothing.
    var isDeafened = false
    var sent: [[UInt8]] = []
    private(set) var commands = 0
    /// The time that the last rollback went back to.
    private(set) var rolledBack: GlobalTime?

    init(sharedPages: Int, maximumFrameBytes: Int) {
        self.maximumFrameBytes = maximumFrameBytes
        copies = [FrameHandle?](repeating: nil, count: sharedPages)
        working = copies
        accessed = [Bool](repeating: false, count: sharedPages)
    }

    // MARK: NodeWorld

    mutating func transmit(_ byteCount: Int, _ fill: (inout MutableRawSpan) -> Void) -> Bool {
        guard !isDeafened else { return false }
        require(byteCount <= maximumFrameBytes, "a frame fits the link")
        var frame = [UInt8](repeating: 0, count: byteCount)
        frame.write(fill)
        sent.append(frame)
        return true
    }

    mutating func transmit(_ byteCount: Int, _ content: PageContent, at target: Int,
                           _ fill: (inout MutableRawSpan) -> Void) -> Bool {
        require(content.offset >= 0 && content.offset + content.count <= Limits.pageBytes, "a piece lies in its page")
        require(target + content.count <= byteCount, "a piece lies in its frame")
        let handle = content.handle ?? copies[Int(content.page.index)]
        require(handle != nil, "a page that is sent is here")
        if let handle { require(pool.isWhole(handle), "a page that is sent is whole") }
        return transmit(byteCount, fill)
    }

    var trainPages: Int { maximumFrameBytes == Limits.maximumFrameBytes ? Limits.trainPages : 0 }

    mutating func transmit(_ run: PageRun, _ writer: inout TrainWriter) -> Bool {
        guard !isDeafened else { return false }
        require((2...Limits.trainPages).contains(run.count), "a train has several pages")
        require(writer.byteCount <= Limits.trainFrameBytes, "a train fits the link")
        for place in 0..<run.count {
            let handle = run[place].handle ?? copies[Int(run[place].page.index)]
            require(handle != nil, "a page that is sent is here")
            if let handle { require(pool.isWhole(handle), "a page that is sent is whole") }
        }
        let page = [UInt8](repeating: 0, count: Limits.pageBytes)
        var frame = [UInt8](repeating: 0, count: writer.byteCount)
        frame.write { bytes in
            writer.begin(&bytes)
            for place in 0..<run.count { writer.append(run[place].page, page.span.bytes, to: &bytes) }
            writer.finish(&bytes)
        }
        sent.append(frame)
        return true
    }

    func isAccessed(_ page: PageNumber) -> Bool { accessed[Int(page.index)] }
    mutating func doom() { isUnreachable = true }
    mutating func stage(for page: PageNumber) -> FrameHandle? {
        require(copies[Int(page.index)] == nil, "a frame is staged for a page that is not here")
        return isShort ? nil : pool.take()
    }

    mutating func fill(_ handle: FrameHandle, at offset: Int, with bytes: RawSpan, from start: Int, count: Int) {
        require(start >= 0 && start + count <= bytes.byteCount, "a page is filled from inside of a frame")
        pool.write(handle, at: offset, count: count)
    }

    mutating func clear(_ handle: FrameHandle, at offset: Int, count: Int) {
        require(offset == 0 && count == Limits.pageBytes, "whole frames are cleared")
        pool.write(handle, at: offset, count: count)
    }

    mutating func install(_ handle: FrameHandle, as page: PageNumber) {
        require(copies[Int(page.index)] == nil, "a page is installed where none is")
        require(pool.isWhole(handle), "no byte of an installed page is what the frame held before")
        copies[Int(page.index)] = handle
    }

    mutating func discard(_ handle: FrameHandle) { pool.give(handle) }
    mutating func drop(_ page: PageNumber) { pool.give(retain(page)) }

    mutating func retain(_ page: PageNumber) -> FrameHandle {
        require(!accessed[Int(page.index)] || isUnreachable, "what a transaction has touched stays until its doom")
        return take(page)
    }

    private mutating func take(_ page: PageNumber) -> FrameHandle {
        guard let handle = copies[Int(page.index)] else { broken("only a page that is here is taken") }
        copies[Int(page.index)] = nil
        return handle
    }

    mutating func publish(_ page: PageNumber) -> FrameHandle {
        require(!isUnreachable, "a doomed transaction publishes nothing")
        guard let old = copies[Int(page.index)], let new = working[Int(page.index)] else {
            broken("only a written page is published")
        }
        copies[Int(page.index)] = new
        working[Int(page.index)] = nil
        return old
    }

    mutating func accept(_ command: Command, from frame: RawSpan) {
        require(Command.dataOffset + Int(command.length) == frame.byteCount, "a command's payload fills its frame")
        commands += 1
    }

    mutating func record(_ event: ProtocolEvent) {}
    mutating func rollback(to time: GlobalTime) { rolledBack = time }

    // MARK: The running transaction

    mutating func read(_ page: PageNumber) { accessed[Int(page.index)] = true }

    mutating func write(_ page: PageNumber) {
        accessed[Int(page.index)] = true
        let frame = pool.take()
        pool.write(frame, at: 0, count: Limits.pageBytes)
        working[Int(page.index)] = frame
    }

    func isWritten(_ page: PageNumber) -> Bool { working[Int(page.index)] != nil }

    /// The transaction has ended: what it wrote and did not publish is gone.
    mutating func finish() {
        for page in working.indices {
            accessed[page] = false
            if let frame = working[page] { pool.give(frame) }
            working[page] = nil
        }
        isUnreachable = false
    }

    /// Drops a copy. Its place in the read set stays [P18].
    mutating func evict(_ page: PageNumber) { pool.give(take(page)) }
}
