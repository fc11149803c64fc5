/// The head of a train: pages of one commit in one frame, for the arbiter that saves (PROTOCOL 28). Their numbers
/// follow it, then their bytes.
public struct PageTrain: Message {
    public static let kind = FrameHeader.Kind.pageTrain
    private static let fixedBytes = 24
    public var nonce: UInt64
    /// The commit time that last changed each of the pages.
    public var version: GlobalTime
    /// 2…`Limits.trainPages` when it travels.
    public private(set) var count = 0
    private var numbers = Limits.PerTrainPage<UInt32>(repeating: 0)

    public init(nonce: UInt64, version: GlobalTime) {
        self.nonce = nonce
        self.version = version
    }

    public mutating func append(_ page: PageNumber) {
        numbers[count] = page.index
        count += 1
    }

    public subscript(_ place: Int) -> PageNumber { PageNumber(numbers[place]) }

    private static func headBytes(_ count: Int) -> Int { fixedBytes + (4 * count + 7) & ~7 }
    public var byteCount: Int { Self.byteCount(count) }
    /// Bytes of the payload with so many pages.
    public static func byteCount(_ count: Int) -> Int { headBytes(count) + count * Limits.pageBytes }
    /// Where the bytes of the first page lie in the frame.
    public var dataOffset: Int { Self.dataOffset(count) }
    static func dataOffset(_ count: Int) -> Int { Limits.headerBytes + headBytes(count) }

    public func emit(into frame: inout MutableRawSpan) {
        Self.emit(nonce, version, count, into: &frame)
        for place in 0..<count { Self.emit(self[place], at: place, into: &frame) }
    }

    /// What stands in front of the numbers of the pages.
    static func emit(_ nonce: UInt64, _ version: GlobalTime, _ count: Int, into frame: inout MutableRawSpan) {
        frame.store(nonce, at: Payload.at(0))
        frame.store(version.raw, at: Payload.at(8))
        frame.store(UInt16(count), at: Payload.at(16))
        frame.store(UInt16(0), at: Payload.at(18))
        frame.store(UInt32(0), at: Payload.at(20))
        if count % 2 == 1 { frame.store(UInt32(0), at: Payload.at(fixedBytes + 4 * count)) }
    }

    static func emit(_ page: PageNumber, at place: Int, into frame: inout MutableRawSpan) {
        frame.store(page.index, at: Payload.at(fixedBytes + 4 * place))
    }

    public static func parse(_ frame: RawSpan) -> PageTrain? {
        guard Payload.count(frame) >= fixedBytes else { return nil }
        let count = Int(frame.load(UInt16.self, at: Payload.at(16)))
        var train = PageTrain(
            nonce: frame.load(UInt64.self, at: Payload.at(0)),
            version: GlobalTime(raw: frame.load(UInt64.self, at: Payload.at(8))))
        guard (2...Limits.trainPages).contains(count), train.version > .zero,
            Payload.count(frame) == headBytes(count) + count * Limits.pageBytes
        else { return nil }
        for place in 0..<count {
            train.append(PageNumber(frame.load(UInt32.self, at: Payload.at(fixedBytes + 4 * place))))
        }
        return train
    }
}
