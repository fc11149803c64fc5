import Wire

extension NodeCore {
    /// When `tick` wants to be called, at the latest.
    public var deadline: UInt64 {
        switch phase {
        case .joining: return join.deadline
        case .refused: return .max
        case .member: break
        }
        var next = min(heartbeatAt, reportAt, strict.deadline)
        for fetch in fetches where fetch.state == .asked { next = min(next, fetch.deadline) }
        guard !isFrozen else { return next }
        // An own commit may have closed the gap, where another station's word of it was wrong.
        if gap.counter > applied.counter { next = min(next, gap.deadline) }
        if token.isAsked { next = min(next, token.requestDeadline) }
        if let grant = token.grant { next = min(next, grant.deadline) }
        if token.isHeld && token.queue.count > 0 && !transaction.isCommitting { next = min(next, holdEnd) }
        return next
    }

    /// Time has passed.
    public mutating func tick<World: NodeWorld & ~Copyable>(now: UInt64, _ world: inout World) {
        switch phase {
        case .joining:
            if join.deadline <= now { askToJoin(now, &world) }
            return
        case .refused: return
        case .member: break
        }
        retryFetches(now, &world)
        retryToken(now, &world)
        retryGap(now, &world)
        considerGrant(now, &world)
        if strict.deadline <= now {
            strict.deadline = now + patience.wait(0, tuning)
            send(StrictRead(nonce: strict.nonce), to: .arbiter, &world)
        }
        if heartbeatAt <= now {
            heartbeatAt = now + tuning.heartbeat
            // Who has heard nobody for nine signs of life claims no token [P29].
            sendHeartbeat(to: .everyone, claimsToken: token.isHeld && now - heardAt <= Tuning.nineSigns, &world)
        }
        if reportAt <= now {
            reportAt = now + tuning.report
            sendReport(&world)
        }
    }

    /// Tells the arbiter this node's counters.
    public mutating func sendReport<World: NodeWorld & ~Copyable>(_ world: inout World) {
        var all = counters
        all.framesSent = endpoint.sent
        all.framesReceived = endpoint.received
        all.framesRejected = endpoint.rejected
        all.framesUnauthentic = endpoint.unauthentic
        send(Report(counters: all, isReady: isReady), to: .arbiter, &world)
    }
}
