import Durability
import Protocol
import Store
import Wire

/// What is saved: every state that the arbiter has or ever had is one that was, and none that was told is missing.
extension Checker {
    /// The arbiter's image is of this time.
    func held(_ time: GlobalTime, image: [[UInt64]]) {
        if !isAncestor(newestHeld.raw, of: time.raw) {
            fail(.saved, "held \(describe(time.raw)) does not follow \(describe(newestHeld.raw))")
        }
        newestHeld = time
        checkImage(image, at: time, "the image")
    }

    /// The nodes are told that the state at this time is durable.
    func saved(_ time: GlobalTime) {
        if !isAncestor(newestSaved.raw, of: time.raw) {
            fail(.saved, "saved \(describe(time.raw)) does not follow \(describe(newestSaved.raw))")
        }
        if time != newestHeld { fail(.saved, "saved \(describe(time.raw)), held \(describe(newestHeld.raw))") }
        newestSaved = max(newestSaved, time)
        teller?.saved(newestSaved)
    }

    private func checkImage(_ image: [[UInt64]], at time: GlobalTime, _ what: @autoclosure () -> String) {
        for index in image.indices {
            let expected = lastWriter(of: PageNumber(UInt32(index)), at: time.raw)
            let actual = image[index][0] == 0 ? 0 : commitOfStamp[image[index][0]]
            if actual != expected || !Workload.isWhole(image[index]) {
                fail(.saved, "\(what()) at \(describe(time.raw)): page \(index) is of "
                    + "\(actual.map { describe($0) } ?? "nobody"), not of \(describe(expected))")
            }
        }
    }

    /// A store's state at the time of a checkpoint is the state that was, page by page, versions too.
    func checkState(_ state: SavedState, _ what: @autoclosure () -> String) {
        checkImage(state.image, at: state.time, what())
        for (index, version) in state.versions.enumerated() {
            let expected = lastWriter(of: PageNumber(UInt32(index)), at: state.time.raw)
            if version.raw != expected {
                fail(.saved, "\(what()) at \(describe(state.time.raw)): page \(index) has version "
                    + "\(describe(version.raw)), not \(describe(expected))")
            }
        }
    }

    /// What a disk says at some moment [P7]: nothing that was told is missing, and nothing is there by halves.
    func checkStore(
        _ state: SavedState, _ facts: ArbiterFacts, expected: [ArbiterFacts], _ what: @autoclosure () -> String
    ) {
        if state.time != newestSaved && state.time != newestHeld {
            fail(.saved, "\(what()) is of \(describe(state.time.raw)); told was \(describe(newestSaved.raw)), "
                + "held \(describe(newestHeld.raw))")
        }
        if !expected.contains(facts) { fail(.saved, "\(what()) has other facts than those that were noted: \(facts)") }
        checkState(state, what())
    }

    /// An arbiter starts from this: it is what counts from now on.
    func recovered(_ state: SavedState, _ facts: ArbiterFacts, expected: [ArbiterFacts]) {
        checkStore(state, facts, expected: expected, "the store")
        newestHeld = state.time
        newestSaved = state.time
        teller?.saved(newestSaved)
        // The last arbiter was killed before it could tell.
        for record in facts.chain.reversed() where record.epoch > openings[openings.count - 1].epoch { opened(record) }
    }

    /// A checkpoint was said to be kept.
    func kept(_ checkpoint: Checkpoint) { keptCheckpoints.append(checkpoint) }

    /// What came after `time` is undone because somebody wants it.
    func wentBack(to time: GlobalTime) {
        unwanted = commits.count - survivors(of: time).count
        leftCluster.removeAll { !isAncestor($0, of: time.raw) }
        keptCheckpoints.removeAll { $0.time > time }
        newestSaved = time
        newestHeld = time
    }
}
