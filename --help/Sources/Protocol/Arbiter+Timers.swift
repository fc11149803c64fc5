import Planted
import Wire

extension Arbiter {
    /// When `tick` wants to be called, at the latest.
    public var deadline: UInt64 {
        var next = min(heartbeatAt, gap.deadline, openAgainAt)
        if let polling { next = min(next, polling.deadline) }
        if polling == nil {
            if let saving {
                for place in saving.asked where !planted(90) { next = min(next, saving.needs[place].deadline) }
            } else if applied > held, held == saved {
                next = min(next, saveAt)
            }
        }
        return next
    }

    /// Time has passed.
    public mutating func tick<World: ArbiterWorld & ~Copyable>(now: UInt64, _ world: inout World) {
        noticePause(now)
        retryGap(now, &world)
        proceed(now, &world)
        retrySave(now, &world)
        if openAgainAt <= now {
            openAgain -= 1
            openAgainAt = openAgain > 0 ? now + 3 * Self.pollInterval : .max
            sendOpen(to: .everyone, &world)
        }
        if planted(87) { heartbeatAt = .max }
        if heartbeatAt <= now { announce(now, &world) }
    }

    /// Before anything is judged, a frame too: when the arbiter itself was paused, nobody was silent, it was deaf [P9].
    mutating func noticePause(_ now: UInt64) {
        defer { lastTick = now }
        guard !planted(26), now - lastTick > Self.ownGap else { return }
        for index in members.indices { members[index].lastHeard = now }
        polling?.graceEnd = now + Self.grace
        tokenEvidenceAt = now
    }
}
