import Protocol
import Wire

/// What a node said when it answered a poll [P4].
struct Promise {
    var incarnation: UInt32
    /// The epoch that was polled for.
    var epoch: UInt32
    var holdings: [Holding] = []
}

/// Promises that stations make with frames: seen on their way, and held against what the stations do.
extension Simulation {
    /// The token goes where it is of use: it does not hurry round and round without a commit [P24]. (Where the pages
    /// are behind a cut it does go round, slowly.)
    func checkGrant(_ frame: Frame, _ kind: FrameHeader.Kind?) {
        if kind == .commit { grantsInVain = 0 }
        let array = frame.bytes
        guard kind == .tokenGrant, let grant = TokenGrant.parse(array.span.bytes) else { return }
        let epoch = array.span.bytes.load(UInt32.self, at: 24)
        guard (epoch, grant.number) > newestGrant else { return }
        newestGrant = (epoch, grant.number)
        if grantsInVain == 0 { vainSince = now }
        grantsInVain += 1
        guard grantsInVain == Scenario.grantsInVain else { return }
        if now - vainSince < Scenario.vainTime {
            checker.fail(.storm, "the token has changed hands \(grantsInVain) times in "
                + "\((now - vainSince) / 1000) us without a commit")
        }
        grantsInVain = 0
    }

    /// Who has answered a poll stands still until the epoch is open: it neither commits nor grants nor serves.
    func checkPromise(_ frame: Frame, _ kind: FrameHeader.Kind?, from sender: UInt8) {
        guard sender != Station.arbiter.number else { return }
        let array = frame.bytes
        let bytes = array.span.bytes
        let incarnation = bytes.load(UInt32.self, at: 28)
        let index = Int(sender) - 1
        switch kind {
        case .pollAnswer:
            guard let answer = PollAnswer.parse(bytes) else { return }
            if promises[index]?.epoch != answer.epoch || promises[index]?.incarnation != incarnation {
                promises[index] = Promise(incarnation: incarnation, epoch: answer.epoch)
            }
            for place in 0..<Int(answer.holdings) {
                promises[index]?.holdings.append(PollAnswer.holding(at: place, of: bytes))
            }
        case .commit, .tokenGrant, .pageReply, .pageTrain:
            guard let promise = promises[index], promise.incarnation == incarnation,
                bytes.load(UInt32.self, at: 24) < promise.epoch
            else { return }
            checker.fail(.promise, "n\(sender) has answered the poll for epoch \(promise.epoch), and sends "
                + describe(frame))
        default: return
        }
    }

    /// Who named a version in its answer can produce it until it is saved, unless the epoch that was opened has undone
    /// it. Looked at when an epoch opens and, where nobody must forget for want of memory [P23], when the next poll
    /// begins.
    func checkHoldings() {
        let opening = checker.openings[checker.openings.count - 1]
        for node in nodes where node.isAlive && node.core.phase == .member {
            let index = Int(node.station.number) - 1
            guard let promise = promises[index], promise.incarnation == node.core.endpoint.incarnation,
                promise.epoch == opening.epoch
            else { continue }
            for holding in promise.holdings where holding.version.raw <= opening.time {
                guard holding.version > arbiter.core.saved, !node.core.holds(holding.page, holding.version)
                else { continue }
                checker.fail(.promise, "n\(index + 1) has named page \(holding.page.index) of "
                    + "\(checker.describe(holding.version.raw)) in its answer for epoch \(promise.epoch), "
                    + "and has it no more")
                return
            }
        }
    }

    /// Who stands still for a poll is freed by its epoch or by another poll, also when an arbiter was killed in between
    /// [P7].
    func checkPolls() {
        guard arbiter.isAlive, !arbiter.store.isDead, !arbiter.core.isPolling else { return }
        for (index, node) in nodes.enumerated() where node.isAlive && node.core.phase == .member && node.core.isFrozen {
            guard let promise = promises[index], promise.incarnation == node.core.endpoint.incarnation,
                promise.epoch > arbiter.core.epoch
            else { continue }
            checker.fail(.promise, "n\(index + 1) stands still for epoch \(promise.epoch), of which the arbiter in "
                + "epoch \(arbiter.core.epoch) knows nothing")
            return
        }
    }

    /// Silent nodes are waited for: as long after the poll began, or after the arbiter slept [P9].
    func checkPatience(_ record: EpochRecord, _ poll: PollUnderWay) {
        let silent = nodes.filter {
            arbiter.core.member($0.station).state == .member && !poll.heard.contains($0.station)
        }
        guard let first = silent.first else { return }
        let waited = now - max(poll.since, arbiterWoke)
        if waited < Scenario.patience {
            checker.fail(.epoch, "epoch \(record.epoch) opened without n\(first.station.number), which was waited for "
                + "\(waited / Scenario.millisecond) ms")
        }
    }

    /// An incarnation is given to one life of one node [P15].
    func checkIncarnation(_ node: SimulatedNode) {
        guard node.core.phase == .member else { return }
        let incarnation = node.core.endpoint.incarnation
        let index = Int(node.station.number) - 1
        guard incarnations[index].incarnation != incarnation else {
            if incarnations[index].life != node.life {
                checker.fail(.admission, "n\(index + 1) lives again as incarnation \(incarnation)")
            }
            return
        }
        if incarnation < incarnations[index].incarnation {
            checker.fail(.admission, "n\(index + 1) lives as incarnation \(incarnation) after "
                + "\(incarnations[index].incarnation)")
        }
        incarnations[index] = (incarnation, node.life)
    }
}
