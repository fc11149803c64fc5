import Protocol
import Wire

/// Quiet times: no program runs and nothing fails, but frames go on being lost. Only signs of life bring the rest.
extension Simulation {
    func beginLull(withoutArbiter: Bool) {
        phase = .lull
        lullBegan = now
        armed.removeAll()
        stopSpite()
        if withoutArbiter {
            disturb()
            arbiter.kill()
            queue.insert(.fault(.endOfAbsence), at: now + Scenario.agreement + scenario.slowness)
        } else if !arbiter.isAlive {
            perform(.startArbiter)
        }
        for node in nodes where !node.isAlive { perform(.report(Int(node.station.number) - 1)) }
        for node in nodes { boot(node) }
        for node in nodes {
            node.mayBegin = false
            // A paused one hears of it when it goes on.
            if node.pausedUntil <= now { finish(node) }
        }
        // What was said last is lost to everyone.
        for a in stations { for b in stations where a != b { network.cut(a, b) } }
        queue.insert(.fault(.heal), at: now + random.between(1, 100) * Scenario.millisecond)
        queue.insert(.fault(.endOfLull), at: now + Scenario.agreement + Scenario.second + scenario.slowness)
    }

    /// The nodes were alone. Those that are not cut off by an epoch must know the same, as far as one of them can tell.
    func endAbsence() {
        let members = nodes.filter { $0.isAlive && $0.core.phase == .member && !$0.core.isFrozen && !wasPaused($0) }
        let epoch = members.map { $0.core.epoch }.max() ?? 0
        let current = members.filter { $0.core.epoch == epoch }
        // A transaction that was under way when the lull began may be a long one, and of its commit nobody can know yet
        // (seed 239422451).
        let isLate = current.contains { $0.lastCommitAt > lullBegan + Self.lateCommit }
        if !isLate, let first = current.max(by: { $0.core.applied < $1.core.applied }) {
            let tip = first.core.applied
            for node in current where node.core.applied != tip {
                let isTellable = first.knowsFrom <= node.core.applied
                    && tip.counter - node.core.applied.counter <= Self.tellable
                if isTellable {
                    checker.fail(.staleness, "alone, n\(node.station.number) is behind: \(state(of: node))")
                }
            }
        }
        if !arbiter.isAlive { perform(.startArbiter) }
    }

    /// Records that the smallest log of a node surely has.
    private static let tellable: UInt64 = 32

    /// What commits so long after the programs were stopped may be news at the end of the absence.
    private static let lateCommit = 300 * Scenario.millisecond

    private func wasPaused(_ node: SimulatedNode) -> Bool { node.pausedUntil > lullBegan }

    func endLull() {
        if let laggard {
            if now > lullBegan + Scenario.staleness + scenario.settlingSlowness {
                checker.fail(.staleness, laggard)
            } else {
                queue.insert(.fault(.endOfLull), at: now + 100 * Scenario.millisecond)
            }
            return
        }
        for node in nodes { node.mayBegin = true }
        perform(.calm)
    }

    /// Somebody who does not know what all know, in words.
    private var laggard: String? {
        let tip = arbiter.core.applied
        if arbiter.core.isPolling || arbiter.core.saved != tip { return "in quiet, arbiter: \(stateOfArbiter)" }
        for node in nodes where node.core.phase != .member || node.core.epoch != arbiter.core.epoch
            || node.core.applied != tip || node.core.saved != tip {
            return "in quiet, n\(node.station.number): \(state(of: node)); arbiter: \(stateOfArbiter)"
        }
        return nil
    }
}
