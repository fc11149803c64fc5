import Control
import Store
import Wire

/// What `plurix fsck` finds out about a store.
public struct StoreExamination: Encodable, Sendable {
    public struct Kept: Encodable, Sendable {
        /// Epoch and counter of the commit.
        public var epoch: UInt32
        public var counter: UInt64
        /// Microseconds since 1970.
        public var created: UInt64
        public var label: String
        public var isKept: Bool
    }

    /// Nothing that was saved is lost.
    public var sound: Bool
    public var cluster: UInt64?
    public var checkpoints: [Kept] = []
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
            checkpoints = store.checkpoints.map {
                Kept(
                    epoch: $0.time.epoch, counter: $0.time.counter, created: $0.created, label: $0.label,
                    isKept: $0.isKept)
            }
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
