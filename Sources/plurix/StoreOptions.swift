import ArgumentParser
import Control
import Foundation
import PageServer

/// Where a new cluster keeps what it saves, and what it begins with.
struct StoreOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The store's directory; ~/.local/state/plurix/NAME unless named.", valueName: "dir"),
        completion: .directory)
    var store: String?

    @Flag(
        name: .customLong("volatile"),
        help: "Save in the run directory, without flushes: a power cut loses all, and down removes it.")
    var isVolatile = false

    @Flag(
        name: .customLong("new"),
        help: "Begin a new store; one that is there is not deleted, but renamed to DIR.1 or the next free number.")
    var isNew = false

    @Option(
        help: ArgumentHelp(
            "Go on with the store of a cluster that has ended, which is changed from then on. With --at, --store or"
                + " --volatile it stays as it is: the cluster begins with a copy, also while its own runs.",
            valueName: "dir"),
        completion: .directory)
    var from: String?

    @Option(
        help: ArgumentHelp(
            "Begin at this checkpoint of --from: a label, EPOCH:COUNTER as plurix checkpoints shows it, or newest.",
            valueName: "time|label"))
    var at: String?

    @Option(
        help: ArgumentHelp(
            "How many checkpoints stay, 1 to 1000; those with a label stay anyhow.", valueName: "count"))
    var keep = 10

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Checkpoints younger than this stay too, as 1h or 2d.", valueName: "time"),
        transform: Period.init(option:))
    var keepFor: Period?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Take a checkpoint so often, as 30s or 1h.", valueName: "time"),
        transform: Period.init(option:))
    var checkpointEvery: Period?

    func validate() throws {
        try check(keep, in: ClusterDescription.Storage.keepCountRange, "--keep")
        if checkpointEvery?.seconds == 0 { throw ValidationError("--checkpoint-every is 1s at least") }
        if at != nil, from == nil { throw ValidationError("--at needs --from DIR: the store that has the checkpoint") }
        if store != nil, isVolatile { throw ValidationError("--volatile keeps nothing in --store: use one of them") }
        if from != nil, isNew, !isFork {
            throw ValidationError("--from goes on with a store and --new begins another: use one of them, or --at too")
        }
        for (option, path) in [("--store", store), ("--from", from)] where path?.isEmpty == true {
            throw ValidationError("\(option) needs a directory")
        }
    }

    /// Whether the cluster begins with a copy of the store that it is given.
    private var isFork: Bool { from != nil && (at != nil || store != nil || isVolatile) }

    private static func absolute(_ path: String) -> String {
        (URL(filePath: path).path(percentEncoded: false) as NSString).standardizingPath
    }

    /// What is to be done for a cluster.
    ///
    /// - Throws: `.input` when this user has no place for a store.
    func plan(for directory: RunDirectory) throws(Failure) -> StorePlan {
        let place: String
        if let from, !isFork {
            place = Self.absolute(from)
        } else if isVolatile {
            place = ClusterDescription.Storage.volatile(in: directory).directory
        } else if let store {
            place = Self.absolute(store)
        } else {
            place = try ClusterDescription.Storage.defaultDirectory(of: directory.name)
        }
        let beginning: StorePlan.Beginning =
            switch from {
            case nil: .empty
            case let from? where isFork: .fork(of: Self.absolute(from), at: at)
            case _?: .continued
            }
        return StorePlan(
            storage: ClusterDescription.Storage(
                directory: place, isVolatile: isVolatile, keepCount: keep, keepSeconds: keepFor?.seconds ?? 0,
                checkpointSeconds: checkpointEvery?.seconds ?? 0),
            beginning: beginning, isNew: isNew)
    }
}

/// What the store of a new cluster is made of.
struct StorePlan: Equatable, Sendable {
    enum Beginning: Equatable, Sendable {
        case empty
        /// The store that lies in the directory.
        case continued
        /// A copy of another store, at a checkpoint or as it is.
        case fork(of: String, at: String?)
    }

    var storage: ClusterDescription.Storage
    var beginning: Beginning
    /// A store that lies in the directory goes elsewhere.
    var isNew: Bool

    /// Whether the plan can be carried out, as far as can be seen before anything is changed.
    ///
    /// - Throws: `.input` for a store in the way, or none where one is needed.
    func check(in directory: RunDirectory) throws(Failure) {
        try checkStaying(storage.isVolatile ? nil : storage.directory, in: directory)
        if case .fork(let source, _) = beginning { try checkStaying(source, in: directory) }
        switch beginning {
        case .empty: try checkTarget()
        case .continued: try Self.checkSource(storage.directory)
        case .fork(let source, _):
            try Self.checkSource(source)
            try checkTarget()
        }
    }

    /// What an ended cluster of this name left in its run directory goes before the new one begins.
    private func checkStaying(_ path: String?, in directory: RunDirectory) throws(Failure) {
        guard let path, let place = realpath(path), let removed = realpath(directory.path),
            place == removed || place.hasPrefix(removed + "/")
        else { return }
        throw Failure(
            .input, "\(path) lies in the run directory of the cluster \(directory.name), which goes with the cluster",
            advice: "copy it first: plurix store export \(path.quoted) FILE, plurix store import FILE DIR", at: path)
    }

    private func realpath(_ path: String) -> String? {
        guard let resolved = Glibc.realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private static func checkSource(_ path: String) throws(Failure) {
        guard try StoreFolder.content(of: path) != .store else { return }
        let reason = access(path, F_OK) == 0 ? "there is no store in \(path)" : "there is no directory \(path)"
        throw Failure(.input, reason, advice: "name the directory of a store with --from", at: path)
    }

    private func checkTarget() throws(Failure) {
        let path = storage.directory
        switch try StoreFolder.content(of: path) {
        case .nothing: return
        case .store where isNew: return
        case .store:
            throw Failure(
                .input, "there is a store in \(path) already",
                advice: beginning == .empty
                    ? "go on with it with --from \(path.quoted), or begin a new one with --new, which keeps the old one"
                        + " under another name"
                    : "use another directory with --store, or --new, which keeps the old one under another name",
                at: path)
        case .other(let name):
            throw Failure(
                .input, "\(path) is no store and not empty: it holds \(name)",
                advice: "name an empty or a new directory with --store", at: path)
        }
    }
}
