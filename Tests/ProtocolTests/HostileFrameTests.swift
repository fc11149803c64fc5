import Testing
import Wire

@testable import Protocol

/// Frames with valid tags that no sound station sends. Each was found by fuzzing.
struct HostileFrameTests {
    // It counted undone commits one by one, from the first of a history of 2^44.
    @Test func anEpochThatUndoesEverythingOpensAtOnce() {
        let node = AttackedNode(applied: GlobalTime(epoch: 1, counter: Limits.maximumCounter))
        #expect(node.phase == .member)
        let open = Open(saved: .zero, grantee: Station(2), granteeIncarnation: 1, count: 1)
        let frame = node.arbiter.frame(open, to: .everyone, epoch: 2) { bytes in
            Open.store(EpochRecord(epoch: 2, opened: .zero), at: 0, into: &bytes)
        }
        node.receive(frame)
        #expect(node.epoch == 2 && node.applied == .zero)
    }

    // It trapped when it numbered the next grant.
    @Test func aTokenWhoseNumbersHaveRunOutIsGivenUp() {
        let node = AttackedNode(token: .max)
        #expect(node.holdsToken)
        var other = Sender(Station(2))
        let request = TokenRequest(requester: Station(2), requesterIncarnation: 1, hops: 0, isUrgent: false)
        node.receive(other.frame(request, to: Station(1), epoch: 1))
        #expect(!node.holdsToken && !node.world.kinds.contains(.tokenGrant))
    }

    // Its next commit would have had an earlier time than what it had applied.
    @Test func aNodeIsNotLetInAtATimeOfALaterEpoch() {
        #expect(AttackedNode(applied: GlobalTime(epoch: 2, counter: 1)).phase == .joining)
    }

    // It wanted to be called at once, again and again, for as long as a record was missing.
    @Test func anArbiterThatWaitsForRecordsSleeps() {
        var world = QuietWorld()
        var core = Arbiter(cluster: Sender.cluster, key: Sender.key, build: Sender.build,
                           state: ArbiterState(sharedPages: 16), nonce: 1)
        core.start(now: 0, &world)
        var nodes = [Sender(Station(1)), Sender(Station(2))]
        for place in nodes.indices { join(&nodes[place], &core, &world) }
        core.died(Station(2), now: 10, &world)
        // The node has applied a commit that the arbiter never saw.
        let time = GlobalTime(epoch: 1, counter: 1)
        let answer = PollAnswer(epoch: core.epoch + 1, applied: time, index: 0, count: 1, holdings: 0)
        core.receive(nodes[0].frame(answer, to: .arbiter, epoch: 1, applied: time).span.bytes, now: 20, &world)
        let now = 50 * Tuning.millisecond
        core.tick(now: now, &world)
        #expect(core.isPolling && core.deadline > now)
    }

    private func join(_ node: inout Sender, _ core: inout Arbiter, _ world: inout QuietWorld) {
        let nonce = UInt64(node.station.number)
        let request = JoinRequest(nonce: nonce, build: Sender.build)
        core.receive(node.frame(request, to: .arbiter, epoch: 1).span.bytes, now: 1, &world)
        let challenge = core.member(node.station).challenge
        let answer = JoinAnswer(nonce: nonce, challenge: challenge, build: Sender.build)
        core.receive(node.frame(answer, to: .arbiter, epoch: 1).span.bytes, now: 1, &world)
        node.incarnation = core.member(node.station).incarnation
    }
}

/// A node that an arbiter has let in.
private final class AttackedNode {
    private var core: NodeCore
    private(set) var world = QuietWorld()
    var arbiter = Sender(.arbiter)

    /// - Parameters: applied: where it is told that it stands; token: the number of the token that it is given.
    init(applied: GlobalTime = .zero, token: UInt32 = 0) {
        let module = BootModule(
            cluster: Sender.cluster, key: Sender.key, nonce: 5, sharedPages: 16,
            maximumFrameBytes: UInt16(Limits.standardFrameBytes), node: Station(1))
        core = NodeCore(module: module, build: Sender.build, writeLimit: 4, preImageLimit: 4, logEntries: 128,
                        logWords: 1024)
        core.start(now: 1, &world)
        let accept = JoinAccept(
            nonce: module.nonce, incarnation: 1, epoch: 1, applied: applied, saved: .zero, sharedPages: 16,
            tokenHolder: Station(1), tokenNumber: token, isPrimary: false)
        receive(arbiter.frame(accept, to: Station(1), epoch: 1))
    }

    func receive(_ frame: [UInt8]) { core.receive(frame.span.bytes, now: 2, &world) }

    var phase: NodeCore.Phase { core.phase }
    var epoch: UInt32 { core.epoch }
    var applied: GlobalTime { core.applied }
    var holdsToken: Bool { core.holdsToken }
}
