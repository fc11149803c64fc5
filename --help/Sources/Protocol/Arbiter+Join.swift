import Planted
import Wire

extension Arbiter {
    mutating func receiveJoin<World: ArbiterWorld & ~Copyable>(_ header: FrameHeader, _ frame: RawSpan, _ now: UInt64,
                                                               _ world: inout World) {
        let index = header.sender.index
        switch header.kind {
        case .joinRequest:
            guard let request = JoinRequest.parse(frame) else { return endpoint.reject() }
            guard refuse(request.nonce, request.build, header.sender, &world) == false else { return }
            if planted(50) { return admit(header.sender, request.nonce, now, &world) }
            if members[index].joinNonce != request.nonce || members[index].challenge == 0 {
                members[index].joinNonce = request.nonce
                members[index].challenge = world.randomNumber() | 1
            }
            send(JoinChallenge(nonce: request.nonce, challenge: members[index].challenge), to: header.sender, &world)
        case .joinAnswer:
            guard let answer = JoinAnswer.parse(frame), answer.nonce == members[index].joinNonce,
                answer.challenge == members[index].challenge, members[index].challenge != 0
            else { return endpoint.reject() }
            guard refuse(answer.nonce, answer.build, header.sender, &world) == false else { return }
            admit(header.sender, answer.nonce, now, &world)
        default: endpoint.reject()
        }
    }

    private mutating func refuse<World: ArbiterWorld & ~Copyable>(
        _ nonce: UInt64, _ joiner: BuildIdentifier, _ node: Station, _ world: inout World
    ) -> Bool {
        guard joiner != build else { return false }
        send(JoinRefusal(nonce: nonce, reason: .build, build: build), to: node, &world)
        world.notify(.refused(node, .build, build: joiner))
        return true
    }

    private mutating func admit<World: ArbiterWorld & ~Copyable>(_ node: Station, _ nonce: UInt64, _ now: UInt64,
                                                                 _ world: inout World) {
        let index = node.index
        // The accept was lost, or this answer is a late copy of one that was heard before.
        if members[index].state == .member, members[index].admittedNonce == nonce {
            if !planted(53) { return acceptAgain(node, &world) }
        }
        // A new boot proves the old incarnation dead; what only that held is given up first [P15].
        if members[index].state == .member {
            return bury(node, .restarted(node), now, &world)
        }
        guard polling == nil else { return }
        lastIncarnation += 1
        let accept = JoinAccept(
            nonce: nonce, incarnation: lastIncarnation, epoch: epoch, applied: applied, saved: saved,
            sharedPages: UInt32(latest.count), tokenHolder: isTokenFree ? node : tokenHolder,
            tokenNumber: isTokenFree ? 1 : 0, isPrimary: isTokenFree && applied.counter == 0)
        if !planted(49) { world.persist(.admitted(node, incarnation: lastIncarnation)) }
        if isTokenFree {
            isTokenFree = false
            tokenHolder = node
            tokenEvidenceAt = now
        }
        endpoint.retire(node, below: lastIncarnation)
        members[index].state = .member
        members[index].incarnation = lastIncarnation
        members[index].lastHeard = now
        members[index].applied = applied
        members[index].accept = accept
        members[index].admittedNonce = nonce
        members[index].isReady = false
        members[index].counters = Counters()
        send(accept, to: node, &world)
        world.notify(.joined(node, incarnation: lastIncarnation))
    }

    /// Sends the accept of a member again: the identical one, or one for the epoch that was opened since. It gives the
    /// token only where this epoch's first grant is the node's anyway.
    private mutating func acceptAgain<World: ArbiterWorld & ~Copyable>(_ node: Station, _ world: inout World) {
        guard var accept = members[node.index].accept else { return }
        if accept.epoch != epoch {
            let isGrantee = grantee == node && granteeIncarnation == accept.incarnation
            accept.epoch = epoch
            accept.applied = applied
            accept.saved = saved
            accept.tokenHolder = tokenHolder
            accept.tokenNumber = isGrantee || planted(52) ? 1 : 0
            accept.isPrimary = isGrantee && applied == .zero
            members[node.index].accept = accept
        }
        send(accept, to: node, &world)
    }

    /// Tells a station that its incarnation does not belong to the cluster any more.
    mutating func dismiss<World: ArbiterWorld & ~Copyable>(_ node: Station, _ incarnation: UInt32, _ now: UInt64,
                                                           _ world: inout World) {
        guard !planted(60), now >= dismissAt, node.isNode else { return }
        dismissAt = now + tuning.epochHint
        send(JoinRefusal(nonce: UInt64(incarnation), reason: .removed, build: build), to: node, &world)
    }

    /// The host knows that the node's machine is gone.
    public mutating func died<World: ArbiterWorld & ~Copyable>(_ node: Station, now: UInt64, _ world: inout World) {
        guard node.isNode, members[node.index].state == .member else { return }
        bury(node, .died(node), now, &world)
    }

    /// What only this node had is lost: an epoch opens. It is begun, durably, before the death is: an arbiter that is
    /// killed in between must never find nobody left, and hand the token out in an epoch where the dead has committed.
    private mutating func bury<World: ArbiterWorld & ~Copyable>(_ node: Station, _ reason: ArbiterNotice.Reason,
                                                                _ now: UInt64, _ world: inout World) {
        members[node.index].state = .dead
        members[node.index].isReady = false
        // A recorded answer to this challenge admits nobody any more.
        members[node.index].challenge = 0
        if planted(62) { world.persist(.died(node)) }
        if !planted(47) { beginPoll(reason, now, &world) }
        world.persist(.died(node))
    }
}
