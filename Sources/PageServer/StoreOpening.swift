import Control
import Store
import Wire

/// The first steps with a store's directory.
enum StoreOpening {
    /// Opens the store of a cluster for writing, or makes it where there is none.
    ///
    /// - Throws: `.unavailable` when another process uses it; `.input` for one of another cluster or another size, or a
    ///   directory that may not be used; `.fault` for a damaged one.
    static func open(
        _ settings: StoreSettings, cluster: UInt64, sharedPages: UInt32
    ) throws(Failure) -> Store<StoreDirectory> {
        let path = settings.directory
        _ = try StoreFolder.make(path)
        if let store = try existing(settings, cluster: cluster) {
            guard store.geometry.pageCount == Int(sharedPages) else {
                throw Failure(
                    .input, "\(path) holds \(store.geometry.pageCount) pages of shared memory, not \(sharedPages)",
                    advice: "leave --shared out", at: path)
            }
            return store
        }
        let disk = try StoreDirectory(path, for: .creating, isVolatile: settings.isVolatile)
        var generator = SystemRandomNumberGenerator()
        do throws(StoreError) {
            return try Store.create(
                on: disk, cluster: cluster, identity: generator.next(),
                key: SipHash.Key(low: generator.next(), high: generator.next()),
                Geometry(pageCount: Int(sharedPages)))
        } catch {
            throw Failure(error, store: path)
        }
    }

    private static func existing(
        _ settings: StoreSettings, cluster: UInt64
    ) throws(Failure) -> Store<StoreDirectory>? {
        let disk = try StoreDirectory(settings.directory, for: .creating, isVolatile: settings.isVolatile)
        do throws(StoreError) { return try Store.open(disk, cluster: cluster) } catch {
            if error == .noStore { return nil }
            throw Failure(error, store: settings.directory)
        }
    }
}
