import Cluster
import Control
import Foundation
import PageServer

/// Carries out what was planned for the store of a new cluster, and takes it back when that cluster does not come up.
actor StoreClaim {
    private let plan: StorePlan
    /// Where the store went that was in the way.
    private(set) var asidePath: String?
    /// The state that the cluster begins with; nil for an empty memory.
    private(set) var beginning: CheckpointReport?
    /// Identifies the cluster once its store is ready.
    private(set) var cluster: UInt64?
    /// Whatever lies in the directory was put there for this cluster.
    private var isOurs = false
    private var isDirectoryOurs = false

    init(_ plan: StorePlan) {
        self.plan = plan
    }

    private var path: String { plan.storage.directory }

    /// Makes the store ready for a cluster, whose identity and memory it may determine.
    ///
    /// - Parameter shared: size of the memory, MiB, where somebody named one.
    /// - Throws: `.input` for a store that cannot be used, `.unavailable` for one in use.
    func prepare(
        _ given: ClusterDescription, shared: Int?, in directory: RunDirectory
    ) async throws(Failure) -> ClusterDescription {
        var description = given
        var beginning = plan.beginning
        if plan.isNew, try StoreFolder.content(of: path) == .store {
            let isSource = if case .fork(let source, _) = beginning { StoreUser.isSame(source, path) } else { false }
            let aside = try StoreUser.named(path) { () throws(Failure) in try StoreFolder.setAside(path) }
            asidePath = aside
            if isSource, case .fork(_, let time) = beginning { beginning = .fork(of: aside, at: time) }
        }
        if beginning != .continued {
            isDirectoryOurs = try StoreFolder.make(
                path, advice: "name another place for the store with --store, or use --volatile")
            isOurs = true
        }
        switch beginning {
        case .empty: try StoreFolder.begin(description)
        case .continued: try revive(&description, shared)
        case .fork(let source, let time):
            try await fork(source, at: time, cluster: description.identifier)
            try revive(&description, shared)
        }
        try StoreUser.note(directory, in: path)
        cluster = description.identifier
        return description
    }

    /// What the store says of the cluster.
    private func revive(_ description: inout ClusterDescription, _ shared: Int?) throws(Failure) {
        let facts = try StoreUser.named(path, otherwise: "begin with a copy of the store with --store") {
            () throws(Failure) in try StoreRevival.prepare(path)
        }
        let mebibytes = Int(facts.sharedPages) / 256
        guard mebibytes * 256 == Int(facts.sharedPages), Up.sharedRange.contains(mebibytes) else {
            throw Failure(
                .input, "\(path) holds a memory of \(facts.sharedPages) pages, which no cluster has", at: path)
        }
        guard shared == nil || shared == mebibytes else {
            throw Failure(
                .input, "--shared \(shared ?? 0) contradicts the store in \(path): its memory has \(mebibytes) MiB",
                advice: "leave --shared out", at: "--shared")
        }
        description.identifier = facts.cluster
        description.sharedMebibytes = mebibytes
        beginning = facts.newest.map { CheckpointReport($0) }
    }

    /// The copy shares the files of the past. A store in use is copied by who uses it.
    private func fork(_ source: String, at time: String?, cluster: UInt64) async throws(Failure) {
        guard let user = StoreUser.livingCluster(of: source) else {
            _ = try StoreRevival.fork(from: source, at: time, into: path, cluster: cluster)
            return
        }
        _ = try await ClusterHandle(user).servingArbiter()
            .send(ArbiterFork(at: time, into: path, cluster: cluster), limit: .seconds(120))
    }

    /// Leaves everything as it was before `prepare`. A store that was gone on with stays what it is.
    func undo() {
        do throws(Failure) {
            if isOurs, access(path, F_OK) == 0 { try StoreFolder.delete(path, andDirectory: isDirectoryOurs) }
            if let asidePath { try StoreMoves.rename(asidePath, to: path) }
        } catch {
            // Why the cluster did not come up is told by the caller; this comes in addition.
            Terminal.progress("not all of it could be undone: \(error)")
        }
        isOurs = false
        asidePath = nil
    }
}

extension StoreUser {
    /// Does something to a store that no cluster uses.
    ///
    /// - Parameter otherwise: what else can be done than to end the cluster that does.
    /// - Throws: `.unavailable` with the name of the cluster that lives on it.
    static func named<Result>(
        _ path: String, otherwise: String? = nil, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard let user = livingCluster(of: path) else { return try body() }
        throw Failure(
            .unavailable, "the store in \(path) is used by the cluster \(user.name)",
            advice: "end that with \(user.hint("down"))" + (otherwise.map { ", or \($0)" } ?? ""), at: path)
    }
}
