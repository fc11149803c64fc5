import Planted
import Wire

extension NodeCore {
    /// Begins to join the cluster.
    public mutating func start<World: NodeWorld & ~Copyable>(now: UInt64, _ world: inout World) {
        askToJoin(now, &world)
    }

    mutating func askToJoin<World: NodeWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        join.tries &+= 1
        join.deadline = planted(91) ? .max : now + min(tuning.retryMaximum, tuning.retry * UInt64(min(join.tries, 8)))
        send(JoinRequest(nonce: join.nonce, build: build), to: .arbiter, &world)
    }

    mutating func receiveJoin<World: NodeWorld & ~Copyable>(_ header: FrameHeader, _ frame: RawSpan, _ now: UInt64,
                                                            _ world: inout World) {
        guard header.sender == .arbiter, phase == .joining else { return }
        switch header.kind {
        case .joinChallenge:
            guard let challenge = JoinChallenge.parse(frame), challenge.nonce == join.nonce else { return }
            send(JoinAnswer(nonce: join.nonce, challenge: challenge.challenge, build: build), to: .arbiter, &world)
        case .joinAccept:
            guard let accept = JoinAccept.parse(frame), planted(48) || accept.nonce == join.nonce,
                Int(accept.sharedPages) == pages.count
            else { return }
            enter(accept, now, &world)
        case .joinRefusal:
            guard let refusal = JoinRefusal.parse(frame), refusal.nonce == join.nonce else { return }
            phase = .refused(refusal.reason)
            world.record(.refused(refusal.reason))
        default: break
        }
    }

    private mutating func enter<World: NodeWorld & ~Copyable>(_ accept: JoinAccept, _ now: UInt64,
                                                              _ world: inout World) {
        endpoint.restart(incarnation: accept.incarnation)
        phase = .member
        isPrimary = accept.isPrimary
        epoch = accept.epoch
        frozenFor = accept.epoch
        applied = accept.applied
        saved = max(saved, accept.saved)
        token = Token()
        token.holder = accept.tokenHolder
        if accept.tokenNumber > 0 { takeToken(accept.tokenNumber, time: accept.applied, now, &world) }
        gap = CatchUp()
        askStrictAgain()
        heartbeatAt = now
        reportAt = now
        world.record(.joined(incarnation: accept.incarnation, applied: accept.applied))
    }

    /// The arbiter says that this incarnation is out: it was taken for dead, or another one has taken its place.
    mutating func receiveDismissal<World: NodeWorld & ~Copyable>(_ header: FrameHeader, _ frame: RawSpan,
                                                                 _ now: UInt64, _ world: inout World) -> Bool {
        guard let refusal = JoinRefusal.parse(frame), header.sender == .arbiter else { return false }
        if !planted(59) && refusal.reason == .removed && refusal.nonce == UInt64(endpoint.incarnation) { rejoin(now, &world) }
        return true
    }

    /// Frames that fail authentication while joining most likely mean that the key is another cluster's.
    mutating func warnOfKey<World: NodeWorld & ~Copyable>(_ world: inout World) {
        guard phase == .joining, !join.hasWarned, endpoint.unauthentic >= 2 else { return }
        join.hasWarned = true
        world.record(.keyMismatch)
    }

    /// Gives everything up and joins anew, as a node does that fell too far behind to catch up.
    mutating func rejoin<World: NodeWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        world.record(.rejoining)
        doomTransaction(&world)
        if !planted(61) { dropPages(after: .zero, &world) }
        cancelFetches(&world)
        preImages.remove(where: { _ in true }) { world.discard($0.handle) }
        log.removeAll()
        token = Token()
        gap = CatchUp()
        phase = .joining
        isReady = false
        endpoint.restart(incarnation: 0)
        world.rollback(to: saved)
        awaited = nil
        applied = .zero
        pledged = .zero
        frozenFor = epoch
        join = Join(nonce: nextNonce())
        askToJoin(now, &world)
    }
}
