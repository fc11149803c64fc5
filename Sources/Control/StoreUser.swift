import Foundation

/// The file `cluster` beside a store's own files: the run directory of the cluster that uses the store, or used it
/// last. It only says whom to ask; whether a store is in use is decided by its lock.
public enum StoreUser {
    public static let fileName = "cluster"

    /// Says in a store that a cluster uses it.
    ///
    /// - Throws: as `RunDirectory.replace`.
    public static func note(_ directory: RunDirectory, in store: String) throws(Failure) {
        try RunDirectory.replace(store + "/" + fileName, with: Data((directory.path + "\n").utf8))
    }

    /// The cluster that uses the store, if it still says so itself.
    public static func cluster(of store: String) -> RunDirectory? {
        guard let data = FileManager.default.contents(atPath: store + "/" + fileName) else { return nil }
        let path = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .newlines)
        guard path.hasPrefix("/"), let directory = try? RunDirectory(at: path),
            let storage = try? ClusterDescription.load(directory).storage, isSame(storage.directory, store)
        else { return nil }
        return directory
    }

    /// Takes the file away again.
    public static func forget(in store: String) {
        // A store that cannot be written keeps it: it may be out of date anyway.
        unlink(store + "/" + fileName)
    }

    /// Whether two paths lead to one directory.
    public static func isSame(_ first: String, _ second: String) -> Bool {
        var facts = (stat(), stat())
        guard stat(first, &facts.0) == 0, stat(second, &facts.1) == 0 else { return first == second }
        return facts.0.st_dev == facts.1.st_dev && facts.0.st_ino == facts.1.st_ino
    }
}
