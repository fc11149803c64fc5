import Testing
import Wire

@testable import Protocol

/// When a node that waits for the token tells the arbiter that it is missing [P25].
struct TokenTests {
    private static let holder = Station(2)

    /// Whether it does within two seconds, in which the supposed holder gives these signs of life.
    private func isMissed(_ sign: Heartbeat?) -> Bool {
        var world = QuietWorld()
        var arbiter = Sender(.arbiter)
        var core = NodeCore.joined(by: &arbiter, tokenHolder: Self.holder, &world)
        #expect(core.begin(now: 3, &world) && core.recordWrite(PageNumber(9)))
        #expect(core.commit(now: 4, &world) == .waiting)
        var other = Sender(Self.holder)
        for millisecond in 1...2000 as ClosedRange<UInt64> {
            let now = millisecond * Tuning.millisecond
            // Every other one is lost.
            if let sign, millisecond % 200 == 0 {
                core.receive(other.frame(sign, to: .everyone, epoch: 1).span.bytes, now: now, &world)
            }
            core.tick(now: now, &world)
        }
        #expect(world.kinds.contains(.tokenRequest) && !core.holdsToken)
        return world.kinds.contains(.missing)
    }

    @Test func whoHearsItsHolderDoesNotMissIt() {
        #expect(!isMissed(Heartbeat(saved: .zero, tokenNumber: 1, holdsToken: true)))
    }

    @Test func whoHearsNothingMissesIt() { #expect(isMissed(nil)) }

    @Test func whoHearsSomebodyElseMissesIt() {
        #expect(isMissed(Heartbeat(saved: .zero, tokenNumber: 1, holdsToken: false)))
    }

    /// Whoever hears nobody would be heard for ever by those who wait, if it went on claiming the token [P29].
    @Test func whoHearsNobodyClaimsNoToken() {
        var world = QuietWorld()
        var arbiter = Sender(.arbiter)
        var core = NodeCore.joined(by: &arbiter, tokenHolder: Self.holder, &world)
        var other = Sender(Self.holder)
        let grant = TokenGrant(number: 1, target: Station(1), targetIncarnation: 1, time: .zero, queue: TokenQueue(),
                               recordBytes: 0)
        core.receive(other.frame(grant, to: Station(1), epoch: 1).span.bytes, now: 3, &world)
        let beat = core.tuning.heartbeat
        var claims: [Bool] = []
        for count in 1...20 as ClosedRange<UInt64> {
            core.tick(now: count * beat, &world)
            claims.append(world.claimsToken)
        }
        #expect(claims == (1...20).map { $0 <= 9 })
        // Anybody will do.
        let sign = other.frame(Heartbeat(saved: .zero, tokenNumber: 0, holdsToken: false), to: .everyone, epoch: 1)
        core.receive(sign.span.bytes, now: 21 * beat, &world)
        core.tick(now: 21 * beat, &world)
        #expect(world.claimsToken)
    }

    /// Who commits with a token that it does not claim, because it hears nobody, keeps it from the others [P29].
    @Test(arguments: [true, false]) func commitsOfWhoClaimsNoTokenAreNoSignOfIt(claims: Bool) {
        let arbiter = AskingArbiter()
        for page in 1...20 as ClosedRange<UInt32> {
            arbiter.beat(claimsToken: claims)
            arbiter.commit([page])
            arbiter.answer(page)
            arbiter.pass(100 * Tuning.millisecond)
        }
        arbiter.missToken()
        #expect(arbiter.polls == (claims ? 0 : 1))
    }

    /// A request that the holder does not hear reaches it through the arbiter; from who passes one on itself, it does
    /// not [P29].
    @Test func theArbiterPassesARequestOn() {
        var world = QuietWorld()
        var core = Arbiter(cluster: Sender.cluster, key: Sender.key, build: Sender.build,
                           state: ArbiterState(sharedPages: 16), nonce: 1)
        core.start(now: 0, &world)
        var nodes = [Sender(Station(1)), Sender(Self.holder)]
        for place in nodes.indices {
            let (node, nonce) = (nodes[place].station, UInt64(place + 1))
            let request = nodes[place].frame(JoinRequest(nonce: nonce, build: Sender.build), to: .arbiter, epoch: 0)
            core.receive(request.span.bytes, now: nonce, &world)
            let answer = JoinAnswer(nonce: nonce, challenge: core.member(node).challenge, build: Sender.build)
            core.receive(nodes[place].frame(answer, to: .arbiter, epoch: 0).span.bytes, now: nonce, &world)
            nodes[place].incarnation = core.member(node).incarnation
        }
        let claim = Heartbeat(saved: .zero, tokenNumber: 1, holdsToken: true)
        core.receive(nodes[1].frame(claim, to: .everyone, epoch: 1).span.bytes, now: 3, &world)
        let request = TokenRequest(
            requester: Station(1), requesterIncarnation: nodes[0].incarnation, hops: 0, isUrgent: true)
        core.receive(nodes[0].frame(request, to: .everyone, epoch: 1).span.bytes, now: 4, &world)
        #expect(world.kinds.filter { $0 == .tokenRequest }.count == 1)
        let passed = world.sent.last.flatMap { TokenRequest.parse($0.span.bytes) }
        #expect(passed?.requester == Station(1) && passed?.hops == 1 && passed?.isUrgent == true)
        #expect(world.sent.last?[19] == Self.holder.number)
        core.receive(nodes[1].frame(request, to: .everyone, epoch: 1).span.bytes, now: 5, &world)
        var passedAround = request
        passedAround.hops = .max
        core.receive(nodes[0].frame(passedAround, to: .everyone, epoch: 1).span.bytes, now: 6, &world)
        #expect(world.kinds.filter { $0 == .tokenRequest }.count == 1)
    }
}

extension QuietWorld {
    /// Whether the last sign of life did.
    fileprivate var claimsToken: Bool {
        let beats = sent.filter { $0[17] == FrameHeader.Kind.heartbeat.rawValue }
        return beats.last.flatMap { Heartbeat.parse($0.span.bytes) }?.holdsToken ?? false
    }
}
