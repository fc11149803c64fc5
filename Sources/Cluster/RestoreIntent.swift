import CLinux
import Control
import Foundation

/// A cluster's way back to an earlier state, written down before anything is changed, so that the successor of a
/// supervisor that is killed on it ends it: with the old state up to the moment at which the stores are exchanged, with
/// the earlier one from there.
struct RestoreIntent: Codable {
    /// The cluster's store.
    var store: String
    /// Until the exchange the store to come, from there on the old one.
    var other: String
    /// Number of the directory of the store to come, which it keeps in the exchange.
    var inode: UInt64
    /// Nodes that are to run afterwards.
    var nodes: [Int]

    init(store: String, other: String, nodes: [Int]) throws(Failure) {
        guard let inode = Self.inode(of: other) else {
            throw Failure(.fault, "\(other) is missing: \(String(cString: strerror(errno)))", at: other)
        }
        self.store = store
        self.other = other
        self.inode = inode
        self.nodes = nodes
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

    var isExchanged: Bool { Self.inode(of: store) == inode }

    private static func inode(of path: String) -> UInt64? {
        var facts = stat()
        return stat(path, &facts) == 0 ? UInt64(facts.st_ino) : nil
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
}

extension RunDirectory {
    /// What a supervisor that is killed in the middle of `plurix restore` leaves to the next one.
    var restoreFile: String { path + "/restore.json" }
    /// The cluster's description in its life to come: whoever belongs to the old one counts for nothing in it.
    var restoredStateFile: String { path + "/restored.json" }
}
