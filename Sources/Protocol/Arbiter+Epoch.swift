import Wire

/// A poll under way: who must answer, who has, and what they hold.
struct Polling: Sendable {
    var epoch: UInt32
    var expected: UInt64
    var answered: UInt64 = 0
    var answers: [Answer]
    var holders: [Holders.Holder] = []
    var resendAt: UInt64
    var graceEnd: UInt64
    /// Newer records than the arbiter's are being fetched from who has them, until then.
    var recordsUntil: UInt64? = nil

    struct Answer: Sendable {
        var applied = GlobalTime.zero
        var pieces: [Bool] = []
    }

    var isComplete: Bool { expected & ~answered == 0 }

    /// When it goes on without being answered. With all answers in, or no patience left for more, only records are
    /// waited for.
    var deadline: UInt64 {
        guard !isComplete else { return recordsUntil ?? resendAt }
        return min(resendAt, max(graceEnd, recordsUntil ?? 0))
    }
}

extension Arbiter {
    /// Asks all living nodes to stand still and to say what they hold, so that a new epoch can be opened.
    mutating func beginPoll<World: ArbiterWorld & ~Copyable>(_ reason: ArbiterNotice.Reason, _ now: UInt64,
                                                             _ world: inout World) {
        guard polling == nil else {
            nextReason = reason
            if case .died(let node) = reason { polling?.expected &= ~node.bit }
            if case .restarted(let node) = reason { polling?.expected &= ~node.bit }
            return
        }
        polledEpoch = max(polledEpoch, epoch) + 1
        world.persist(.polled(epoch: polledEpoch))
        cancelSave(&world)
        laterRequests.removeAll()
        var expected: UInt64 = 0
        for index in members.indices where members[index].state == .member { expected |= 1 << UInt64(index) }
        polling = Polling(epoch: polledEpoch, expected: expected,
                          answers: [Polling.Answer](repeating: Polling.Answer(), count: Limits.maximumNodes),
                          resendAt: now + Self.pollInterval, graceEnd: now + Self.grace)
        world.notify(.polling(epoch: polledEpoch, reason))
        sendPoll(&world)
        proceed(now, &world)
    }

    static let pollInterval: UInt64 = 10 * Tuning.millisecond
    /// How long newer records are waited for once all answers are in.
    static let recordPatience: UInt64 = 300 * Tuning.millisecond

    private mutating func sendPoll<World: ArbiterWorld & ~Copyable>(_ world: inout World) {
        send(Poll(epoch: polledEpoch, saved: saved), to: .everyone, &world)
    }

    mutating func receivePollAnswer<World: ArbiterWorld & ~Copyable>(_ header: FrameHeader, _ frame: RawSpan,
                                                                     _ now: UInt64, _ world: inout World) -> Bool {
        guard let answer = PollAnswer.parse(frame) else { return false }
        let index = header.sender.index
        guard header.epoch == epoch else {
            sendOpen(to: header.sender, &world)
            return true
        }
        guard var current = polling, answer.epoch == current.epoch, current.expected & header.sender.bit != 0
        else { return true }
        if current.answers[index].pieces.count != Int(answer.count) {
            current.answers[index].pieces = [Bool](repeating: false, count: Int(answer.count))
            current.holders.removeAll { $0.station == header.sender }
        }
        guard !current.answers[index].pieces[Int(answer.index)] else { return true }
        current.answers[index].pieces[Int(answer.index)] = true
        current.answers[index].applied = answer.applied
        for place in 0..<Int(answer.holdings) {
            let holding = PollAnswer.holding(at: place, of: frame)
            current.holders.append(Holders.Holder(page: holding.page, version: holding.version, station: header.sender))
        }
        if current.answers[index].pieces.allSatisfy({ $0 }) { current.answered |= header.sender.bit }
        polling = current
        proceed(now, &world)
        return true
    }

    /// Goes on with the poll: resends, waits for records, and opens.
    mutating func proceed<World: ArbiterWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        guard let current = polling else { return }
        if !current.isComplete {
            if current.resendAt <= now {
                polling?.resendAt = now + Self.pollInterval
                sendPoll(&world)
            }
            guard now >= current.graceEnd else { return }
            // Nobody at all answers: then it is the arbiter that is cut off, and it opens nothing alone [P9].
            guard current.answered != 0 else {
                polling?.graceEnd = now + Self.grace
                return
            }
        }
        guard haveRecords(current, now, &world) else { return }
        open(now, &world)
    }

    /// Whether the arbiter has applied what the answering nodes have; asks for it otherwise.
    private mutating func haveRecords<World: ArbiterWorld & ~Copyable>(_ current: Polling, _ now: UInt64,
                                                                       _ world: inout World) -> Bool {
        var newest = GlobalTime.zero
        var station = Station.nobody
        for index in members.indices where current.answered & (1 << UInt64(index)) != 0 {
            if current.answers[index].applied.counter > newest.counter {
                newest = current.answers[index].applied
                station = Station(UInt8(index + 1))
            }
        }
        guard newest.counter > applied.counter else { return true }
        guard let until = current.recordsUntil else {
            polling?.recordsUntil = now + Self.recordPatience + patience.wait(0, tuning)
            // Who was asked before the poll may be dead.
            gap = CatchUp()
            hearOf(newest.counter, from: station, at: now)
            retryGap(now, &world)
            return false
        }
        return now >= until
    }

    private mutating func open<World: ArbiterWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        guard let current = polling else { return }
        let known = Holders(current.holders)
        let time = newestProducible(known)
        let record = EpochRecord(epoch: current.epoch, opened: time)
        world.persist(.opened(record))
        let undone = applied.counter - time.counter
        undo(after: time, &world)
        chain.insert(record, at: 0)
        if chain.count > 4 * Limits.maximumChain { chain.removeLast() }
        holders = known
        holders.removeAll { $0.version <= held || $0.version > time }
        polling = nil
        gap = CatchUp()
        let answered = members.indices.first {
            current.answered & (1 << UInt64($0)) != 0 && members[$0].state == .member
        }
        isTokenFree = answered == nil
        grantee = answered.map { Station(UInt8($0 + 1)) } ?? .nobody
        granteeIncarnation = answered.map { members[$0].incarnation } ?? 0
        tokenHolder = grantee
        tokenEvidenceAt = now
        tokenNumber = 0
        world.notify(.opened(record, undone: undone))
        sendOpen(to: .everyone, &world)
        openAgain = 3
        openAgainAt = now + Self.pollInterval
        saveAt = now
        beginSave(now, &world)
        if let reason = nextReason {
            nextReason = nil
            beginPoll(reason, now, &world)
        }
    }

    /// The newest time at which every page is in the image or at a node that has answered [P11].
    private func newestProducible(_ holders: Holders) -> GlobalTime {
        var isLost = [Bool](repeating: false, count: latest.count)
        var lost = 0
        var best = held
        var counter = held.counter + 1
        while counter <= applied.counter, let entry = log.entry(counter) {
            for place in 0..<entry.total {
                let page = log.page(place, of: entry)
                guard Int(page.index) < latest.count else { continue }
                let isGone = holders.station(of: page, entry.time) == nil
                if isGone != isLost[Int(page.index)] {
                    isLost[Int(page.index)] = isGone
                    lost += isGone ? 1 : -1
                }
            }
            if lost == 0 { best = entry.time }
            counter += 1
        }
        return best
    }

    /// Takes back what was committed after `time`. All records up to it are here, but of what came later some may be
    /// gone from a log that was overrun: so every page goes back to the image first.
    private mutating func undo<World: ArbiterWorld & ~Copyable>(after time: GlobalTime, _ world: inout World) {
        var counter = time.counter + 1
        while counter <= applied.counter {
            if let entry = log.entry(counter) { world.notify(.undone(entry.time, by: entry.committer)) }
            counter += 1
        }
        log.removeAll(after: time)
        for index in latest.indices where latest[index].version > imageVersions[index] {
            latest[index] = PageRecord()
            latest[index].version = imageVersions[index]
        }
        counter = held.counter + 1
        while counter <= time.counter, let entry = log.entry(counter) {
            for place in 0..<entry.total where Int(log.page(place, of: entry).index) < latest.count {
                let index = Int(log.page(place, of: entry).index)
                latest[index].version = entry.time
                latest[index].owner = entry.committer
            }
            counter += 1
        }
        applied = time
    }

    /// Announces the newest epoch with its chain.
    mutating func sendOpen<World: ArbiterWorld & ~Copyable>(to target: Station, _ world: inout World) {
        let count = min(chain.count, chainLimit)
        let message = Open(saved: saved, grantee: grantee, granteeIncarnation: granteeIncarnation,
                           count: UInt16(count))
        let header = endpoint.nextHeader(.open, to: target, payloadBytes: message.byteCount, epoch: epoch,
                                         applied: applied)
        let key = endpoint.key
        _ = world.transmit(Limits.headerBytes + message.byteCount) { [chain] frame in
            message.emit(into: &frame)
            for place in 0..<count { Open.store(chain[place], at: place, into: &frame) }
            header.emit(into: &frame, key: key)
        }
    }
}
