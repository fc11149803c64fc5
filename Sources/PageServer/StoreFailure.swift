import Control
import Glibc
import Store

extension Failure {
    /// As the system says it.
    private static let noSpace = String(cString: strerror(ENOSPC))

    private static let anotherStore = "restore the directory from an export, or begin a new one"

    /// Nil unless the system's error says that no more files can be opened, which is no fault of the disk.
    init?(outOfFiles code: Int32, at path: String) {
        switch code {
        case EMFILE:
            self.init(
                .unavailable, "\(path): this process has as many files open as it may",
                advice: "start it with a higher limit (ulimit -n)", at: path)
        case ENFILE:
            self.init(
                .unavailable, "\(path): as many files are open on this machine as it can have",
                advice: "end what has many of them open, or raise the limit (fs.file-max)", at: path)
        default: return nil
        }
    }

    /// What went wrong with a store, where, and what can be done about it.
    public init(_ error: StoreError, store path: String) {
        let message = "\(path): \(error)"
        switch error {
        case .noStore where access(path + "/\(DiskFile.superblock(0))", F_OK) == 0:
            self.init(
                .fault, "\(path): its superblocks are damaged, and no segment is there that could hold what was saved",
                advice: Self.anotherStore, at: path)
        case .noStore: self.init(.input, message, advice: "name the directory of a store", at: path)
        case .exists: self.init(.input, message, advice: "name a directory that is empty or missing", at: path)
        case .newerFormat: self.init(.input, message, advice: "use the plurix that wrote it, or a later one", at: path)
        case .otherCluster, .noCheckpoint, .foreign: self.init(.input, message, at: path)
        case .badArchive: self.init(.input, message, advice: "export it again", at: path)
        case .disk(.missing, _): self.init(.input, message, at: path)
        case .disk(.denied, _):
            self.init(
                .input, message,
                advice: "make it writable for this user, or use a copy: plurix store export \(path.quoted) FILE, then"
                    + " plurix store import FILE DIR", at: path)
        case .disk(.full, _):
            self.init(.unavailable, "\(path): \(Self.noSpace)", advice: "make room on that disk", at: path)
        case .damaged:
            self.init(
                .fault, message,
                advice: "restore the directory from an export, save what is left with plurix store salvage"
                    + " \(path.quoted) NEW, or begin a new one", at: path)
        case .disk(.failed(let code), _):
            self = Failure(outOfFiles: code, at: path)
                ?? Failure(.fault, message, advice: "look at the disk's own reports", at: path)
        case .disk(.exists, _), .readOnly: self.init(.fault, message, at: path)
        case .tooLarge:
            self.init(
                .unavailable, "\(path): it has so many segments that their list takes half a segment, and no more fits",
                advice: "forget old checkpoints with plurix forget, or begin a new store with plurix up --new",
                at: path)
        }
    }
}
