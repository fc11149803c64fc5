import Control
import Foundation
import PageServer

/// `plurix restore`: the cluster goes back to a checkpoint. Until the stores are exchanged every failure leaves it in
/// the state that it had, from there on in that of the checkpoint. Only a copy that came to nothing is deleted.
extension Supervisor {
    func restore(_ request: RestoreCluster) async throws(Failure) -> RestoreOutcome {
        try refuseWhileRestoring()
        guard starting.isEmpty else {
            throw Failure(.unavailable, "a node is being started", advice: "wait until it has joined, and try again")
        }
        isRestoring = true
        defer { isRestoring = false }
        let checkpoint: CheckpointReport
        let intent: RestoreIntent
        do throws(Failure) { (checkpoint, intent) = try await prepareRestore(at: request.at) } catch {
            throw error.adding("the cluster was not touched")
        }
        await stopAll()
        do throws(Failure) { try intent.exchange() } catch {
            // The nodes' names are all that is new: what they had was saved.
            await goBack(intent)
            throw error.adding("the cluster goes on with the state that it had")
        }
        do throws(Failure) {
            let old = try await finish(intent)
            return RestoreOutcome(checkpoint: checkpoint, oldStore: old, nodes: intent.nodes)
        } catch {
            throw error.adding("the cluster has the state of \(request.at)")
        }
    }

    func refuseWhileRestoring() throws(Failure) {
        guard isRestoring else { return }
        throw Failure(
            .unavailable, "the cluster is going back to an earlier state", advice: "wait until it has",
            at: "cluster \(description.name)")
    }

    /// Saves what is there and makes the store to come, while everything runs on.
    private func prepareRestore(at time: String) async throws(Failure) -> (CheckpointReport, RestoreIntent) {
        if let running = try await arbiter.sendPatiently(ArbiterStatus()).running {
            throw Failure(
                .unavailable, "\(running.program) runs on this cluster",
                advice: "wait for it, or stop it with \(directory.hint("stop"))")
        }
        let store = description.storage.directory
        let other = StoreMoves.nameForNew(beside: store)
        var restored = description
        restored.identifier = UInt64.random(in: 1 ... .max)
        do throws(Failure) {
            // First, so that a name that nothing has costs nothing.
            let reply = try await arbiter.send(
                ArbiterFork(at: time, into: other, cluster: restored.identifier), limit: .seconds(120))
            let all = try await arbiter.send(ArbiterCheckpoints())
            guard let checkpoint = all.first(where: { $0.time == reply.time }) else {
                throw Failure(.unavailable, "the checkpoint \(time) was forgotten meanwhile", at: time)
            }
            _ = try await arbiter.send(ArbiterCheckpoint(label: nil), limit: .seconds(90))
            try StoreUser.note(directory, in: other)
            let alive = nodes.filter { $0.stage != .dead }.map(\.number)
            let intent = try RestoreIntent(store: store, other: other, nodes: alive)
            try restored.write(to: directory.restoredStateFile)
            try intent.save(in: directory)
            return (checkpoint, intent)
        } catch {
            discard(other)
            RestoreIntent.remove(in: directory)
            throw error
        }
    }

    private func discard(_ copy: String) {
        guard (try? StoreFolder.content(of: copy)) == .store else { return }
        do throws(Failure) { try StoreFolder.delete(copy) } catch { logger.error("\(error)") }
    }

    /// Ends the arbiter, and then the machines: their end is no business of the state that was saved.
    private func stopAll() async {
        isArbiterHeld = true
        await endArbiter()
        for node in nodes where node.stage != .dead {
            do throws(Failure) { try await end(node.number) } catch { logger.error("\(error)") }
        }
        // One that was just being started when it was held.
        await endArbiter()
    }

    private func endArbiter() async {
        guard let process = BackgroundProcess.arbiter.running(in: directory) else { return }
        // One that does not answer is killed.
        _ = try? await arbiter.send(Stop(), limit: .seconds(5))
        let deadline = ContinuousClock.now + .seconds(2)
        while process.isAlive, ContinuousClock.now < deadline {
            waitpid(process.processIdentifier, nil, WNOHANG)
            try? await Task.sleep(for: .milliseconds(2))
        }
        process.signal(SIGKILL)
        while process.isAlive {
            waitpid(process.processIdentifier, nil, WNOHANG)
            try? await Task.sleep(for: .milliseconds(2))
        }
    }

    /// The old state stays, and the nodes that were ended come back.
    private func goBack(_ intent: RestoreIntent) async {
        discard(intent.other)
        isArbiterHeld = false
        defer { RestoreIntent.remove(in: directory) }
        do throws(Failure) { try await startAgain(intent.nodes) } catch { logger.error("\(error)") }
    }

    /// The stores are exchanged: everything follows them.
    ///
    /// - Returns: Where the old store is.
    private func finish(_ intent: RestoreIntent) async throws(Failure) -> String {
        // It is there already when an earlier supervisor got that far.
        rename(directory.restoredStateFile, directory.stateFile)
        description = try ClusterDescription.load(directory)
        var old = intent.other
        if (try? StoreFolder.content(of: old)) == .store {
            let name = StoreMoves.freeName(beside: intent.store)
            do throws(Failure) {
                try StoreMoves.rename(old, to: name)
                old = name
            } catch {
                logger.warning("\(error)")
            }
            StoreUser.forget(in: old)
        }
        isArbiterHeld = false
        defer { RestoreIntent.remove(in: directory) }
        try await startAgain(intent.nodes)
        return old
    }

    /// The arbiter is started by who watches over it.
    private func startAgain(_ numbers: [Int]) async throws(Failure) {
        let deadline = ContinuousClock.now + .seconds(20)
        while !canConnect(to: directory.arbiterSocket) {
            guard ContinuousClock.now < deadline else {
                throw troubles[.arbiter] ?? Failure(.timeout, "the arbiter does not start", at: "arbiter")
            }
            if let trouble = troubles[.arbiter] { throw trouble }
            try? await Task.sleep(for: .milliseconds(5))
        }
        for number in numbers where !isRunning(number) { _ = try await startMachine(StartNode(node: number)) }
    }

    /// Holds the arbiter back when the last supervisor was killed on the way to an earlier state.
    func noticeRestore() {
        isArbiterHeld = RestoreIntent.load(directory) != nil
    }

    /// Ends what the last supervisor was killed over.
    func completeRestore() async {
        guard let intent = RestoreIntent.load(directory) else { return }
        isRestoring = true
        defer { isRestoring = false }
        guard intent.isExchanged else { return await goBack(intent) }
        // Everything that belonged to the old state had ended before the exchange.
        do throws(Failure) { _ = try await finish(intent) } catch { logger.error("\(error)") }
    }
}

extension Failure {
    /// Says in addition how things are now.
    fileprivate func adding(_ words: String) -> Failure {
        Failure(kind, "\(message); \(words)", advice: advice, at: place)
    }
}
