import Control
import PageServer
import Wire

/// Saving what nodes have committed before a cluster ends: what is not saved then is lost.
public enum LastState {
    /// As long as a disk may take.
    private static let patience = Duration.seconds(5)

    /// Keeps the newest state.
    ///
    /// - Throws: `.unavailable` when commits would be lost, with how many where that is known, why, and what to do.
    public static func save(_ cluster: ClusterHandle) async throws(Failure) {
        var what = "the last commits"
        do throws(Failure) {
            let arbiter = try await cluster.servingArbiter()
            guard let reason = try await failureToKeep(arbiter) else { return }
            let status = try await arbiter.send(ArbiterStatus(), limit: ClusterHandle.glance)
            if status.isStoreMisplaced {
                what = "what this cluster holds"
                throw reason
            }
            // Nothing has happened since it was saved.
            guard status.savedTime < status.commitTime else { return }
            what = words(saved: GlobalTime(raw: status.savedTime), committed: GlobalTime(raw: status.commitTime))
            throw reason
        } catch {
            throw Failure(
                .unavailable, "\(what) cannot be saved: \(error.message)", advice: error.advice, at: error.place)
        }
    }

    /// Why the state of now is not kept; nil when it is.
    private static func failureToKeep(_ arbiter: ControlClient) async throws(Failure) -> Failure? {
        // A disk that is full is not waited for.
        if let trouble = try await arbiter.send(ArbiterStatus(), limit: ClusterHandle.glance).storeTrouble {
            return Failure(.unavailable, trouble)
        }
        do throws(Failure) { _ = try await arbiter.send(ArbiterCheckpoint(label: nil), limit: patience) } catch {
            return error
        }
        return nil
    }

    static func words(saved: GlobalTime, committed: GlobalTime) -> String {
        let count = committed.counter - min(saved.counter, committed.counter)
        return (count > 1 ? "the last \(count) commits" : "the last commit") + ", behind \(CheckpointName.text(saved)),"
    }
}
