import Planted
import Wire

extension Arbiter {
    mutating func receivePageRequest<World: ArbiterWorld & ~Copyable>(_ header: FrameHeader, _ frame: RawSpan,
                                                                      _ now: UInt64, _ world: inout World) -> Bool {
        guard let request = PageRequest.parse(frame), Int(request.page.index) < latest.count,
            request.requester == header.sender, request.wanted == .zero
        else { return false }
        guard polling == nil else { return true }
        guard planted(67) || applied >= request.applied else {
            if laterRequests.count < Self.laterLimit { laterRequests.append(request) }
            hearOf(request.applied.counter, from: request.requester, at: now)
            return true
        }
        serve(request, &world)
        return true
    }

    mutating func serveLater<World: ArbiterWorld & ~Copyable>(_ now: UInt64, _ world: inout World) {
        guard polling == nil, !laterRequests.isEmpty else { return }
        let due = laterRequests.filter { $0.applied <= applied }
        laterRequests.removeAll { $0.applied <= applied }
        for request in due { serve(request, &world) }
    }

    private mutating func serve<World: ArbiterWorld & ~Copyable>(_ request: PageRequest, _ world: inout World) {
        for distance in 0..<Int(request.count) {
            let page = PageNumber(request.page.index + UInt32(distance))
            guard Int(page.index) < latest.count else { return }
            let record = latest[Int(page.index)]
            if planted(71) || record.version == imageVersions[Int(page.index)] {
                sendPage(page, record.version, nil, request, &world)
            } else if let handle = gatheredHandle(of: page, record.version) {
                sendPage(page, record.version, handle, request, &world)
            } else if distance == 0 {
                // Who has it need not be who made it: that node may be dead, and its commit alive by a copy.
                let holder = holder(of: page, record)
                guard holder.isNode, holder != request.requester else { continue }
                var passed = request
                passed.count = 1
                send(passed, to: holder, &world)
            } else {
                send(PageAbsent(nonce: request.nonce, page: page), to: request.requester, &world)
            }
        }
    }

    private mutating func sendPage<World: ArbiterWorld & ~Copyable>(
        _ page: PageNumber, _ version: GlobalTime, _ handle: FrameHandle?, _ request: PageRequest, _ world: inout World
    ) {
        let key = endpoint.key
        PagePieces.split(page, version, nonce: request.nonce, maximumFrame: world.maximumFrameBytes) { reply in
            let header = endpoint.nextHeader(.pageReply, to: request.requester, payloadBytes: reply.byteCount,
                                             epoch: epoch, applied: applied)
            let content = PageContent(page: page, handle: handle, offset: Int(reply.offset), count: Int(reply.length))
            _ = world.transmit(Limits.headerBytes + reply.byteCount, content, at: PageReply.dataOffset) { frame in
                reply.emit(into: &frame)
                header.emit(into: &frame, key: key)
            }
        }
    }
}
