import Control
import Durability
import Foundation
import Store
import Wire

/// What somebody must know of a store to go on with it.
public struct StoreFacts: Sendable {
    public var cluster: UInt64
    public var sharedPages: UInt32
    /// The newest state; nil when nothing was ever saved.
    public var newest: Checkpoint?
}

/// Stores whose clusters do not live: to go on with one, or to make another out of it.
public enum StoreRevival {
    /// Makes the store of a cluster that ended, however it ended, ready for the next arbiter: all its nodes are dead.
    ///
    /// - Throws: `.unavailable` while another process uses it; what hinders a store to be opened.
    public static func prepare(_ path: String) throws(Failure) -> StoreFacts {
        let disk = try StoreDirectory(path, for: .writing)
        do throws(StoreError) {
            var state = try DurableState(Store.open(disk))
            try state.note { $0.buryAll() }
            try state.settle()
            return StoreFacts(
                cluster: state.store.cluster, sharedPages: UInt32(state.store.geometry.pageCount),
                newest: state.store.checkpoints.last)
        } catch {
            throw Failure(error, store: path)
        }
    }

    /// Forgets checkpoints of a store that nobody uses, and frees what only they needed.
    ///
    /// - Parameter names: Labels, `EPOCH:COUNTER` or numbers of commit times.
    /// - Throws: `.input` when one of them does not exist; `.unavailable` while another process uses the store.
    public static func forget(_ names: [String], in path: String) throws(Failure) -> [CheckpointReport] {
        let disk = try StoreDirectory(path, for: .writing)
        var store: Store<StoreDirectory>
        do throws(StoreError) { store = try Store.open(disk) } catch { throw Failure(error, store: path) }
        let checkpoints = try CheckpointName.resolve(names, among: store.checkpoints)
        do throws(StoreError) {
            try store.forget(checkpoints.map(\.time))
            try store.settle()
            while try store.clean(budget: 1 << 20) {}
        } catch {
            throw Failure(error, store: path)
        }
        return checkpoints.map { CheckpointReport($0) }
    }

    /// Makes a store for another cluster, or another life of this one, out of the state at a checkpoint. Both share the
    /// files of the past.
    ///
    /// - Parameters:
    ///   - name: Of the checkpoint; nil for the newest state.
    ///   - target: A directory that is empty or missing, and not inside of the store's own.
    /// - Returns: The commit time of that state.
    /// - Throws: `.unavailable` while another process uses the store; `.input` when there is no such checkpoint, or
    ///   something is in the target, or that cannot be one.
    public static func fork(
        from path: String, at name: String?, into target: String, cluster: UInt64? = nil
    ) throws(Failure) -> GlobalTime {
        let disk = try StoreDirectory(path, for: .writing)
        var state: DurableState<StoreDirectory>
        do throws(StoreError) { state = try DurableState(Store.open(disk)) } catch {
            throw Failure(error, store: path)
        }
        return try fork(&state, from: path, at: name, into: target, cluster: cluster ?? state.store.cluster)
    }

    /// Makes a store out of what a damaged one still holds, which is not touched: the newest state all of which can be
    /// read, or the named one. It gets a cluster of its own: what is lost may have been known to the old one's nodes.
    ///
    /// - Throws: as `fork`; `.fault` when nothing whole is found, with the names of all that is lost.
    public static func salvage(
        from path: String, at name: String?, into target: String
    ) throws(Failure) -> SalvageReport {
        try StoreFolder.refuse(target, inside: path)
        let disk = try StoreDirectory(path, for: .salvaging)
        var state: DurableState<StoreDirectory>
        do throws(StoreError) { state = try DurableState(Store.salvage(disk)) } catch {
            guard case .damaged = error else { throw Failure(error, store: path) }
            throw nothingIsLeft("\(path): \(error)", lost: try namedCheckpoints(path), path)
        }
        var candidates = Array(state.store.checkpoints.reversed())
        let gone: [Checkpoint]
        do throws(StoreError) { gone = try state.lostCheckpoints() } catch { throw Failure(error, store: path) }
        if let name {
            do throws(Failure) { candidates = [try CheckpointName.resolve(name, among: candidates.reversed())] } catch {
                guard let lost = try? CheckpointName.resolve(name, among: gone) else { throw error }
                throw loss(of: lost, in: path, advice: error.advice)
            }
        }
        for one in candidates {
            do throws(StoreError) { guard try state.isWhole(at: one.time) else { continue } } catch {
                throw Failure(error, store: path)
            }
            var saved: [Checkpoint] = []
            _ = try make(from: &state, of: path, at: CheckpointName.text(one.time), into: target) {
                state, time, disk throws(StoreError) in
                var generator = SystemRandomNumberGenerator()
                saved = try state.soundFork(
                    at: time, into: disk, cluster: .random(in: 1 ... .max), identity: generator.next()
                ).store.checkpoints
            }
            let lost = broken(&state, saved, from: one.time) + gone
            // As it is opened to go on with it.
            let newest = try? StoreExamination.checkpoints(of: path).last
            return SalvageReport(
                checkpoint: CheckpointReport(one), isNewest: newest?.time == one.time.raw,
                lost: lost.map { CheckpointReport($0) }, storeDirectory: target)
        }
        guard let name else {
            throw nothingIsLeft(
                "\(path): no state that is whole can be read back", lost: candidates.reversed() + gone, path)
        }
        throw Failure(
            .fault, "\(path): not all of \(name.printable) can be read back", advice: "try an older one", at: path)
    }

    /// The checkpoints that cannot be read back, of those to which the log leads. Whatever hinders it: the new store is
    /// complete by now.
    ///
    /// - Parameters:
    ///   - saved: Those of the new store.
    ///   - time: That of the state with which it begins.
    static func broken(
        _ state: inout DurableState<StoreDirectory>, _ saved: [Checkpoint], from time: GlobalTime
    ) -> [Checkpoint] {
        var broken: [Checkpoint] = []
        for one in state.store.checkpoints where !saved.contains(one) {
            do throws(StoreError) {
                // One that is newer than the one that was wanted is not in the new store, and whole for all that.
                if one.time > time, try state.isWhole(at: one.time) { continue }
                broken.append(one)
            } catch {
                broken.append(one)
            }
        }
        return broken
    }

    /// All that is known of a store of which nothing can be salvaged, by rising time.
    private static func namedCheckpoints(_ path: String) throws(Failure) -> [Checkpoint] {
        let disk = try StoreDirectory(path, for: .salvaging)
        do throws(StoreError) { return try Store.namedCheckpoints(disk) } catch { throw Failure(error, store: path) }
    }

    private static func nothingIsLeft(_ message: String, lost: [Checkpoint], _ path: String) -> Failure {
        let names = lost.map { CheckpointReport($0).title }.joined(separator: ", ")
        return Failure(
            .fault, message + (lost.isEmpty ? "" : "; the checkpoints that are lost: \(names)"),
            advice: "restore the directory from an export, or begin a new one", at: path)
    }

    /// Why a checkpoint of which nothing but the name is left is lost.
    private static func loss(of lost: Checkpoint, in path: String, advice: String?) -> Failure {
        var why = "what leads to it cannot be read back"
        do throws(Failure) {
            let disk = try StoreDirectory(path, for: .reading)
            // As it is opened to go on with it.
            do throws(StoreError) { _ = try Store.examine(disk).cluster } catch { why = error.description }
        } catch {
            why = error.message
        }
        return Failure(
            .fault, "the checkpoint \(CheckpointReport(lost).title) is lost: \(why)",
            advice: advice.map { "what can be read back: \($0)" }, at: path)
    }

    static func fork(
        _ state: inout DurableState<StoreDirectory>, from path: String, at name: String?, into target: String,
        cluster: UInt64
    ) throws(Failure) -> GlobalTime {
        try StoreFolder.refuse(target, inside: path)
        return try make(from: &state, of: path, at: name, into: target) { state, time, disk throws(StoreError) in
            var generator = SystemRandomNumberGenerator()
            _ = try state.fork(at: time, into: disk, cluster: cluster, identity: generator.next())
        }
    }

    /// Lets `body` make a store in the target, where nothing is left when it fails.
    private static func make(
        from state: inout DurableState<StoreDirectory>, of path: String, at name: String?, into target: String,
        _ body: (inout DurableState<StoreDirectory>, GlobalTime, consuming StoreDirectory) throws(StoreError) -> Void
    ) throws(Failure) -> GlobalTime {
        let checkpoints = state.store.checkpoints
        guard let newest = checkpoints.last else {
            throw Failure(
                .input, "nothing was ever saved in this store", advice: "begin a new one with plurix up --new")
        }
        let time = try name.map { (text) throws(Failure) in try CheckpointName.resolve(text, among: checkpoints).time }
            ?? newest.time
        let layout: SharedImage
        do throws(StoreError) { layout = try SharedImage(layoutOf: &state, at: time) } catch {
            var failure = Failure(error, store: path)
            failure.message = "the state at \(CheckpointName.text(time)) cannot be read back: \(failure.message)"
            throw failure
        }
        try layout.checkLayout(of: "the state at \(CheckpointName.text(time))")
        let isNew = try StoreFolder.make(target)
        guard try StoreFolder.content(of: target) == .nothing else { throw Failure(StoreError.exists, store: target) }
        let disk = try StoreDirectory(target, for: .creating)
        do throws(StoreError) { try body(&state, time, disk) } catch {
            // Its beginnings are nobody's.
            if error != .exists { try StoreFolder.delete(target, andDirectory: isNew) }
            throw Failure(error, store: target)
        }
        return time
    }
}
