import ArgumentParser
import Cluster
import Control
import Foundation
import PageServer

struct Down: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "End a cluster and remove everything it left but its store, also what a kill -9 left behind.",
        discussion: """
            The newest state is saved before. To go on with it later: plurix up --from DIR, with the directory that is \
            named at the end. A volatile cluster's store goes with it.
            """)

    @OptionGroup var common: CommonOptions

    @Flag(help: "Delete the cluster's store too: nothing of its memory stays.")
    var deleteStore = false

    private struct Outcome: Encodable {
        var cluster: String
        var removed: Bool
        /// The store that stays; nil when none does.
        var storeDirectory: String?
        var storeDeleted: Bool
    }

    func run() async throws {
        let directory = try common.directory()
        let storage = try store(of: directory)
        if !storage.isVolatile, !deleteStore { await saveNewest(directory) }
        let removed = try await Teardown(directory).run()
        let isThere = try !storage.isVolatile && StoreFolder.content(of: storage.directory) == .store
        if deleteStore, isThere {
            let path = storage.directory
            try StoreUser.named(path) { () throws(Failure) in try StoreFolder.delete(path) }
        }
        let outcome = Outcome(
            cluster: common.name, removed: removed,
            storeDirectory: removed && isThere && !deleteStore ? storage.directory : nil,
            storeDeleted: deleteStore && isThere)
        if common.json { try Terminal.show(json: outcome) } else { show(outcome, storage.directory, directory) }
    }

    private func show(_ outcome: Outcome, _ store: String, _ directory: RunDirectory) {
        let name = outcome.cluster
        Terminal.show(outcome.removed ? "cluster \(name) is removed" : "there is no cluster \(name)")
        if outcome.storeDeleted { Terminal.show("its store \(store) is deleted") }
        guard let path = outcome.storeDirectory else { return }
        let isUsual = path == (try? ClusterDescription.Storage.defaultDirectory(of: name))
        let hints = [
            (directory.hint("up --from \(path)"), "go on with it"),
            (directory.hint(isUsual ? "up --new" : "up --new --store \(path)"), "begin anew; this one is renamed"),
            isUsual ? (directory.hint("down --delete-store"), "delete it") : nil,
        ].compactMap { $0 }
        Terminal.show("its store stays in \(path):")
        let width = hints.map(\.0.count).max() ?? 0
        for (command, effect) in hints {
            Terminal.show("  \(command)\(String(repeating: " ", count: width - command.count))   \(effect)")
        }
    }

    /// The cluster's store; where nothing is left of the cluster, the one that it had unless it was given another.
    private func store(of directory: RunDirectory) throws(Failure) -> ClusterDescription.Storage {
        if let description = try? ClusterDescription.load(directory) { return description.storage }
        guard !directory.exists, let path = try? ClusterDescription.Storage.defaultDirectory(of: directory.name) else {
            return .volatile(in: directory)
        }
        return ClusterDescription.Storage(directory: path, isVolatile: false)
    }

    /// What nodes have committed and the arbiter has not saved would be lost.
    private func saveNewest(_ directory: RunDirectory) async {
        guard BackgroundProcess.arbiter.running(in: directory) != nil, Teardown(directory).hasLivingMachines else {
            return
        }
        do throws(Failure) {
            _ = try await ControlClient(path: directory.arbiterSocket)
                .send(ArbiterCheckpoint(label: nil), limit: Self.patience)
        } catch {
            Terminal.progress("the last commits could not be saved: \(error)")
        }
    }

    private static let patience = Duration.seconds(5)
}
