import Control
import Foundation
import Store

/// The directory of a store as those see it who do not read it: whether there is one, and its end.
public enum StoreFolder {
    public enum Content: Equatable, Sendable {
        /// Nothing is there, or an empty directory.
        case nothing
        /// Files of a store, sound or not.
        case store
        /// Something else, such as the file that is named.
        case other(String)
    }

    /// What lies beside the files of a store and belongs to nobody.
    private static let ignored: Set<String> = [StoreUser.fileName, "lost+found"]

    /// - Throws: `.input` when it is no directory, or may not be read.
    public static func content(of path: String) throws(Failure) -> Content {
        var facts = stat()
        guard lstat(path, &facts) == 0 || errno != ENOENT else { return .nothing }
        let names: [String]
        do { names = try FileManager.default.contentsOfDirectory(atPath: path) } catch {
            let reason = access(path, R_OK) == 0 ? "it is no directory" : String(cString: strerror(errno))
            throw Failure(
                .input, "the store directory \(path) cannot be read: \(reason)",
                advice: "name another one", at: path)
        }
        if names.contains(where: { DiskFile($0) != nil }) { return .store }
        return names.filter { !ignored.contains($0) }.min().map { .other($0) } ?? .nothing
    }

    /// - Throws: `.input` for a place inside of a store's directory: what lies there goes wherever that is moved.
    public static func refuse(_ path: String, inside store: String) throws(Failure) {
        // What is not there yet is made in the nearest directory that is.
        var (place, existing) = (path, canonical(path))
        while existing == nil, RunDirectory.parent(of: place) != place {
            place = RunDirectory.parent(of: place)
            existing = canonical(place)
        }
        guard var above = existing else { return }
        // The store's directory itself is refused for what is in it.
        if place == path { above = RunDirectory.parent(of: above) }
        while !StoreUser.isSame(above, store) {
            guard above != "/" else { return }
            above = RunDirectory.parent(of: above)
        }
        throw Failure(
            .input, "\(path) would lie inside of the store \(store)", advice: "name a place beside it", at: path)
    }

    /// The path of what is there, without links; nil where nothing is.
    private static func canonical(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Makes an empty directory for a store, for this user alone, and those above it.
    ///
    /// - Parameter advice: How who wants it there names another place.
    /// - Returns: Whether it was not there.
    /// - Throws: `.input` with the system's reason.
    public static func make(
        _ path: String, advice: String = "name another place for the store"
    ) throws(Failure) -> Bool {
        let isNew = try makeOne(path, advice)
        guard access(path, W_OK) == 0 else { throw unusable(path, "written", advice) }
        return isNew
    }

    /// Makes the store of a new cluster. It is there before its page server is, which never makes one: a store that has
    /// vanished must not be taken for one in which nothing was ever saved.
    ///
    /// - Throws: `.input` for a directory that cannot be used, `.unavailable` for a full disk.
    public static func begin(_ description: ClusterDescription) throws(Failure) {
        let store = try StoreOpening.open(
            StoreSettings(description.storage), cluster: description.identifier, sharedPages: description.sharedPages)
        withExtendedLifetime(store.identity) {}
    }

    private static func makeOne(_ path: String, _ advice: String) throws(Failure) -> Bool {
        var isMade = mkdir(path, 0o700) == 0
        if !isMade, errno == ENOENT {
            let parent = RunDirectory.parent(of: path)
            if parent != path { _ = try makeOne(parent, advice) }
            // Only once: behind a dangling link and in /proc a parent is there, and still nothing can be made in it.
            isMade = mkdir(path, 0o700) == 0
        }
        guard isMade || errno == EEXIST else { throw unusable(path, "made", advice) }
        // A store is as lasting as its name.
        if isMade { StoreMoves.flushNames(beside: path) }
        return isMade
    }

    private static func unusable(_ path: String, _ what: String, _ advice: String) -> Failure {
        Failure(
            .input, "the directory \(path) cannot be \(what): \(String(cString: strerror(errno)))", advice: advice,
            at: path)
    }

    /// Gives a store the next free name beside it.
    ///
    /// - Returns: Its new path.
    /// - Throws: `.unavailable` while somebody uses it, `.input` when it cannot be renamed.
    public static func setAside(_ path: String) throws(Failure) -> String {
        let disk = try StoreDirectory(path, for: .writing)
        let name = try StoreMoves.setAside(path, to: StoreMoves.freeName(beside: path))
        // Nobody else could open it until here.
        _ = consume disk
        return name
    }

    /// Deletes the files of a store, and if wanted its directory, unless something else is in it.
    ///
    /// - Throws: `.unavailable` while somebody uses it; `.input` when it may not be written.
    public static func delete(_ path: String, andDirectory: Bool = true) throws(Failure) {
        var disk = try StoreDirectory(path, for: .writing)
        do throws(DiskError) {
            // Without its superblocks nobody takes the rest for a store.
            let files = try disk.files().sorted { $0.isSuperblock && !$1.isSuperblock }
            for file in files { try disk.delete(file) }
        } catch {
            throw Failure(.disk(error, .superblock(0)), store: path)
        }
        StoreUser.forget(in: path)
        // What is not empty stays.
        if andDirectory { rmdir(path) }
    }
}

extension DiskFile {
    fileprivate var isSuperblock: Bool { if case .superblock = self { true } else { false } }
}
