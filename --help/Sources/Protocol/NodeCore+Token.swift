import Planted
import Wire

extension NodeCore {
    /// Makes sure that the token is on its way here.
    mutating func wantToken<World: NodeWorld & ~Copyable>(isUrgent: Bool, _ now: UInt64, _ world: inout World) {
        token.isWanted = true
        guard !token.isHeld, !token.isAsked, !isFrozen else { return }
        token.isAsked = true
        token.requestTries = 0
        token.triesInSilence = 0
        askForToken(isUrgent: isUrgent, now, &world)
    }

    private mutating func askForToken<World: NodeWorld & ~Copyable>(isUrgent: Bool, _ now: UInt64,
                                                                    _ world: inout World) {
        let request = TokenRequest(requester: station, requesterIncarnation: endpoint.incarnation, hops: 0,
                                   isUrgent: isUrgent)
        let isKnown = token.holder.isNode && token.holder != station && token.requestTries < 2
        token.requestTries = min(token.requestTries + 1, 100)
        token.triesInSilence = min(token.triesInSilence + 1, 100)
        token.requestDeadline = planted(92) ? .max : now + patience.wait(token.requestTries, tuning)
        send(request, to: isKnown ? token.holder : .everyone, &world)
        if token.triesInSilence > tuning.triesUntilMissing {
            send(Missing(thing: .token, detail: UInt64(token.number)), to: .arbiter, &world)
        }
    }

    mutating func retryToken<World: NodeWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        if token.isAsked && !isFrozen && token.requestDeadline <= now {
            askForToken(isUrgent: transaction.losses >= tuning.lossesUntilUrgent, now, &world)
        }
        if !planted(43), var grant = token.grant, !isFrozen, grant.deadline <= now {
            if planted(42), grant.tries >= 3 {
                token.isHeld = true
                token.grant = nil
                return
            }
            grant.tries = min(grant.tries + 1, 100)
            grant.deadline = now + patience.wait(grant.tries, tuning)
            // An epoch has one incarnation of a node at most [P15]: one that is newer is the one that was meant.
            grant.targetIncarnation = max(grant.targetIncarnation, endpoint.incarnation(of: grant.target))
            token.grant = grant
            // The way to the grantee may be cut: the arbiter passes the identical grant on.
            let isPassedOn = grant.tries >= Self.triesUntilPassedOn && grant.tries % 2 == 0
            sendGrant(grant, to: isPassedOn ? .arbiter : grant.target, &world)
        }
    }

    static let triesUntilPassedOn: UInt8 = 2

    mutating func takeToken<World: NodeWorld & ~Copyable>(_ number: UInt32, time: GlobalTime, _ now: UInt64,
                                                          _ world: inout World) {
        token.isHeld = true
        token.number = number
        token.time = max(token.time, time)
        token.holder = station
        token.isAsked = false
        token.requestDeadline = .max
        token.grant = nil
        token.takenAt = now
        world.record(.tokenTaken(number: number))
    }

    mutating func receiveTokenRequest<World: NodeWorld & ~Copyable>(_ frame: RawSpan, _ now: UInt64,
                                                                    _ world: inout World) -> Bool {
        guard let request = TokenRequest.parse(frame) else { return false }
        guard !isFrozen, request.requester != station,
            request.requesterIncarnation >= endpoint.incarnation(of: request.requester)
        else { return true }
        endpoint.retire(request.requester, below: request.requesterIncarnation)
        if token.isHeld {
            if request.isUrgent {
                token.queue.prepend(request.requester)
            } else {
                token.queue.append(request.requester)
            }
            considerGrant(now, &world)
        } else if !planted(43), let grant = token.grant, grant.target == request.requester {
            sendGrant(grant, to: grant.target, &world)
        } else if token.holder.isNode, token.holder != request.requester, token.holder != station, request.hops < 4 {
            var passed = request
            passed.hops += 1
            send(passed, to: token.holder, &world)
        }
        return true
    }

    /// Hands the token to the next in the queue, unless this node still needs it.
    mutating func considerGrant<World: NodeWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        guard token.isHeld, !isFrozen, token.queue.count > 0, !keepsToken(now) else { return }
        let target = token.queue.removeFirst()
        let incarnation = endpoint.incarnation(of: target)
        guard target != station, incarnation > 0 else { return considerGrant(now, &world) }
        token.isHeld = planted(40)
        // The numbers have run out: the token is given up, and begins anew with the epoch that opens for want of it.
        guard token.number < .max else { return }
        token.number += 1
        token.holder = target
        let grant = Token.Grant(number: token.number, target: target, targetIncarnation: incarnation,
                                time: max(applied, token.time), queue: token.queue,
                                deadline: now + patience.wait(0, tuning), tries: 0)
        token.queue = TokenQueue()
        token.grant = grant
        world.record(.tokenGranted(number: grant.number, to: target))
        sendGrant(grant, to: target, &world)
        if token.isWanted {
            token.isAsked = true
            token.requestTries = 0
            token.triesInSilence = 0
            token.requestDeadline = planted(92) ? .max : now + patience.wait(0, tuning)
        }
    }

    private func keepsToken(_ now: UInt64) -> Bool {
        if transaction.isCommitting { return true }
        return transaction.isBusy && now < holdEnd
    }

    /// Until when a node that runs transactions keeps the token although others wait.
    var holdEnd: UInt64 {
        let hold = token.isWanted && !planted(63) ? patience.atLeast(4, tuning.wantedHold) : patience.atLeast(1, tuning.tokenHold)
        let end = token.takenAt + hold
        return transaction.isRunning ? max(end, transaction.urgentUntil) : end
    }

    /// A page has come for a transaction that keeps the token until it commits: it moves, however long the way is
    /// [P25].
    mutating func prolongHold(_ now: UInt64) {
        guard transaction.isRunning, transaction.urgentUntil > now else { return }
        transaction.urgentUntil = now + patience.atLeast(8, tuning.urgentHold)
    }

    /// Sends a grant, with the records of the last commits so that the target need not catch up.
    private mutating func sendGrant<World: NodeWorld & ~Copyable>(_ grant: Token.Grant, to receiver: Station,
                                                                  _ world: inout World) {
        let (first, bytes) = recentRecords()
        let log = log
        let last = applied.counter
        var queue = grant.queue
        if token.isWanted { queue.append(station) }
        let message = TokenGrant(number: grant.number, target: grant.target, targetIncarnation: grant.targetIncarnation,
                                 time: grant.time, queue: queue, recordBytes: bytes)
        send(.tokenGrant, byteCount: message.byteCount, to: receiver, &world) { frame in
            message.emit(into: &frame)
            var offset = TokenGrant.recordsOffset
            var counter = first
            while counter <= last, let entry = log.entry(counter) {
                let piece = log.piece(0, of: entry)
                log.emit(piece, of: entry, into: &frame, at: offset)
                offset += piece.byteCount
                counter += 1
            }
        }
    }

    /// The first of the last few one-piece records that fit into a grant, and their bytes together.
    private func recentRecords() -> (first: UInt64, bytes: Int) {
        var first = applied.counter + 1
        var bytes = 0
        var pages = 0
        while first > 1, applied.counter + 1 - first < UInt64(Limits.grantRecords), let entry = log.entry(first - 1),
            pages + entry.total <= Limits.grantPages {
            pages += entry.total
            bytes += RecordPiece.headBytes + 4 * entry.total
            first -= 1
        }
        return (first, bytes)
    }

    mutating func receiveTokenGrant<World: NodeWorld & ~Copyable>(_ header: FrameHeader, _ frame: RawSpan,
                                                                  _ now: UInt64, _ world: inout World) -> Bool {
        guard let grant = TokenGrant.parse(frame) else { return false }
        guard receiveRecords(frame, at: TokenGrant.recordsOffset) else { return false }
        guard grant.target == station, planted(46) || grant.targetIncarnation == endpoint.incarnation, !isFrozen else { return true }
        guard planted(41) || grant.number > token.number, !token.isHeld else {
            // The grantor has not heard that the grant arrived.
            sendHeartbeat(to: header.sender, &world)
            return true
        }
        takeToken(grant.number, time: grant.time, now, &world)
        token.queue = grant.queue
        token.queue.remove(station)
        if grant.time > applied { hearOf(grant.time.counter, from: header.sender, at: now) }
        return true
    }

    mutating func receiveHeartbeat<World: NodeWorld & ~Copyable>(_ header: FrameHeader, _ frame: RawSpan,
                                                                 _ world: inout World) -> Bool {
        guard let heartbeat = Heartbeat.parse(frame) else { return false }
        if header.sender == .arbiter { save(planted(2) ? header.applied : heartbeat.saved, &world) }
        if heartbeat.holdsToken && heartbeat.tokenNumber >= token.number && !token.isHeld {
            token.holder = header.sender
            token.triesInSilence = 0
        }
        noteToken(heartbeat.tokenNumber, from: header.sender)
        return true
    }

    /// Evidence that the token with this number is (or was) at `station`.
    mutating func noteToken(_ number: UInt32, from station: Station) {
        if let grant = token.grant, number > grant.number || (number == grant.number && station == grant.target) {
            token.grant = nil
        }
    }

    mutating func sendHeartbeat<World: NodeWorld & ~Copyable>(to target: Station, claimsToken: Bool,
                                                               _ world: inout World) {
        send(Heartbeat(saved: saved, tokenNumber: token.number, holdsToken: claimsToken), to: target, &world)
    }

    /// As an answer: then somebody is heard.
    mutating func sendHeartbeat<World: NodeWorld & ~Copyable>(to target: Station, _ world: inout World) {
        sendHeartbeat(to: target, claimsToken: token.isHeld, &world)
    }
}
