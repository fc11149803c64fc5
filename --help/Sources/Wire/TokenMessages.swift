/// Asks for the commit token. Whoever has just passed the token on passes the request on too.
public struct TokenRequest: Message {
    public static let kind = FrameHeader.Kind.tokenRequest
    public var requester: Station
    public var requesterIncarnation: UInt32
    /// How often the request was passed on.
    public var hops: UInt8
    /// A transaction that lost often goes to the front of the queue.
    public var isUrgent: Bool

    public init(requester: Station, requesterIncarnation: UInt32, hops: UInt8, isUrgent: Bool) {
        self.requester = requester
        self.requesterIncarnation = requesterIncarnation
        self.hops = hops
        self.isUrgent = isUrgent
    }

    public var byteCount: Int { 8 }
    public func emit(into frame: inout MutableRawSpan) {
        frame.store(requesterIncarnation, at: Payload.at(0))
        frame.store(requester.number, at: Payload.at(4))
        frame.store(hops, at: Payload.at(5))
        frame.store(UInt8(isUrgent ? 1 : 0), at: Payload.at(6))
        frame.store(UInt8(0), at: Payload.at(7))
    }
    public static func parse(_ frame: RawSpan) -> TokenRequest? {
        guard Payload.count(frame) == 8, frame.load(UInt8.self, at: Payload.at(6)) <= 1 else { return nil }
        let requester = Station(frame.load(UInt8.self, at: Payload.at(4)))
        guard requester.isNode else { return nil }
        return TokenRequest(requester: requester, requesterIncarnation: frame.load(UInt32.self, at: Payload.at(0)),
                            hops: frame.load(UInt8.self, at: Payload.at(5)),
                            isUrgent: frame.load(UInt8.self, at: Payload.at(6)) == 1)
    }
}

/// Hands the token over. The head is followed by the last commits' records, so that a grantee a few commits behind
/// needs no catch-up. The identical grant may be sent again until there is evidence that it arrived (PROTOCOL 13, 14).
public struct TokenGrant: Message {
    public static let kind = FrameHeader.Kind.tokenGrant
    /// Where the records begin in the frame.
    public static let recordsOffset = Limits.headerBytes + 88

    public var number: UInt32
    public var target: Station
    public var targetIncarnation: UInt32
    /// No commit before the grantee has applied this time.
    public var time: GlobalTime
    /// Who waits, in order; zeros at the end.
    public var queue: TokenQueue
    /// Bytes of records behind the head.
    public var recordBytes: Int

    public init(number: UInt32, target: Station, targetIncarnation: UInt32, time: GlobalTime, queue: TokenQueue,
                recordBytes: Int) {
        self.number = number
        self.target = target
        self.targetIncarnation = targetIncarnation
        self.time = time
        self.queue = queue
        self.recordBytes = recordBytes
    }

    public var byteCount: Int { 88 + recordBytes }
    public func emit(into frame: inout MutableRawSpan) {
        frame.store(number, at: Payload.at(0))
        frame.store(targetIncarnation, at: Payload.at(4))
        frame.store(time.raw, at: Payload.at(8))
        for place in 0..<Limits.maximumNodes { frame.store(queue[place].number, at: Payload.at(16 + place)) }
        frame.store(target.number, at: Payload.at(80))
        frame.store(UInt8(0), at: Payload.at(81))
        frame.store(UInt16(0), at: Payload.at(82))
        frame.store(UInt32(0), at: Payload.at(84))
    }
    public static func parse(_ frame: RawSpan) -> TokenGrant? {
        guard Payload.count(frame) >= 88 else { return nil }
        var queue = TokenQueue()
        for place in 0..<Limits.maximumNodes {
            let station = Station(frame.load(UInt8.self, at: Payload.at(16 + place)))
            guard station == .nobody || station.isNode else { return nil }
            if station != .nobody { queue.append(station) }
        }
        return TokenGrant(
            number: frame.load(UInt32.self, at: Payload.at(0)),
            target: Station(frame.load(UInt8.self, at: Payload.at(80))),
            targetIncarnation: frame.load(UInt32.self, at: Payload.at(4)),
            time: GlobalTime(raw: frame.load(UInt64.self, at: Payload.at(8))), queue: queue,
            recordBytes: Payload.count(frame) - 88)
    }
}

/// The fair queue of nodes that wait for the token; each node stands in it at most once.
public struct TokenQueue: Sendable {
    private var places: InlineArray<64, UInt8> = .init(repeating: 0)
    public private(set) var count = 0

    public init() {}

    /// The station at a place, or nobody behind the end.
    public subscript(_ place: Int) -> Station { Station(places[place]) }

    public func contains(_ station: Station) -> Bool {
        for place in 0..<count where places[place] == station.number { return true }
        return false
    }

    /// Puts a node at the end; nothing happens when it stands in the queue already.
    public mutating func append(_ station: Station) {
        guard !contains(station), count < Limits.maximumNodes else { return }
        places[count] = station.number
        count += 1
    }

    /// Puts a node at the front, also when it stands in the queue already.
    public mutating func prepend(_ station: Station) {
        remove(station)
        guard count < Limits.maximumNodes else { return }
        var place = count
        while place > 0 {
            places[place] = places[place - 1]
            place -= 1
        }
        places[0] = station.number
        count += 1
    }

    public mutating func remove(_ station: Station) {
        var kept = 0
        for place in 0..<count where places[place] != station.number {
            places[kept] = places[place]
            kept += 1
        }
        for place in kept..<count { places[place] = 0 }
        count = kept
    }

    /// Takes the first node out, or nobody.
    public mutating func removeFirst() -> Station {
        let first = self[0]
        if count > 0 { remove(first) }
        return first
    }
}
