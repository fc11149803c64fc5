import Wire

/// Frames that vanish on their way for a while: of certain kinds, from or to somebody.
struct Mute {
    /// All when nil.
    var kinds: [FrameHeader.Kind]?
    /// Anybody when nil.
    var from: UInt8?
    var to: UInt8?
    let until: UInt64
    /// Whether it lasts so long that somebody may be taken for lost.
    var isLong = false

    func covers(_ kind: FrameHeader.Kind?, from sender: UInt8, to receiver: UInt8) -> Bool {
        if let from, from != sender { return false }
        if let to, to != receiver { return false }
        guard let kinds else { return true }
        return kind.map(kinds.contains) ?? false
    }

    /// What tells of commits.
    static let records: [FrameHeader.Kind] = [.commit, .recordReply]
}

extension Simulation {
    /// Whom a frame may reach. Its sender is always among them, so that there is somebody.
    func hearers(of kind: FrameHeader.Kind?, from sender: UInt8) -> [UInt8] {
        guard !mutes.isEmpty else { return stations }
        if mutes.contains(where: { $0.until <= now }) {
            if mutes.contains(where: { $0.until <= now && $0.isLong }) { disturb() }
            mutes.removeAll { $0.until <= now }
            lastCut = now
        }
        return stations.filter { station in
            station == sender || !mutes.contains { $0.covers(kind, from: sender, to: station) }
        }
    }

    func mute(_ kinds: [FrameHeader.Kind]? = nil, from: UInt8? = nil, to: UInt8? = nil, for length: UInt64) {
        lastCut = now
        mutes.append(Mute(kinds: kinds, from: from, to: to, until: now + length))
    }

    /// A station is alone for so long.
    func isolate(_ station: UInt8, for length: UInt64) {
        disturb()
        lastCut = now
        mutes.append(Mute(from: station, until: now + length, isLong: true))
        mutes.append(Mute(to: station, until: now + length, isLong: true))
    }

    /// Two stations do not hear each other for so long. Others pass on what must get through, so nothing is missing.
    func part(_ one: UInt8, _ other: UInt8, for length: UInt64) {
        mute(from: one, to: other, for: length)
        mute(from: other, to: one, for: length)
    }
}
