import ArgumentParser
import Cluster
import Control
import Foundation
import PageServer

struct Down: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "End a cluster and remove everything it left but its store, also what a kill -9 left behind.",
        discussion: """
            The newest state is saved before; where that cannot be done the cluster goes on, and the exit code is 69. \
            To go on with a store later: plurix up --from DIR, with the directory that is named at the end. A volatile \
            cluster's store goes with it.
            """)

    @OptionGroup var common: CommonOptions

    @Flag(help: "Delete the store of the cluster too, which must be there: nothing of its memory stays.")
    var deleteStore = false

    @Flag(help: "End the cluster also where its last commits cannot be saved, and say which are lost.")
    var force = false

    private struct Outcome: Encodable {
        var cluster: String
        var removed: Bool
        /// What is not in the store, and why; nil when all is.
        var lost: String?
        /// What the store has and cannot be read back, as far as that is known; nil when nothing is known.
        var damage: String?
        /// Why a capture had ended by itself, where nobody had been told.
        var captureEnding: String?
        /// The store that stays; nil when none does.
        var storeDirectory: String?
        var storeDeleted: Bool
    }

    func run() async throws {
        let directory = try common.directory()
        // Another command may be at it: then nothing is left to do, and nothing tells which store it had.
        var description = try? ClusterDescription.load(directory)
        if deleteStore, !directory.exists { try refuseOldStore() }
        await directory.waitForEnding(Teardown.longest)
        if !force, directory.isGoingBack {
            throw Failure(
                .unavailable, "the cluster was not ended, because it is going back to an earlier state",
                advice: "wait until it has: see \(directory.hint("status")); or use"
                    + " \(directory.hint("down --force")), which leaves both states")
        }
        let lost = deleteStore ? nil : try await lossBySaving(directory, description)
        let damage = deleteStore ? nil : await damage(directory)
        let captureEnding = await captureEnding(directory)
        let removed = try await Teardown(directory).run()
        // One that was being started has said only now what it is.
        description = removed?.description ?? description
        let storage = description?.storage ?? .volatile(in: directory)
        let isThere = try !storage.isVolatile && StoreFolder.content(of: storage.directory) == .store
        if deleteStore, isThere {
            let path = storage.directory
            try StoreUser.named(path) { () throws(Failure) in
                try checkOwner(of: path, description)
                try StoreFolder.delete(path)
            }
        }
        let outcome = Outcome(
            cluster: common.name, removed: removed != nil, lost: lost, damage: damage, captureEnding: captureEnding,
            storeDirectory: removed != nil && isThere && !deleteStore ? storage.directory : nil,
            storeDeleted: deleteStore && isThere)
        if common.json { try Terminal.show(json: outcome) } else { show(outcome, storage.directory, directory) }
    }

    /// A store that somebody has put in the place of this cluster's is not deleted with it; a damaged one is nobody's.
    private func checkOwner(of path: String, _ description: ClusterDescription?) throws(Failure) {
        guard let description else { return }
        let owner: UInt64
        do throws(Failure) { owner = try StoreExamination.cluster(of: path) } catch {
            guard error.kind == .fault else { throw error }
            return
        }
        guard owner != description.identifier else { return }
        throw Failure(
            .unavailable, "the store \(path) was not deleted: it belongs to another cluster",
            advice: "look for this one's where you moved it", at: path)
    }

    private func show(_ outcome: Outcome, _ store: String, _ directory: RunDirectory) {
        let name = outcome.cluster
        Terminal.show(outcome.removed ? "cluster \(name) is removed" : "there is no cluster \(name)")
        if let lost = outcome.lost { Terminal.progress("lost: \(lost)") }
        if let damage = outcome.damage { Terminal.progress("damage: \(damage)") }
        if let ending = outcome.captureEnding { Terminal.progress(ending) }
        if outcome.storeDeleted { Terminal.show("its store \(store) is deleted") }
        guard let path = outcome.storeDirectory else { return }
        let isUsual = path == (try? ClusterDescription.Storage.defaultDirectory(of: name))
        let hints = [
            (directory.hint("up --from \(path.quoted)"), "go on with it"),
            (
                directory.hint(isUsual ? "up --new" : "up --new --store \(path.quoted)"),
                "begin anew; this one is renamed"
            ),
            ("rm -r \(path.quoted)", "delete it"),
        ]
        Terminal.show("its store stays in \(path):")
        let width = hints.map(\.0.count).max() ?? 0
        for (command, effect) in hints {
            Terminal.show("  \(command)\(String(repeating: " ", count: width - command.count))   \(effect)")
        }
    }

    private func damage(_ directory: RunDirectory) async -> String? {
        guard BackgroundProcess.arbiter.running(in: directory) != nil else { return nil }
        let arbiter = BackgroundProcess.arbiter.client(in: directory)
        // One that does not answer has said why before.
        return try? await arbiter.send(ArbiterStatus(), limit: ClusterHandle.glance).damage?.message
    }

    /// Ends the capture of the cluster's segment, if there is one: what is not told of it now is told by nobody.
    private func captureEnding(_ directory: RunDirectory) async -> String? {
        // Without one nobody is asked: what an up that has just begun makes meanwhile would not be known of.
        guard BackgroundProcess.segment.running(in: directory) != nil else { return nil }
        let segment = BackgroundProcess.segment.client(in: directory)
        do throws(Failure) {
            _ = try await segment.send(SegmentCapture(file: nil), limit: ClusterHandle.glance)
            return nil
        } catch {
            // A segment that does not answer has nothing to tell.
            return error.place == segment.path ? nil : error.description
        }
    }

    /// Where nothing is left of the cluster, nothing tells which store it had: one at the usual place may be that of an
    /// earlier cluster of this name.
    private func refuseOldStore() throws(Failure) {
        guard let path = try? ClusterDescription.Storage.defaultDirectory(of: common.name),
            try StoreFolder.content(of: path) == .store
        else { return }
        throw Failure(
            .input, "there is no cluster \(common.name), and which store it had is not known",
            advice: "if it was the one in \(path.quoted), delete it with: rm -r \(path.quoted)", at: path)
    }

    /// Saves what nodes have committed and the arbiter has not saved yet.
    ///
    /// - Returns: What is lost all the same, and why; nil when nothing is.
    /// - Throws: the same unless the user wants the cluster to end anyway: what he would lose he may still save.
    private func lossBySaving(
        _ directory: RunDirectory, _ description: ClusterDescription?
    ) async throws(Failure) -> String? {
        guard let storage = description?.storage, !storage.isVolatile, Teardown(directory).hasLivingMachines
        else { return nil }
        let watch = RestartWatch.begin(in: directory) { Terminal.progress($0) }
        defer { watch.cancel() }
        do throws(Failure) {
            try await LastState.save(ClusterHandle(directory))
            return nil
        } catch {
            if directory.takenDown != nil { return "not known here: another command ended the cluster, and says so" }
            if force { return "\(error)" }
            let mend = error.advice.map { "\($0), and try again" } ?? "mend that, and try again"
            throw Failure(
                .unavailable, "the cluster was not ended, because \(error.message)",
                advice: "\(mend), or lose them with \(directory.hint("down --force"))", at: storage.directory)
        }
    }
}
