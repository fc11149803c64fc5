import Foundation

extension ClusterDescription {
    /// Where a cluster's arbiter keeps what it saves, and for how long.
    public struct Storage: Codable, Equatable, Sendable {
        /// Absolute path of the store.
        public var directory: String
        /// The store lies in the run directory, is never flushed, and goes with the cluster: it outlives every process
        /// of the cluster, but not the machine.
        public var isVolatile: Bool
        /// The newest so many checkpoints stay.
        public var keepCount: Int
        /// Checkpoints that are younger stay too, seconds.
        public var keepSeconds: UInt64
        /// A checkpoint is taken and kept so often, seconds; 0 for none but those that are asked for.
        public var checkpointSeconds: UInt64

        public static let keepCountRange = 1...1000
        /// A hundred years, so that microseconds since 1970 do not overflow.
        public static let maximumSeconds: UInt64 = 100 * 365 * 86_400

        public init(
            directory: String, isVolatile: Bool, keepCount: Int = 10, keepSeconds: UInt64 = 0,
            checkpointSeconds: UInt64 = 0
        ) {
            self.directory = directory
            self.isVolatile = isVolatile
            self.keepCount = keepCount
            self.keepSeconds = keepSeconds
            self.checkpointSeconds = checkpointSeconds
        }

        var isPossible: Bool {
            directory.hasPrefix("/") && Self.keepCountRange.contains(keepCount) && keepSeconds <= Self.maximumSeconds
                && checkpointSeconds <= Self.maximumSeconds
        }

        /// The store of a volatile cluster.
        public static func volatile(in directory: RunDirectory) -> Storage {
            Storage(directory: directory.path + "/store", isVolatile: true)
        }

        /// Where the store of a cluster lies unless `--store` says otherwise: `$XDG_STATE_HOME/plurix/NAME`, or
        /// `~/.local/state/plurix/NAME` where that is not set.
        ///
        /// - Throws: `.input` when the user has no place for it.
        public static func defaultDirectory(
            of name: String, environment: [String: String] = ProcessInfo.processInfo.environment
        ) throws(Failure) -> String {
            let base =
                environment["XDG_STATE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
                ?? environment["HOME"].flatMap { $0.hasPrefix("/") ? $0 + "/.local/state" : nil }
            guard let base else {
                throw Failure(
                    .input, "there is no directory for the cluster's store",
                    advice: "name one with --store, set HOME or XDG_STATE_HOME, or use --volatile", at: "--store")
            }
            return (base as NSString).standardizingPath + "/plurix/" + name
        }
    }
}
