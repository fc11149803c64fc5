/// The head of a train: neighbouring pages of one commit in one frame, for the arbiter that saves (PROTOCOL 28). Their
/// bytes follow it.
public struct PageTrain: Message {
    public static let kind = FrameHeader.Kind.pageTrain
    public static let headBytes = 24
    public var nonce: UInt64
    /// The commit time that last changed each of the pages.
    public var version: GlobalTime
    public var first: PageNumber
    /// 2…`Limits.trainPages`.
    public var count: UInt16

    public init(nonce: UInt64, version: GlobalTime, first: PageNumber, count: UInt16) {
        self.nonce = nonce
        self.version = version
        self.first = first
        self.count = count
    }

    public var byteCount: Int { Self.headBytes + Int(count) * Limits.pageBytes }
    /// Where the bytes of the first page lie in the frame.
    public static let dataOffset = Limits.headerBytes + headBytes

    public func emit(into frame: inout MutableRawSpan) {
        frame.store(nonce, at: Payload.at(0))
        frame.store(version.raw, at: Payload.at(8))
        frame.store(first.index, at: Payload.at(16))
        frame.store(count, at: Payload.at(20))
        frame.store(UInt16(0), at: Payload.at(22))
    }
    public static func parse(_ frame: RawSpan) -> PageTrain? {
        guard Payload.count(frame) >= headBytes else { return nil }
        let train = PageTrain(
            nonce: frame.load(UInt64.self, at: Payload.at(0)),
            version: GlobalTime(raw: frame.load(UInt64.self, at: Payload.at(8))),
            first: PageNumber(frame.load(UInt32.self, at: Payload.at(16))),
            count: frame.load(UInt16.self, at: Payload.at(20)))
        guard Payload.count(frame) == train.byteCount, (2...Limits.trainPages).contains(Int(train.count)),
            train.version > .zero, train.first.index <= .max - UInt32(train.count)
        else { return nil }
        return train
    }
}
