import Protocol
import Wire

/// A node is dead and nobody tells: whatever it took with it, the others must find out and go on. No frame is lost any
/// more, so that nothing else can be the reason when they do not.
extension Simulation {
    func beginVigil(without index: Int? = nil) {
        let absent = index ?? nodes.firstIndex { !$0.isAlive } ?? random.below(nodes.count)
        if nodes[absent].isAlive { perform(.crash(absent)) }
        hasCalmedEarly = now < scenario.calm
        phase = .vigil
        calmAt = now
        armed.removeAll()
        stopLosing()
        if !arbiter.isAlive { perform(.startArbiter) }
        for (place, node) in nodes.enumerated() where place != absent && !node.isAlive {
            report(node)
            boot(node)
        }
        guard canGoOn, arbiter.pausedUntil < now else { return perform(.calm) }
        calmCommits = nodes.map(\.commits)
        queue.insert(.fault(.endOfVigil), at: now + 100 * Scenario.millisecond)
    }

    /// Whether somebody lives of whom the arbiter knows, as without it opens nothing [P9], and has something to do: who
    /// waits for the heap that the dead was to make wants nothing of it.
    private var canGoOn: Bool {
        arbiter.core.applied > .zero
            && nodes.contains { $0.pausedUntil < calmAt && isMember($0, $0.core.endpoint.incarnation) }
    }

    func endVigil() {
        guard phase == .vigil else { return }
        // A paused one takes as long as it takes.
        let living = nodes.indices.filter { nodes[$0].isAlive && nodes[$0].pausedUntil < calmAt }
        if living.allSatisfy({ nodes[$0].commits > calmCommits[$0] }) || !canGoOn { return perform(.calm) }
        if now > calmAt + Scenario.recovery + scenario.recoverySlowness {
            for index in living where nodes[index].commits <= calmCommits[index] {
                checker.fail(.liveness, "with one of them dead, n\(index + 1) is stuck: \(state(of: nodes[index])); "
                    + "arbiter: \(stateOfArbiter)")
            }
            return
        }
        queue.insert(.fault(.endOfVigil), at: now + 100 * Scenario.millisecond)
    }
}
