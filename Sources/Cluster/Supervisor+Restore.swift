import Control
import Foundation
import PageServer

/// `plurix restore`: the cluster goes back to a checkpoint. Until the stores are exchanged every failure leaves it in
/// the state that it had, from there on in that of the checkpoint. Once begun it is ended, whatever becomes of the
/// command that wanted it; a supervisor that is killed on it leaves it to its successor.
extension Supervisor {
    func restore(_ request: RestoreCluster) async throws(Failure) -> RestoreOutcome {
        try refuseWhileRestoring()
        guard starting.isEmpty else {
            throw Failure(.unavailable, "a node is being started", advice: "wait until it has joined, and try again")
        }
        restoring = request.at
        // A task of its own: who asked may be gone before it ends.
        let task = Task { () -> Result<RestoreOutcome, Failure> in
            do throws(Failure) {
                let outcome = try await goBack(to: request.at)
                await endRestore()
                return .success(outcome)
            } catch {
                // What was exchanged must be ended: nothing serves the store until then.
                if isArbiterHeld { Task { await completeRestore() } } else { await endRestore() }
                return .failure(error)
            }
        }
        return try await task.value.get()
    }

    private func goBack(to time: String) async throws(Failure) -> RestoreOutcome {
        let checkpoint: CheckpointReport
        let intent: RestoreIntent
        do throws(Failure) { (checkpoint, intent) = try await prepareRestore(to: time) } catch {
            throw error.adding("the cluster was not touched")
        }
        note("the cluster is going back to \(intent.state)")
        do throws(Failure) {
            try await stopAll()
            try intent.exchange()
        } catch {
            note("the cluster does not go back: \(error)")
            await giveUp(intent)
            throw error.adding("the cluster goes on with the state that it had")
        }
        do throws(Failure) {
            let old = try await finish(intent)
            return RestoreOutcome(checkpoint: checkpoint, oldStore: old, nodes: intent.nodes)
        } catch {
            throw error.adding("the cluster has the state of \(time), and goes on with it once that can be done")
        }
    }

    private func endRestore() async {
        restoring = nil
        // Programs may begin again.
        await report()
    }

    func refuseWhileRestoring() throws(Failure) {
        guard let restoring else { return }
        throw Failure(
            .unavailable, "the cluster is going back to \(restoring)",
            advice: "wait until it has: see \(directory.hint("status"))", at: "cluster \(description.name)")
    }

    // MARK: Up to the exchange

    /// Saves what is there and makes the store to come, while all nodes are there.
    private func prepareRestore(to time: String) async throws(Failure) -> (CheckpointReport, RestoreIntent) {
        try refuseWhileHindered()
        // No program begins any more, so none is at work from here on if none is now.
        _ = try await arbiter.sendPatiently(ArbiterStatus(), limit: ClusterHandle.patience)
        try await tell()
        if let running = try await arbiter.send(ArbiterStatus()).running {
            throw Failure(
                .unavailable, "\(running.program) runs on this cluster",
                advice: "wait for it, or stop it with \(directory.hint("stop"))")
        }
        var restored = description
        restored.identifier = UInt64.random(in: 1 ... .max)
        let alive = nodes.filter { $0.stage != .dead }.map(\.number)
        var intent = try RestoreIntent(to: time, store: description.storage.directory, nodes: alive)
        do throws(Failure) {
            try intent.save(in: directory)
            // First, so that a name that nothing has costs nothing.
            let fork = try await arbiter.send(
                ArbiterFork(at: time, into: intent.other, cluster: restored.identifier), limit: .seconds(120))
            let all = try await arbiter.send(ArbiterCheckpoints())
            guard let checkpoint = all.first(where: { $0.time == fork.time }) else {
                throw Failure(.unavailable, "the checkpoint \(time) was forgotten meanwhile", at: time)
            }
            _ = try await arbiter.send(ArbiterCheckpoint(label: nil), limit: .seconds(90))
            try StoreUser.note(directory, in: intent.other)
            try restored.write(to: directory.restoredStateFile)
            intent.state = checkpoint.title
            try intent.save(in: directory)
            return (checkpoint, intent)
        } catch {
            do throws(Failure) { _ = try intent.settle() } catch { logger.error("\(error)") }
            RestoreIntent.remove(in: directory)
            throw error
        }
    }

    /// Ends the arbiter, and then the machines: their end is no business of the state that was saved.
    private func stopAll() async throws(Failure) {
        try await holdArbiter()
        for node in nodes where node.stage != .dead { try await end(node.number) }
    }

    /// Ends the arbiter and takes its lock, so that none works on the store or begins to: not one that was started and
    /// has not said so yet, either.
    private func holdArbiter() async throws(Failure) {
        isArbiterHeld = true
        if BackgroundProcess.arbiter.running(in: directory) != nil {
            // One that does not answer is killed.
            _ = try? await arbiter.send(Stop(), limit: .seconds(5))
        }
        let start = ContinuousClock.now
        while true {
            if let lock = try ProcessLock.take(directory.lock(of: BackgroundProcess.arbiter.rawValue)) {
                arbiterLock = consume lock
                return
            }
            if let process = BackgroundProcess.arbiter.running(in: directory) {
                if ContinuousClock.now - start > Self.ending { process.signal(SIGKILL) }
                waitpid(process.processIdentifier, nil, WNOHANG)
            }
            guard ContinuousClock.now - start < Self.ending * 5 else {
                throw Failure(.timeout, "the page server does not end", at: arbiter.path)
            }
            // Cancellation makes it look more often.
            try? await Task.sleep(for: .milliseconds(2))
        }
    }

    /// As long as an arbiter may take that was told to end.
    private static let ending = Duration.seconds(2)

    /// The old state stays, and the nodes that were ended come back.
    private func giveUp(_ intent: RestoreIntent) async {
        do throws(Failure) { _ = try intent.settle() } catch { logger.error("\(error)") }
        await startAgain(intent)
    }

    // MARK: From the exchange on

    /// Everything follows the store. What an earlier supervisor has done of it is not done again.
    ///
    /// - Returns: Where the old store is.
    private func finish(_ intent: RestoreIntent) async throws(Failure) -> String {
        if access(directory.restoredStateFile, F_OK) == 0 {
            guard rename(directory.restoredStateFile, directory.stateFile) == 0 else {
                throw RunDirectory.unwritable(directory.stateFile)
            }
        }
        description = try ClusterDescription.load(directory)
        var old = intent.other
        do throws(Failure) { old = try intent.settle() ?? old } catch { logger.warning("\(error)") }
        note("the memory is as it was at \(intent.state); what came after it is in \(old)")
        await startAgain(intent)
        return old
    }

    /// Lets the arbiter work, which is started by who watches over it, and starts nodes. What does not start is noted:
    /// the cluster's state is what it is, and the nodes can be added.
    private func startAgain(_ intent: RestoreIntent) async {
        arbiterLock = nil
        note(nil, of: .arbiter)
        isArbiterAwaited = true
        isArbiterHeld = false
        let deadline = ContinuousClock.now + .seconds(20)
        while !BackgroundProcess.arbiter.isServing(in: directory), ContinuousClock.now < deadline {
            try? await Task.sleep(for: .milliseconds(5))
        }
        var isLate = false
        for number in intent.nodes where !isRunning(number) {
            do throws(Failure) {
                // What one of them has waited for in vain is not waited for again.
                if isLate { try refuseWhileHindered() }
                _ = try await startMachine(StartNode(node: number))
            } catch {
                isLate = true
                note("n\(number) does not start: \(error)")
            }
        }
        RestoreIntent.remove(in: directory)
    }

    // MARK: After a supervisor's death

    /// Whether the last supervisor was killed on the way to an earlier state. Known before the first request is
    /// answered.
    func noticeRestore() {
        guard let intent = RestoreIntent.load(directory) else { return }
        restoring = intent.state
        isArbiterHeld = true
    }

    /// Ends what the last supervisor was killed over, or what this one could not end: again and again, until it can.
    func completeRestore() async {
        var isTold = false
        while let intent = RestoreIntent.load(directory) {
            do throws(Failure) {
                // That of the last supervisor may live.
                if arbiterLock == nil { try await holdArbiter() }
                if intent.isExchanged { _ = try await finish(intent) } else { await giveUp(intent) }
                break
            } catch {
                note(error, of: .arbiter)
                if !isTold { note("the way back to \(intent.state) cannot be ended yet: \(error)") }
                isTold = true
                do { try await Task.sleep(for: Self.retryInterval) } catch { return }
            }
        }
        // Nobody knows of it any more: what is there is served.
        if isArbiterHeld { arbiterLock = nil }
        isArbiterHeld = false
        await endRestore()
    }

    private static let retryInterval = Duration.seconds(1)
}

extension Failure {
    /// Says in addition how things are now.
    fileprivate func adding(_ words: String) -> Failure {
        Failure(kind, "\(message); \(words)", advice: advice, at: place)
    }
}
