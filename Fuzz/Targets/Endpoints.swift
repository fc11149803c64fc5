import Wire

@testable import Protocol

extension Target {
    /// Authentication and the window against replay, beside a list of everything that was ever let in.
    static let endpoint = Target("endpoint", longest: 512) { bytes in
        var input = Input(bytes)
        var link = Link()
        while !input.isEmpty { link.step(&input) }
    }

    private struct Seen: Equatable {
        var sender: Station
        var incarnation: UInt32
        var sequence: UInt64
    }

    private struct Link {
        var endpoint = Endpoint(cluster: 7, key: Target.key, station: Station(1), incarnation: 1)
        var seen: [Seen] = []

        mutating func step(_ input: inout Input) {
            let sender = [Station(2), Station(3), .arbiter, Station(1), Station(200)][input.below(5)]
            let incarnation = UInt32(input.below(4))
            // Near the window's edges, and near the end of all numbers.
            let sequence = UInt64(input.byte()) &- (input.byte() == 0xFF ? 128 : 0)
            let target = [Station(1), .everyone, Station(2)][input.below(3)]
            let what = input.byte()
            if what & 0x30 == 0x30 { return retire(sender, below: incarnation) }
            let kind: FrameHeader.Kind = what & 1 == 0 ? .heartbeat : .joinChallenge
            let header = FrameHeader(
                kind: kind, sender: sender, target: target, payloadBytes: 0, epoch: 1, incarnation: incarnation,
                cluster: what & 2 == 0 ? 7 : 8, sequence: sequence, applied: .zero)
            var frame = [UInt8](repeating: 0, count: Limits.headerBytes)
            frame.write { header.emit(into: &$0, key: Target.frameKey) }
            let isForged = what & 0xC0 == 0xC0
            if isForged { frame[56 + Int(what & 15)] ^= 1 }
            admit(frame, header, isForged: isForged)
        }

        private mutating func retire(_ station: Station, below incarnation: UInt32) {
            let before = endpoint.incarnation(of: station)
            endpoint.retire(station, below: incarnation)
            let isKnown = station.isNode || station == .arbiter
            require(
                endpoint.incarnation(of: station) == (isKnown ? max(before, incarnation) : 0), "incarnations only grow")
        }

        private mutating func admit(_ frame: [UInt8], _ header: FrameHeader, isForged: Bool) {
            let newest = endpoint.incarnation(of: header.sender)
            let entry = Seen(sender: header.sender, incarnation: header.incarnation, sequence: header.sequence)
            let rejected = endpoint.rejected
            let isIn = endpoint.admit(frame.span.bytes) != nil
            require(isIn == (endpoint.rejected == rejected), "what is not let in is counted")
            guard isIn else { return expectReason(header, entry, newest, isForged) }
            require(!isForged, "no forged frame is let in")
            require(header.cluster == 7 && header.target != Station(2), "no foreign frame is let in")
            require(header.sender != Station(1) && header.sender != Station(200), "no frame of nobody is let in")
            if header.kind == .heartbeat {
                require(
                    header.incarnation > 0 && header.incarnation >= newest, "nothing of a dead incarnation is let in")
                require(!seen.contains(entry), "no frame is let in twice")
            }
            // A frame of the handshake may come twice, but its number is used up.
            seen.append(entry)
        }

        /// What is sound, authentic and newer than everything before is never refused.
        private func expectReason(_ header: FrameHeader, _ entry: Seen, _ newest: UInt32, _ isForged: Bool) {
            let isSound = !isForged && header.cluster == 7 && header.target != Station(2)
                && [Station(2), Station(3), .arbiter].contains(header.sender)
            guard isSound, header.kind == .heartbeat else { return require(!isSound, "a join frame is let in") }
            guard header.incarnation == newest, header.incarnation > 0 else {
                return require(header.incarnation <= newest, "a newer incarnation is let in")
            }
            let highest = seen.filter { $0.sender == header.sender && $0.incarnation == newest }.map(\.sequence).max()
            guard let highest else { return }
            require(header.sequence <= highest, "a frame newer than all before is let in")
            require(
                seen.contains(entry) || highest - header.sequence >= 64, "a late frame inside of the window is let in")
        }
    }
}
