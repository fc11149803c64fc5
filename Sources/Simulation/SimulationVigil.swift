import Protocol
import Wire

/// Something stays broken: a node is dead and nobody tells, or frames reach somebody in one way only. The others must
/// find out and go on. No other frame is lost any more, so that nothing else can be the reason when they do not.
extension Simulation {
    /// - Parameter index: Who is dead, when that is not the script's to say.
    func beginVigil(without index: Int? = nil) {
        if index != nil || nodes.count == 1 { vigil = .dead }
        if case .dead = vigil {
            absent = index ?? nodes.firstIndex { !$0.isAlive } ?? random.below(nodes.count)
        } else {
            // Who holds the token is who matters most.
            absent = nodes.firstIndex { $0.isAlive && $0.core.holdsToken } ?? random.below(nodes.count)
        }
        if case .dead = vigil, nodes[absent].isAlive { perform(.crash(absent)) }
        hasCalmedEarly = now < scenario.calm
        phase = .vigil
        calmAt = now
        armed.removeAll()
        stopLosing()
        cutForVigil()
        if !arbiter.isAlive { perform(.startArbiter) }
        for (place, node) in nodes.enumerated() where !node.isAlive {
            if case .dead = vigil, place == absent { continue }
            report(node)
            boot(node)
        }
        guard canGoOn, arbiter.pausedUntil < now else { return perform(.calm) }
        calmCommits = nodes.map(\.commits)
        queue.insert(.fault(.endOfVigil), at: now + 100 * Scenario.millisecond)
    }

    private func cutForVigil() {
        let station = nodes[absent].station.number
        disturb()
        lastCut = now
        switch vigil {
        case .dead: break
        case .deaf: for other in stations where other != station { network.cut(other, station) }
        case .apart(let isOneWay):
            let other = nodes[(absent + 1 + random.below(nodes.count - 1)) % nodes.count].station.number
            network.cut(other, station)
            if !isOneWay { network.cut(station, other) }
        }
    }

    /// Who must go on: all but the dead or deaf one, and who is paused takes as long as it takes.
    private var living: [Int] {
        nodes.indices.filter { index in
            guard nodes[index].isAlive, nodes[index].pausedUntil < calmAt else { return false }
            if case .deaf = vigil { return index != absent }
            return true
        }
    }

    /// Whether somebody lives of whom the arbiter knows, as without it opens nothing [P9], and has something to do: who
    /// waits for the heap that the dead was to make wants nothing of it.
    private var canGoOn: Bool {
        arbiter.core.applied > .zero
            && living.contains { isMember(nodes[$0], nodes[$0].core.endpoint.incarnation) }
    }

    func endVigil() {
        guard phase == .vigil else { return }
        let living = living
        let wanted = vigil.wantedCommits
        if living.allSatisfy({ nodes[$0].commits >= calmCommits[$0] + wanted }) || !canGoOn {
            disturb()
            lastCut = now
            return perform(.calm)
        }
        if now > calmAt + Scenario.recovery + scenario.recoverySlowness {
            for index in living where nodes[index].commits < calmCommits[index] + wanted {
                checker.fail(.liveness, "with n\(absent + 1) \(vigil), n\(index + 1) is stuck: "
                    + "\(state(of: nodes[index])); arbiter: \(stateOfArbiter)")
            }
            return
        }
        queue.insert(.fault(.endOfVigil), at: now + 100 * Scenario.millisecond)
    }
}
