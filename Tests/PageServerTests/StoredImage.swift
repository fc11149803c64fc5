import Control
import Durability
import Store

@testable import PageServer

extension Cluster {
    nonisolated var store: String { arbiterSettings.store.directory }
}

extension SharedImage {
    /// What an arbiter that has ended left in its store.
    init(in path: String) throws {
        let state = try DurableState(Store.open(StoreDirectory(path, for: .reading)))
        let stored = StoredPages(try state.store.makeReader()) { page, _ in
            .failure(Failure(.fault, "page \(page) cannot be read"))
        }
        try self.init(stored, pageCount: state.store.geometry.pageCount, at: state.time)
        // Before another one writes.
        for page in 0..<UInt32(pageCount) { _ = fetch(page) }
    }
}
