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
        var state = try DurableState(Store.open(StoreDirectory(path, for: .reading)))
        self = try SharedImage(reading: &state)
    }
}
