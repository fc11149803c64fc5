import Protocol
import Wire

/// Checks that need to know what was done to the cluster.
extension Simulation {
    /// A station has let a frame in: it must be sound, and new to it. Frames of the handshake are guarded by nonces.
    func checkAdmission(_ frame: Frame, at station: UInt8, life: Int) {
        if frame.isForged { checker.fail(.admission, "\(name(station)) let a forged frame in: \(describe(frame))") }
        guard frame.bytes[17] > FrameHeader.Kind.joinRefusal.rawValue else { return }
        if !frame.admit(at: station, life: life) {
            checker.fail(.admission, "\(name(station)) let a frame in twice: \(describe(frame))")
        }
    }

    /// Something happened after which pages, records or the token may be missing.
    func disturb() { lastDisturbance = now }

    /// Whether nothing can be missing but frames: since the last epoch began, nobody failed or was cut off.
    private var isUndisturbed: Bool {
        network.isWhole && !mutes.contains(where: \.isLong) && lastDisturbance < lastOpening
            && arbiter.pausedUntil <= now && nodes.allSatisfy { $0.isAlive && $0.pausedUntil <= now }
    }

    func checkPoll(_ reason: ArbiterNotice.Reason, at time: UInt64) {
        // Nothing is lost any more and everyone had time to come back: then nothing can be missing.
        let isCalm = (phase == .recovery || phase == .settling)
            && now > calmAt + Scenario.needlessEpoch + scenario.slowness
        if isCalm || scenario.isPeaceful { checker.fail(.needless, "an epoch because of \(reason)") }
        switch reason {
        case .tokenMissing, .recordMissing, .pageMissing:
            if isUndisturbed {
                checker.fail(.needless, "an epoch because of \(reason), and nothing happened since the last")
            }
        case .restarted(let station):
            // It is where the arbiter thought it was, so it did not ask to come in. An arbiter that was killed
            // meanwhile does not know which answer it has accepted already.
            let node = nodes[station.index]
            if node.isAlive, node.core.phase == .member, admittedBy[station.index] == arbiter.life,
                node.core.endpoint.incarnation == arbiter.core.member(station).incarnation {
                checker.fail(.needless, "an epoch because of \(reason), which did not restart")
            }
        case .died, .interrupted, .nobodyLeft: break
        }
        if scenario.memory.preImages == Scenario.Memory().preImages { checkHoldings() }
        pollUnderWay = PollUnderWay(since: time, applied: arbiter.core.applied)
    }

    /// What is known of the poll under way.
    struct PollUnderWay {
        var since: UInt64
        /// How far the arbiter had come when it began.
        var applied: GlobalTime
        /// Whose answers reached the arbiter.
        var heard: [Station] = []
    }

    func isMember(_ node: SimulatedNode, _ incarnation: UInt32) -> Bool {
        let member = arbiter.core.member(node.station)
        return node.isAlive && node.core.phase == .member && node.core.endpoint.incarnation == incarnation
            && member.state == .member && member.incarnation == incarnation
    }

    func checkOpening(_ record: EpochRecord) {
        defer { lastOpening = now }
        guard let poll = pollUnderWay else { return }
        pollUnderWay = nil
        let members = nodes.filter { isMember($0, $0.core.endpoint.incarnation) }
        // An arbiter that nobody answers is cut off itself [P9].
        if poll.heard.isEmpty, !members.isEmpty {
            checker.fail(.epoch, "epoch \(record.epoch) opened by an arbiter that heard nobody")
        }
        checkPatience(record, poll)
        checkHoldings()
        checkUndone(record, poll, members)
    }

    /// What the living have committed and the arbiter has heard of is not undone, up to the first commit of someone who
    /// is gone [P11]. Only where the poll surely reached everyone, and nobody had to forget for want of memory.
    private func checkUndone(_ record: EpochRecord, _ poll: PollUnderWay, _ members: [SimulatedNode]) {
        guard scenario.memory.preImages == Scenario.Memory().preImages, scenario.layout.bulk == 0,
            network.isWhole, mutes.isEmpty, lastCut < poll.since, scenario.lossPerMille < 100,
            nodes.allSatisfy({ $0.pausedUntil < poll.since }), arbiter.pausedUntil < poll.since
        else { return }
        guard let first = checker.firstCommit(after: record.opened, upTo: poll.applied) else { return }
        let node = nodes[Int(first.node.number) - 1]
        if isMember(node, first.incarnation) {
            checker.fail(.needless, "epoch \(record.epoch) undid \(checker.describe(first.time.raw)), "
                + "and n\(first.node.number), who made it, lives")
        }
    }
}
