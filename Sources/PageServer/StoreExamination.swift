import Control
import Store

/// What `plurix fsck` finds out about a store.
public struct StoreExamination: Encodable, Sendable {
    /// Nothing that was saved is lost.
    public var sound: Bool
    public var cluster: UInt64?
    public var checkpoints: [CheckpointReport] = []
    public var segments = 0
    public var bytes = 0
    public var pages = 0
    public var neededPages = 0
    public var findings: [String] = []

    /// Reads a store from end to end. Nothing is changed.
    ///
    /// - Throws: What hinders that: `.input` for a directory that is no store, `.unavailable` for one in use.
    public init(of path: String) throws(Failure) {
        let disk = try StoreDirectory(path, for: .reading)
        do throws(StoreError) {
            var store = try Store.examine(disk)
            let inventory = try store.verify()
            sound = inventory.isSound
            cluster = store.cluster
            checkpoints = store.checkpoints.map { CheckpointReport($0) }
            segments = inventory.segments
            bytes = inventory.bytes
            pages = inventory.pages
            neededPages = inventory.neededPages
            findings = inventory.findings.map(\.description)
        } catch {
            guard case .damaged = error else { throw Failure(error, store: path) }
            sound = false
            findings = [error.description]
        }
    }

    /// The cluster that a store belongs to.
    ///
    /// - Throws: as `init`; `.fault` for one that is damaged.
    public static func cluster(of path: String) throws(Failure) -> UInt64 {
        let disk = try StoreDirectory(path, for: .reading)
        do throws(StoreError) { return try Store.examine(disk).cluster } catch { throw Failure(error, store: path) }
    }

    /// The checkpoints of a store that nobody uses, oldest first.
    ///
    /// - Throws: `.input` for a directory that is no store, `.unavailable` for one in use, `.fault` for a damaged one.
    public static func checkpoints(of path: String) throws(Failure) -> [CheckpointReport] {
        let disk = try StoreDirectory(path, for: .reading)
        do throws(StoreError) { return try Store.examine(disk).checkpoints.map { CheckpointReport($0) } } catch {
            throw Failure(error, store: path)
        }
    }
}
