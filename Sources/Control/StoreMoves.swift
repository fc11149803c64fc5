import Foundation

/// Whole store directories that change their names. Nothing in them is touched.
public enum StoreMoves {
    /// `PATH.1`, or with the lowest number that gives a name that nothing has.
    public static func freeName(beside path: String) -> String {
        var number = 1
        while isTaken("\(path).\(number)") { number += 1 }
        return "\(path).\(number)"
    }

    /// `PATH.new`, or if something has that name, one of its numbered ones.
    public static func nameForNew(beside path: String) -> String {
        isTaken(path + ".new") ? freeName(beside: path + ".new") : path + ".new"
    }

    private static func isTaken(_ path: String) -> Bool {
        var facts = stat()
        return lstat(path, &facts) == 0 || errno != ENOENT
    }

    /// Gives a directory another name, so that it has it after a power cut too.
    ///
    /// - Throws: `.input` with the system's reason; the directory then has its old name.
    public static func rename(_ path: String, to new: String) throws(Failure) {
        guard Foundation.rename(path, new) == 0 else { throw failure(path, new) }
        flushNames(beside: new)
    }

    /// Gives a store that no cluster has any more another name, or where that is taken the next free one.
    ///
    /// - Returns: Its new path.
    /// - Throws: as `rename`.
    public static func setAside(_ path: String, to wanted: String) throws(Failure) -> String {
        let name = isTaken(wanted) ? freeName(beside: wanted) : wanted
        try rename(path, to: name)
        StoreUser.forget(in: name)
        return name
    }

    /// What is said of a directory that cannot be renamed, by the system's error number.
    public static func failure(_ path: String, _ new: String, _ code: Int32 = errno) -> Failure {
        let place = RunDirectory.parent(of: path)
        let advice =
            switch code {
            case EACCES, EPERM, EROFS: "make \(place) writable for this user, or use another directory with --store"
            case EBUSY: "use a directory below it with --store: it is the place of a file system"
            default: "use another directory with --store"
            }
        return Failure(
            .input, "\(path) cannot be renamed to \(new): \(String(cString: strerror(code)))", advice: advice, at: path)
    }

    /// Lets the names in the directory of `path` survive a power cut, where its file system can.
    public static func flushNames(beside path: String) {
        let parent = open(RunDirectory.parent(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard parent >= 0 else { return }
        fsync(parent)
        close(parent)
    }
}
