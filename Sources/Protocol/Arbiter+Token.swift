import Wire

extension Arbiter {
    /// Passes a request for the token on, as nodes do: its holder may not hear who asks [P29].
    mutating func passOnRequest<World: ArbiterWorld & ~Copyable>(_ header: FrameHeader, _ frame: RawSpan,
                                                                 _ world: inout World) -> Bool {
        guard var request = TokenRequest.parse(frame) else { return false }
        guard polling == nil, header.epoch == epoch, request.hops == 0, header.sender == request.requester,
            tokenHolder.isNode, tokenHolder != request.requester, members[tokenHolder.index].state == .member
        else { return true }
        request.hops = 1
        send(request, to: tokenHolder, &world)
        return true
    }

    /// Passes a grant on as it is, from a node that cannot reach the grantee itself: a grant is its number, target,
    /// incarnation and time, and who carries it does not matter [P14].
    mutating func passOnGrant<World: ArbiterWorld & ~Copyable>(_ header: FrameHeader, _ frame: RawSpan,
                                                               _ world: inout World) -> Bool {
        guard let grant = TokenGrant.parse(frame), grant.target.isNode else { return false }
        guard polling == nil, header.epoch == epoch, members[grant.target.index].state == .member,
            members[grant.target.index].incarnation == grant.targetIncarnation
        else { return true }
        let byteCount = grant.byteCount
        let key = endpoint.key
        let passed = endpoint.nextHeader(.tokenGrant, to: grant.target, payloadBytes: byteCount, epoch: epoch,
                                         applied: applied)
        _ = world.transmit(Limits.headerBytes + byteCount) { copy in
            copy.copy(frame, from: Payload.at(0), count: byteCount, to: Payload.at(0))
            passed.emit(into: &copy, key: key)
        }
        return true
    }
}
