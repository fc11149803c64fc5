import Wire

@testable import Protocol

/// The world of an arbiter under attack. What it has told the cluster must have been written down before.
struct ArbiterStore: ArbiterWorld {
    let maximumFrameBytes: Int
    var pool = FramePool()
    var sent: [[UInt8]] = []
    private(set) var saved = GlobalTime.zero
    private(set) var polled: UInt32 = 1
    private(set) var opened: [EpochRecord] = [EpochRecord(epoch: 1, opened: .zero)]
    private(set) var admitted: [UInt32] = []
    private(set) var incarnation: UInt32 = 0
    private var imageVersions: [GlobalTime]
    private var random: UInt64 = 0
    /// The last number given out as a challenge.
    private(set) var challenge: UInt64 = 0

    init(sharedPages: Int, maximumFrameBytes: Int) {
        self.maximumFrameBytes = maximumFrameBytes
        imageVersions = [GlobalTime](repeating: .zero, count: sharedPages)
    }

    mutating func transmit(_ byteCount: Int, _ fill: (inout MutableRawSpan) -> Void) -> Bool {
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
        require(Int(content.page.index) < imageVersions.count, "a page of the image is sent")
        if let handle = content.handle { require(pool.isWhole(handle), "a page that is sent is whole") }
        return transmit(byteCount, fill)
    }

    mutating func stage() -> FrameHandle { pool.take() }
    mutating func fill(_ handle: FrameHandle, at offset: Int, with bytes: RawSpan, from start: Int, count: Int) {
        require(start >= 0 && start + count <= bytes.byteCount, "a page is filled from inside of a frame")
        pool.write(handle, at: offset, count: count)
    }
    mutating func discard(_ handle: FrameHandle) { pool.give(handle) }

    mutating func gathered(_ page: SavedPage) {
        require(pool.isWhole(page.handle), "a page that is gathered is whole")
        require(page.version > saved, "a page that is gathered is new")
    }
    mutating func abandonSave() {}

    mutating func save(_ time: GlobalTime, _ pages: [SavedPage]) -> Bool {
        require(time > saved, "each saved state is later than the one before")
        for page in pages {
            require(pool.isWhole(page.handle), "no byte of a saved page is what the frame held before")
            require(page.version <= time && page.version > saved, "a saved page is of the state that it belongs to")
            require(page.version >= imageVersions[Int(page.page.index)], "the image goes back to no earlier version")
            imageVersions[Int(page.page.index)] = page.version
        }
        for page in pages { pool.give(page.handle) }
        saved = time
        return true
    }

    mutating func persist(_ fact: ArbiterFact) {
        switch fact {
        case .incarnation(let number):
            require(number > incarnation, "each run of the arbiter has its number")
            incarnation = number
        case .polled(let epoch):
            require(epoch > polled, "an epoch is polled for once")
            polled = epoch
        case .opened(let record):
            require(record.epoch > (opened.first?.epoch ?? 0) && record.epoch <= polled, "an epoch is opened once")
            require(record.opened >= saved, "nothing that is saved is undone")
            require(record.opened.epoch < record.epoch, "an epoch opens at a commit of an earlier one")
            opened.insert(record, at: 0)
        case .admitted(_, let number):
            require(!admitted.contains(number), "no incarnation is given twice")
            admitted.append(number)
        case .died: break
        }
    }

    mutating func randomNumber() -> UInt64 {
        random += 2
        challenge = random | 1
        return random
    }
    mutating func accept(_ reply: CommandReply, from node: Station) {}
    mutating func accept(_ report: Report, from node: Station) {}
    mutating func notify(_ notice: ArbiterNotice) {}
}
