import Control
import Store
import Synchronization
import Wire

/// The pages of the newest state that a store had when it was opened, one by one, beside who writes to it.
final class StoredPages: Sendable {
    /// Pages that were ever written.
    let count: Int
    private let reader: Mutex<PageReader<StoreDirectory>>
    /// The store's own word on a page of which this version is not where it was; nil when a newer one is saved.
    private let ask: @Sendable (UInt32, GlobalTime) -> Result<[UInt8]?, Failure>

    init(
        _ reader: consuming PageReader<StoreDirectory>,
        orElse ask: @escaping @Sendable (UInt32, GlobalTime) -> Result<[UInt8]?, Failure>
    ) {
        count = reader.count
        self.reader = Mutex(reader)
        self.ask = ask
    }

    /// Whether the page was ever written.
    func has(_ page: UInt32) -> Bool { version(of: page) > .zero }

    /// The version of the page that is read; zero when it was never written.
    func version(of page: UInt32) -> GlobalTime { reader.withLock { $0.version(of: page) } }

    /// The bytes of a page that was written; nil when a newer version of it is saved.
    ///
    /// - Throws: Why it cannot be read back as it was written.
    func bytes(of page: UInt32) throws(Failure) -> [UInt8]? {
        let (bytes, version) = reader.withLock { ($0.read(page), $0.version(of: page)) }
        if let bytes { return bytes }
        return try ask(page, version).get()
    }

    /// Reads pages that lie behind each other, as `PageReader.readRun`. Who wants one of them meanwhile waits.
    func readRun(from first: Int, most: Int) -> (pages: [(number: UInt32, bytes: [UInt8]?)], end: Int) {
        reader.withLock { reader in
            var pages: [(number: UInt32, bytes: [UInt8]?)] = []
            let end = reader.readRun(from: first, most: most) { pages.append(($0, $1)) }
            return (pages, end)
        }
    }
}
