import CLinux
import Control
import Foundation
import PageServer

/// A cluster's way back to an earlier state, written down before anything is changed, so that the successor of a
/// supervisor that is killed on it ends it: with the old state up to the moment at which the stores are exchanged, with
/// the earlier one from there.
///
/// Directories are known by their number (inode), which they keep in the exchange: nothing is deleted or renamed that
/// this restore has not made or found.
struct RestoreIntent: Codable {
    /// The state, as people name it.
    var state: String
    /// The cluster's store.
    var store: String
    /// Until the exchange the store to come, from there on the old one.
    var other: String
    /// Where the old one goes in the end.
    var aside: String
    /// Numbers of the directories of the store to come and of the old one.
    private var coming: UInt64
    private var old: UInt64
    /// Nodes that are to run afterwards.
    var nodes: [Int]

    /// Makes an empty directory for the store to come.
    init(to state: String, store: String, nodes: [Int]) throws(Failure) {
        self.state = state
        self.store = store
        other = StoreMoves.nameForNew(beside: store)
        aside = StoreMoves.freeName(beside: store)
        self.nodes = nodes
        old = try Self.number(of: store)
        _ = try StoreFolder.make(other)
        coming = try Self.number(of: other)
    }

    /// Nil when no way back is under way.
    static func load(_ directory: RunDirectory) -> RestoreIntent? {
        FileManager.default.contents(atPath: directory.restoreFile)
            .flatMap { try? JSONDecoder().decode(RestoreIntent.self, from: $0) }
    }

    func save(in directory: RunDirectory) throws(Failure) {
        do { try RunDirectory.replace(directory.restoreFile, with: JSONEncoder().encode(self)) } catch {
            throw Failure(error, while: "writing \(directory.restoreFile)")
        }
    }

    static func remove(in directory: RunDirectory) {
        unlink(directory.restoredStateFile)
        unlink(directory.restoreFile)
    }

    var isExchanged: Bool { (try? Self.number(of: store)) == coming }

    private static func number(of path: String) throws(Failure) -> UInt64 {
        var facts = stat()
        guard stat(path, &facts) == 0 else {
            throw Failure(.fault, "\(path) is missing: \(String(cString: strerror(errno)))", at: path)
        }
        return UInt64(facts.st_ino)
    }

    /// The stores change places, all at once: there is no moment without a store.
    ///
    /// - Throws: `.input` with the system's reason; then they have not.
    func exchange() throws(Failure) {
        guard renameat2(AT_FDCWD, other, AT_FDCWD, store, UInt32(PLURIX_RENAME_EXCHANGE)) == 0 else {
            throw StoreMoves.failure(store, other)
        }
        StoreMoves.flushNames(beside: store)
    }

    /// Tidies up beside the cluster's store: the old one gets its name, or a copy that came to nothing is deleted.
    ///
    /// - Returns: Where the old store is, if the stores were exchanged.
    func settle() throws(Failure) -> String? {
        guard isExchanged else {
            if (try? Self.number(of: other)) == coming { try StoreFolder.delete(other) }
            return nil
        }
        guard (try? Self.number(of: other)) == old else { return aside }
        return try StoreMoves.setAside(other, to: aside)
    }
}

extension RunDirectory {
    /// Whether a supervisor is at work on `plurix restore`.
    public var isGoingBack: Bool {
        RestoreIntent.load(self) != nil && BackgroundProcess.supervisor.running(in: self) != nil
    }
    /// What a supervisor that is killed in the middle of `plurix restore` leaves to the next one.
    var restoreFile: String { path + "/restore.json" }
    /// The cluster's description in its life to come: whoever belongs to the old one counts for nothing in it.
    var restoredStateFile: String { path + "/restored.json" }
}
