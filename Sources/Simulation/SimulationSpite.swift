import Protocol
import Wire

/// Acts that wait for their moment.
extension Simulation {
    private func take(_ act: Spite) -> Bool {
        guard phase == .faults, let place = armed.firstIndex(of: act) else { return false }
        armed.remove(at: place)
        if let log { log("\(now) FAULT \(act)") }
        return true
    }

    /// Puts what a station says on its way, unless somebody waits for just that.
    func send(_ frames: [Frame], from sender: UInt8) {
        var onlyHearer: UInt8?
        for frame in frames {
            let kind = FrameHeader.Kind(rawValue: frame.bytes[17])
            if keepsArchive { archive(frame) }
            if kind == .commit, onlyHearer == nil, !armed.isEmpty, take(.lonelyCommit) {
                let others = stations.filter { $0 != sender }
                onlyHearer = others[random.below(others.count)]
            }
            if kind == .commit, let onlyHearer {
                queue.insert(.deliver(frame, to: onlyHearer), at: now + scenario.latency.low)
            } else if kind == .joinAccept, !armed.isEmpty, take(.lateAccept) {
                let arrival = now + random.between(2, 60) * Scenario.millisecond
                queue.insert(.deliver(frame, to: frame.bytes[19]), at: arrival)
                perform(.killArbiter)
                queue.insert(.fault(.startArbiter), at: now + random.between(1, 10) * Scenario.millisecond)
                return
            } else if kind == .tokenGrant, !armed.isEmpty, take(.lateGrant) {
                for _ in 0..<2 {
                    let arrival = now + random.between(5, 200) * Scenario.millisecond
                    queue.insert(.deliver(frame, to: frame.bytes[19]), at: arrival)
                }
            } else {
                network.carry(frame, from: sender, stations: stations, now: now, &queue)
            }
        }
        if onlyHearer != nil { strike(sender, backAfter: 900) }
    }

    /// A frame has come in at a node.
    func afterReceiving(_ frame: Frame, at node: SimulatedNode) {
        let kind = FrameHeader.Kind(rawValue: frame.bytes[17])
        let array = frame.bytes
        let bytes = array.span.bytes
        let sender = array[18]
        if kind == .tokenGrant, node.core.holdsToken, armed.contains(.crashGrantee), take(.crashGrantee) {
            strike(node.station.number, backAfter: 20)
        } else if kind == .pageReply, sender != Station.arbiter.number, armed.contains(.crashServer),
            let reply = PageReply.parse(bytes), reply.version > checker.newestSaved, reply.index + 1 == reply.count,
            take(.crashServer) {
            strike(sender, backAfter: 900)
        } else if kind == .joinAccept, node.core.phase == .member, armed.contains(.oldFrames), take(.oldFrames) {
            let hearers = [node.station.number, Station.everyone.number]
            let told = archived.filter { hearers.contains($0.bytes[19]) }
            for frame in told.suffix(64) {
                let delay = random.between(1, 2 * Scenario.millisecond)
                queue.insert(.deliver(frame, to: node.station.number), at: now + delay)
            }
        }
    }

    /// A node dies, mostly noticed, and is back after up to so many milliseconds.
    private func strike(_ station: UInt8, backAfter longest: UInt64) {
        let index = Int(station) - 1
        perform(.crash(index))
        if random.chance(700) {
            queue.insert(.fault(.report(index)), at: now + random.between(1, 50) * Scenario.millisecond)
        }
        queue.insert(.fault(.boot(index)), at: now + random.between(1, longest) * Scenario.millisecond)
    }

    private static let archivedFrames = 512

    /// Keeps what may be played again to somebody new.
    private func archive(_ frame: Frame) {
        guard phase == .faults else { return }
        if archived.count == Self.archivedFrames { archived.removeFirst(Self.archivedFrames / 2) }
        archived.append(frame)
    }

    /// Drops every copy that the node may drop, while it stands still for a poll and shortly after.
    func evictPledged(_ node: SimulatedNode) {
        if node.core.isFrozen, armed.contains(.evictPledged), node.evictsUntil < now, take(.evictPledged) {
            node.evictsUntil = now + 60 * Scenario.millisecond
        }
        guard now < node.evictsUntil, phase == .faults, node.core.phase == .member else { return }
        for index in 0..<scenario.layout.sharedPages {
            let page = PageNumber(UInt32(index))
            guard node.core.canEvict(page), !node.memory.isWritten(page) else { continue }
            node.memory.evict(page)
            node.core.evicted(page)
        }
    }
}
