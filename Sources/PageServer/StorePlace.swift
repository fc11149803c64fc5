import Control
import Glibc

/// Which directory a store is in. A process goes on in a directory that was moved or removed; who looks for the store
/// by its path then finds another one, or none.
struct StorePlace: Sendable {
    let path: String
    private let device: dev_t
    private let number: ino_t

    /// The directory at a path; nil where there is none.
    init?(_ path: String) {
        var facts = stat()
        guard stat(path, &facts) == 0 else { return nil }
        self.path = path
        device = facts.st_dev
        number = facts.st_ino
    }

    /// Why nobody would find the store by its path; nil when it is there.
    var trouble: Failure? {
        let now = StorePlace(path)
        guard now?.device != device || now?.number != number else { return nil }
        let what = now == nil ? "is not there any more" : "is another directory by now"
        return Failure(
            .unavailable, "the store \(path) \(what): what is saved from now on is lost with the cluster",
            advice: "move the store's directory back to its place", at: path)
    }
}
