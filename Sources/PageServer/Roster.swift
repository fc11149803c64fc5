import Control
import Heap
import Kernel
import Protocol
import Wire

/// The nodes as the host knows them: which machines run, which are paused, which are gone.
struct Roster {
    private var running: Set<Int> = []
    private var paused: Set<Int> = []
    /// Nodes whose machines are gone.
    private var dead: Set<Int> = []
    /// Nodes that the arbiter knew already when it began.
    private var restored: Set<Int>

    init(_ arbiter: Arbiter) {
        restored = Set((1...Limits.maximumNodes).filter { arbiter.member(Station(UInt8($0))).state == .member })
    }

    /// The supervisor says which machines there are; returns the nodes that are gone by that.
    mutating func update(running: [Int], paused: [Int]) -> [Int] {
        let known = self.running.union(self.paused).union(restored)
        restored = []
        self.running = Set(running)
        self.paused = Set(paused)
        let gone = known.subtracting(running).subtracting(paused)
        dead = dead.union(gone).subtracting(running).subtracting(paused)
        return gone.sorted()
    }

    mutating func died(_ node: Int) {
        running.remove(node)
        paused.remove(node)
        dead.insert(node)
    }

    /// A new life of the node began.
    mutating func admitted(_ node: Station) {
        dead.remove(Int(node.number))
    }

    /// Nodes whose machines are gone, as a mask.
    var deadMask: UInt64 { dead.reduce(0) { $0 | SystemLayout.mask(of: UInt32($1)) } }

    /// Its own entry in the node table is committed: the node says so, or the saved table does.
    static func isJoined(_ number: Int, _ arbiter: Arbiter, _ image: SharedImage) -> Bool {
        let member = arbiter.member(Station(UInt8(number)))
        guard member.state == .member else { return false }
        return member.isReady || NodeEntry(of: UInt32(number), in: image)?.incarnation == UInt64(member.incarnation)
    }

    /// Nodes that can be asked to do something.
    func ready(_ arbiter: Arbiter, _ image: SharedImage, now: UInt64) -> [Station] {
        (1...Limits.maximumNodes).lazy.filter { number in
            let lastHeard = arbiter.member(Station(UInt8(number))).lastHeard
            return Self.isJoined(number, arbiter, image) && !paused.contains(number)
                && now - min(now, lastHeard) < Arbiter.silence
        }.map { Station(UInt8($0)) }
    }

    /// All nodes that were ever heard of in this cluster.
    func reports(
        _ arbiter: Arbiter, _ image: SharedImage, joinedAt: [UInt64], refusals: [Int: String], now: UInt64
    ) -> [NodeReport] {
        (1...Limits.maximumNodes).compactMap { number in
            let member = arbiter.member(Station(UInt8(number)))
            guard let state = state(number, member, arbiter, image, refusals, now) else { return nil }
            let counters = member.counters
            let entry = NodeEntry(of: UInt32(number), in: image)
            // The report tells the time at which the entry was committed; the entry itself, one just before.
            let isReported = counters.joinNanoseconds > 0
            return NodeReport(
                number: number, state: state, incarnation: member.incarnation, commitTime: member.applied.raw,
                commits: counters.commits, aborts: counters.aborts, pagesFetched: counters.pagesFetched,
                framesSent: counters.framesSent, framesReceived: counters.framesReceived,
                framesRejected: counters.framesRejected,
                joinMicroseconds: isReported ? counters.joinNanoseconds / 1000 : entry?.joinMicroseconds ?? 0,
                joinPageRequests: isReported ? counters.joinPageRequests : entry?.joinPageRequests ?? 0,
                joinedAt: joinedAt[number - 1], silentMilliseconds: (now - min(now, member.lastHeard)) / 1_000_000,
                notice: refusals[number])
        }
    }

    private func state(
        _ number: Int, _ member: Arbiter.Member, _ arbiter: Arbiter, _ image: SharedImage, _ refusals: [Int: String],
        _ now: UInt64
    ) -> NodeState? {
        if dead.contains(number) { return .dead }
        if paused.contains(number) { return .paused }
        if member.state != .member {
            if refusals[number] != nil { return .refused }
            return running.contains(number) ? .starting : member.state == .dead ? .dead : nil
        }
        guard now - min(now, member.lastHeard) < Arbiter.silence else { return .silent }
        return Self.isJoined(number, arbiter, image) ? .joined : .joining
    }
}
