import Protocol
import Wire

/// Acts that wait for their moment.
extension Simulation {
    func take(_ act: Spite) -> Bool {
        guard phase == .faults, let place = armed.firstIndex(of: act) else { return false }
        armed.remove(at: place)
        if let log { log("\(now) FAULT \(act)") }
        return true
    }

    /// Puts what a station says on its way, unless somebody waits for just that.
    func send(_ frames: [Frame], from sender: UInt8) {
        var onlyHearer: UInt8?
        var dies = false
        for frame in frames {
            let kind = FrameHeader.Kind(rawValue: frame.bytes[17])
            checkPromise(frame, kind, from: sender)
            checkGrant(frame, kind)
            if keepsArchive { archive(frame) }
            if kind == .commit, onlyHearer == nil, !armed.isEmpty { ambushCommit(frame, from: sender, &onlyHearer) }
            if kind == .commit, let onlyHearer {
                queue.insert(.deliver(frame, to: onlyHearer), at: now + scenario.latency.low)
            } else if kind == .joinAccept, !armed.isEmpty, ambushAccept(frame) {
                return
            } else if kind == .tokenGrant, !armed.isEmpty, take(.lateGrant) {
                for _ in 0..<2 {
                    let arrival = now + random.between(5, 200) * Scenario.millisecond
                    queue.insert(.deliver(frame, to: frame.bytes[19]), at: arrival)
                }
            } else if kind == .tokenGrant, lostCommitter == sender {
                queue.insert(.deliver(frame, to: frame.bytes[19]), at: now + scenario.latency.low)
                return beginVigil(without: Int(sender) - 1)
            } else if kind == .strictAnswer, delaysStrict(frame) {
                let arrival = now + random.between(10, 40) * Scenario.millisecond
                queue.insert(.deliver(frame, to: frame.bytes[19]), at: arrival)
            } else {
                if kind == .tokenGrant, !armed.isEmpty, take(.mutedRecords) {
                    mute(Mute.records, for: random.between(20, 120) * Scenario.millisecond)
                }
                if kind == .open { release(after: frame) }
                if kind == .pageRequest, !armed.isEmpty { mislead(frame) }
                if kind == .commit, sender == lonely?.station { lonely?.keep(frame) }
                network.carry(frame, from: sender, stations: hearers(of: kind, from: sender), now: now, &queue)
                if kind == .pageReply, sender == unheard?.committer, isOfUnheard(frame) { dies = true }
            }
        }
        if dies { unheard = nil }
        if onlyHearer != nil || dies { strike(sender, backAfter: 900) }
    }

    // MARK: Commits

    private func ambushCommit(_ frame: Frame, from sender: UInt8, _ onlyHearer: inout UInt8?) {
        let array = frame.bytes
        guard let piece = RecordPiece.parse(array.span.bytes, at: Payload.at(0)) else { return }
        if take(.lonelyCommit) {
            let others = stations.filter { $0 != sender }
            onlyHearer = others[random.below(others.count)]
        } else if take(.unheardServer) {
            unheard = Unheard(committer: sender, time: piece.time)
            mute(Mute.records, from: sender, for: random.between(5, 40) * Scenario.millisecond)
        } else if piece.count > 1, armed.contains(.lostRecord), lostCommitter == nil, take(.lostRecord) {
            lostCommitter = sender
            mute(Mute.records, from: sender, for: 60 * Scenario.second)
        }
    }

    /// A commit that nobody has heard of.
    struct Unheard {
        var committer: UInt8
        var time: GlobalTime
    }

    private func isOfUnheard(_ frame: Frame) -> Bool {
        let array = frame.bytes
        guard phase == .faults, let reply = PageReply.parse(array.span.bytes) else { return false }
        return reply.version == unheard?.time && frame.bytes[19] != Station.arbiter.number
            && reply.index + 1 == reply.count
    }

    /// Somebody who is alone, and its first commit there.
    struct Lonely {
        let station: UInt8
        private(set) var commit: [Frame] = []

        init(station: UInt8) { self.station = station }

        mutating func keep(_ frame: Frame) {
            let time = frame.bytes[72..<80]
            if commit.isEmpty || commit[0].bytes[72..<80] == time { commit.append(frame) }
        }
    }

    /// A new epoch: now comes what was committed alone in the old one.
    private func release(after open: Frame) {
        guard let frames = lonely?.commit, let first = frames.first, epoch(of: first) < epoch(of: open) else { return }
        for frame in frames {
            for station in stations where station != frame.bytes[18] {
                let isArbiter = station == Station.arbiter.number
                queue.insert(.deliver(frame, to: station), at: now + 1_000 + (isArbiter ? 0 : scenario.latency.high))
            }
        }
        lonely = nil
    }

    func epoch(of frame: Frame) -> UInt32 {
        let array = frame.bytes
        return array.span.bytes.load(UInt32.self, at: 24)
    }

    /// Somebody asks the arbiter for a page that another node has made. Not one on the heels of the other: an arbiter
    /// that asks for a page in vain for a second must take it for lost (seed 94000881).
    private func mislead(_ frame: Frame) {
        let array = frame.bytes
        guard armed.contains(.misledReader), now >= misledUntil, let request = PageRequest.parse(array.span.bytes),
            request.requester.isNode, frame.bytes[19] == Station.arbiter.number
        else { return }
        let writer = checker.lastWriter(of: request.page, at: arbiter.core.applied.raw)
        guard let maker = checker.commits[writer]?.node, maker != request.requester, take(.misledReader) else { return }
        let length = random.between(200, 400) * Scenario.millisecond
        misledUntil = now + length + Scenario.second
        mute([.pageReply], from: Station.arbiter.number, to: request.requester.number, for: length)
        mute([.pageRequest], from: Station.arbiter.number, for: length)
        mute(Mute.records, to: maker.number, for: length)
    }

    // MARK: Newcomers

    /// Whether the accept, and all that the arbiter says with it, takes another way.
    private func ambushAccept(_ frame: Frame) -> Bool {
        let newcomer = frame.bytes[19]
        if take(.lateAccept) {
            queue.insert(.deliver(frame, to: newcomer), at: now + random.between(2, 60) * Scenario.millisecond)
            perform(.killArbiter)
            queue.insert(.fault(.startArbiter), at: now + random.between(1, 10) * Scenario.millisecond)
            return true
        }
        guard armed.contains(.lostAccept), let other = somebody(but: newcomer), take(.lostAccept) else { return false }
        isolate(newcomer, for: random.between(2_200, 2_800) * Scenario.millisecond)
        strike(other, backAfter: 2_500, isReported: true)
        return false
    }

    private func afterAccept(at node: SimulatedNode) {
        let newcomer = node.station.number
        if take(.oldFrames) {
            replay(archived.suffix(64), to: newcomer)
        } else if armed.contains(.shyNewcomer), let other = somebody(but: newcomer), take(.shyNewcomer) {
            part(newcomer, other, for: random.between(300, 900) * Scenario.millisecond)
        }
    }

    /// A node begins to boot.
    func afterBooting(_ node: SimulatedNode) {
        guard !armed.isEmpty, take(.oldAccepts) else { return }
        let accept = FrameHeader.Kind.joinAccept.rawValue
        replay(archived.filter { $0.bytes[17] == accept }.suffix(8), to: node.station.number)
    }

    private func replay(_ frames: [Frame].SubSequence, to station: UInt8) {
        for frame in frames where frame.bytes[19] == station || frame.bytes[19] == Station.everyone.number {
            queue.insert(.deliver(frame, to: station), at: now + random.between(1, 2 * Scenario.millisecond))
        }
    }

    private func somebody(but station: UInt8) -> UInt8? {
        let others = nodes.filter { $0.isAlive && $0.core.phase == .member && $0.station.number != station }
        return others.isEmpty ? nil : others[random.below(others.count)].station.number
    }

    // MARK: Strict reads

    private func delaysStrict(_ frame: Frame) -> Bool {
        let reader = frame.bytes[19]
        // Once, it hears again before anything is given up; several times in a row may be too long.
        if let slow = slowStrict, slow.reader == reader, now < slow.until + Scenario.second { return now < slow.until }
        guard !armed.isEmpty, take(.slowStrict) else { return false }
        let length = random.between(200, 600) * Scenario.millisecond
        slowStrict = (reader, now + length)
        nodes[Int(reader) - 1].readsUntil = now + length
        mute(FrameHeader.Kind.allCases.filter { $0 != .strictAnswer }, to: reader, for: length)
        return true
    }

    // MARK: Deaths

    /// A frame has come in at a node.
    func afterReceiving(_ frame: Frame, at node: SimulatedNode) {
        let kind = FrameHeader.Kind(rawValue: frame.bytes[17])
        let array = frame.bytes
        let bytes = array.span.bytes
        let sender = array[18]
        if kind == .tokenGrant, node.core.holdsToken {
            let station = node.station.number
            if armed.contains(.crashGrantee), take(.crashGrantee) {
                strike(station, backAfter: 20)
            } else if armed.contains(.lostHolder), let other = somebody(but: station), take(.lostHolder) {
                lonely = Lonely(station: station)
                let length = UInt64(scenario.roundsAlone) * Scenario.roundAlone
                    + random.between(0, 600) * Scenario.millisecond
                isolate(station, for: length)
                // Perhaps it believes that nobody can have committed since.
                if random.chance(400) { node.readsUntil = now + length }
                strike(other, backAfter: 2_000, isReported: true)
                for round in 1..<max(1, UInt64(scenario.roundsAlone)) { strikeLater(but: station, round) }
            }
        } else if kind == .pageReply, sender != Station.arbiter.number, armed.contains(.crashServer),
            let reply = PageReply.parse(bytes), reply.version > checker.newestSaved, reply.index + 1 == reply.count,
            take(.crashServer) {
            strike(sender, backAfter: 900)
        } else if kind == .pageTrain, armed.contains(.crashServer), let train = PageTrain.parse(bytes),
            train.version > checker.newestSaved, take(.crashServer) {
            strike(sender, backAfter: 900)
        } else if kind == .joinAccept, node.core.phase == .member {
            afterAccept(at: node)
        }
    }

    /// A node dies, mostly noticed, and is back after up to so many milliseconds.
    private func strike(_ station: UInt8, backAfter longest: UInt64, isReported: Bool = false) {
        let index = Int(station) - 1
        perform(.crash(index))
        if isReported || random.chance(700) {
            queue.insert(.fault(.report(index)), at: now + random.between(1, 50) * Scenario.millisecond)
        }
        queue.insert(.fault(.boot(index)), at: now + random.between(1, longest) * Scenario.millisecond)
    }

    /// A round later somebody else dies, so that another epoch opens.
    private func strikeLater(but station: UInt8, _ round: UInt64) {
        let others = nodes.indices.filter { $0 + 1 != Int(station) }
        let index = others[random.below(others.count)]
        let time = now + round * Scenario.roundAlone
        queue.insert(.fault(.crash(index)), at: time)
        queue.insert(.fault(.report(index)), at: time + Scenario.millisecond)
        queue.insert(.fault(.boot(index)), at: time + 2_100 * Scenario.millisecond)
    }

    /// The arbiter has done something.
    func afterArbiter() {
        guard !armed.isEmpty, arbiter.isAlive, arbiter.core.isPolling, pollUnderWay?.heard.isEmpty == false,
            take(.napAtPoll)
        else { return }
        perform(.pauseArbiter(nanoseconds: random.between(2_000, 2_500) * Scenario.millisecond))
    }

    /// The arbiter is about to do something.
    func ambushArbiter(_ moment: ArbiterStore.Ambush.Moment) {
        guard !armed.isEmpty, arbiter.store.ambush == nil else { return }
        let act = moment == .opening ? Spite.crashAtOpening : .crashAtDeath
        guard armed.contains(act), moment == .death || arbiter.core.isPolling, take(act) else { return }
        arbiter.store.ambush = ArbiterStore.Ambush(moment: moment, isBefore: random.chance(500))
    }

    private static let archivedFrames = 512

    /// Keeps what may be played again to somebody new.
    private func archive(_ frame: Frame) {
        guard phase == .faults else { return }
        if archived.count == Self.archivedFrames {
            let half = Self.archivedFrames / 2
            let accepts = archived.prefix(half).filter { $0.bytes[17] == FrameHeader.Kind.joinAccept.rawValue }
            archived.replaceSubrange(..<half, with: accepts.suffix(32))
        }
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
