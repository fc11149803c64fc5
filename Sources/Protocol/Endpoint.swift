import Wire

/// One end of the authenticated link: numbers and signs what goes out, and lets in only what is sound, authentic, meant
/// for this station, of a living incarnation, and not a replay (DESIGN 5). Each rejection costs O(1).
public struct Endpoint: Sendable {
    public let cluster: UInt64
    public let key: FrameKey
    public let station: Station
    public var incarnation: UInt32
    private var sequence: UInt64 = 0
    private var peers: [Peer]

    public private(set) var sent: UInt64 = 0
    public private(set) var received: UInt64 = 0
    public private(set) var rejected: UInt64 = 0
    public private(set) var unauthentic: UInt64 = 0

    private struct Peer {
        var incarnation: UInt32 = 0
        var highest: UInt64 = 0
        /// Bit n: the frame `highest - n` was seen.
        var seen: UInt64 = 0
    }

    public init(cluster: UInt64, key: SipHash.Key, station: Station, incarnation: UInt32) {
        self.cluster = cluster
        self.key = FrameKey(key)
        self.station = station
        self.incarnation = incarnation
        peers = [Peer](repeating: Peer(), count: Limits.maximumNodes + 1)
    }

    /// The place of a station in the table of peers; nil for one that no table knows.
    private static func place(of station: Station) -> Int? {
        if station.isNode { return station.index }
        return station == .arbiter ? Limits.maximumNodes : nil
    }

    /// The newest incarnation that was heard of, 0 when none was.
    public func incarnation(of station: Station) -> UInt32 {
        guard let place = Self.place(of: station) else { return 0 }
        return peers[place].incarnation
    }

    /// Declares incarnations below `incarnation` dead.
    public mutating func retire(_ station: Station, below incarnation: UInt32) {
        guard let place = Self.place(of: station), peers[place].incarnation < incarnation else { return }
        peers[place] = Peer(incarnation: incarnation, highest: 0, seen: 0)
    }

    /// Forgets all that was heard, as a node does that joins anew.
    public mutating func restart(incarnation: UInt32) {
        self.incarnation = incarnation
        sequence = 0
    }

    /// The header of a frame that may come in; nil (and counted) otherwise.
    public mutating func admit(_ frame: RawSpan) -> FrameHeader? {
        guard let header = try? FrameHeader.parse(frame), header.cluster == cluster, header.sender != station,
            header.target == station || header.target == .everyone, let place = Self.place(of: header.sender)
        else {
            rejected &+= 1
            return nil
        }
        // A joiner has no incarnation yet; its frames are guarded by the challenge instead of the window.
        let isJoin = header.kind.isJoin
        guard isJoin || isFresh(header, at: place) else {
            rejected &+= 1
            return nil
        }
        guard FrameHeader.isAuthentic(frame, key: key) else {
            rejected &+= 1
            unauthentic &+= 1
            return nil
        }
        if !isJoin || header.incarnation > 0 { note(header, at: place) }
        received &+= 1
        return header
    }

    /// The sender of an authentic frame of an incarnation that another has replaced. It costs a hash, so the caller
    /// limits how often it asks.
    public func retired(_ frame: RawSpan) -> (station: Station, incarnation: UInt32)? {
        guard let header = try? FrameHeader.parse(frame), header.cluster == cluster, !header.kind.isJoin,
            let place = Self.place(of: header.sender), header.incarnation < peers[place].incarnation,
            FrameHeader.isAuthentic(frame, key: key)
        else { return nil }
        return (header.sender, header.incarnation)
    }

    /// Counts a frame that was authentic but of another epoch, or with an impossible payload.
    public mutating func reject() { rejected &+= 1 }

    private func isFresh(_ header: FrameHeader, at place: Int) -> Bool {
        let peer = peers[place]
        guard header.incarnation >= peer.incarnation, header.incarnation > 0 else { return false }
        guard header.incarnation == peer.incarnation, header.sequence <= peer.highest else { return true }
        let age = peer.highest &- header.sequence
        return age < 64 && peer.seen & (1 << age) == 0
    }

    private mutating func note(_ header: FrameHeader, at place: Int) {
        if header.incarnation > peers[place].incarnation {
            peers[place] = Peer(incarnation: header.incarnation, highest: header.sequence, seen: 1)
        } else if header.incarnation == peers[place].incarnation {
            if header.sequence > peers[place].highest {
                let step = header.sequence &- peers[place].highest
                peers[place].seen = step < 64 ? peers[place].seen << step | 1 : 1
                peers[place].highest = header.sequence
            } else {
                let age = peers[place].highest &- header.sequence
                if age < 64 { peers[place].seen |= 1 << age }
            }
        }
    }

    /// The header of the next frame to go out.
    public mutating func nextHeader(_ kind: FrameHeader.Kind, to target: Station, payloadBytes: Int, epoch: UInt32,
                                    applied: GlobalTime) -> FrameHeader {
        sequence &+= 1
        sent &+= 1
        return FrameHeader(kind: kind, sender: station, target: target, payloadBytes: payloadBytes, epoch: epoch,
                           incarnation: incarnation, cluster: cluster, sequence: sequence, applied: applied)
    }
}

extension FrameHeader.Kind {
    /// Frames of the handshake that admits a node, before it has an incarnation.
    var isJoin: Bool {
        switch self {
        case .joinRequest, .joinChallenge, .joinAnswer, .joinAccept, .joinRefusal: true
        default: false
        }
    }

    /// Frames that are understood across epochs.
    var crossesEpochs: Bool {
        switch self {
        case .poll, .pollAnswer, .open, .epochQuestion: true
        default: isJoin
        }
    }
}
