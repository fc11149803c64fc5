import Foundation

/// Where a running cluster keeps its sockets, logs and state. `plurix down` removes the whole directory.
///
/// It lies in `$XDG_RUNTIME_DIR/plurix`, or in `/tmp/plurix-UID` where that is not set: the paths of Unix sockets end
/// at 108 bytes, which rules out most home directories.
public struct RunDirectory: Equatable, Sendable {
    /// The cluster's name.
    public let name: String
    /// Absolute path of the cluster's directory.
    public let path: String

    /// The name of a cluster that was given none.
    public static let defaultName = "plurix"
    /// Longest name of a cluster: the longest socket path (libvirt's monitor of a node) still fits with it.
    public static let maximumNameBytes = 24

    /// - Throws: `.usage` when the name cannot be one; `.input` when socket paths would get too long.
    public init(name: String, base: String = RunDirectory.base()) throws(Failure) {
        let isLegal =
            name.utf8.count <= Self.maximumNameBytes && name.utf8.first.map(Self.isAlphanumeric) == true
            && name.utf8.allSatisfy { Self.isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
        guard isLegal else {
            throw Failure(
                .usage,
                "\"\(name)\" cannot name a cluster",
                advice: "use at most \(Self.maximumNameBytes) letters, digits, - and _, beginning with a letter or"
                    + " digit",
                at: "--name")
        }
        self.name = name
        path = base + "/" + name
        let longest = libvirtRoot + "/lib/qemu/domain-9999-" + String(repeating: "x", count: 20) + "/monitor.sock"
        guard longest.utf8.count < 108 else {
            throw Failure(
                .input, "\(base) is too long a path for sockets",
                advice: "set XDG_RUNTIME_DIR to a shorter directory", at: base)
        }
    }

    /// The directory at an absolute path: what the background processes are given.
    public init(at path: String) throws(Failure) {
        let url = path as NSString
        try self.init(name: url.lastPathComponent, base: url.deletingLastPathComponent)
    }

    /// The directory that holds the directories of all clusters of this user.
    public static func base() -> String {
        if let runtime = ProcessInfo.processInfo.environment["XDG_RUNTIME_DIR"], runtime.hasPrefix("/"),
            access(runtime, W_OK) == 0
        {
            return runtime + "/plurix"
        }
        return "/tmp/plurix-\(getuid())"
    }

    /// The directory that holds this one.
    public var base: String { (path as NSString).deletingLastPathComponent }

    /// Creates the directory and the one that holds it, for this user alone.
    ///
    /// - Throws: `.input` when somebody else owns the place.
    public func create() throws(Failure) {
        try createBase()
        try Self.create(path)
    }

    /// Creates the directory that holds the directories of all clusters.
    ///
    /// - Throws: `.input` when somebody else owns the place.
    public func createBase() throws(Failure) { try Self.create(base) }

    private static func create(_ directory: String) throws(Failure) {
        guard mkdir(directory, 0o700) == 0 || errno == EEXIST else {
            throw Failure(
                .input, "cannot create \(directory): \(String(cString: strerror(errno)))",
                advice: "set XDG_RUNTIME_DIR to a directory of yours that can be written", at: directory)
        }
        var facts = stat()
        guard lstat(directory, &facts) == 0, facts.st_mode & S_IFMT == S_IFDIR, facts.st_uid == geteuid(),
            facts.st_mode & 0o022 == 0
        else {
            throw Failure(
                .input, "\(directory) is not a directory of this user alone", advice: "remove it and try again",
                at: directory)
        }
    }

    public var exists: Bool { access(path, F_OK) == 0 }

    /// Names of all clusters of this user that have a directory.
    public static func names(base: String = RunDirectory.base()) -> [String] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: base)) ?? []
        return entries.filter { (try? RunDirectory(name: $0, base: base))?.hasState == true }.sorted()
    }

    var hasState: Bool { access(stateFile, F_OK) == 0 }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}

// What lies where in it.
extension RunDirectory {
    /// The cluster's `ClusterDescription`.
    public var stateFile: String { path + "/cluster.json" }
    /// The nodes that the supervisor started.
    public var nodesFile: String { path + "/nodes.json" }
    /// When the program that runs began, for an arbiter that goes on with it.
    public var jobFile: String { path + "/job.json" }
    public var supervisorSocket: String { path + "/supervisor.sock" }
    public var segmentSocket: String { path + "/segment.sock" }
    public var arbiterSocket: String { path + "/arbiter.sock" }
    /// Faults and ports of the segment, which a restarted segment goes on with.
    public var segmentState: String { path + "/segment.json" }
    /// Root of libvirt's embedded driver.
    public var libvirtRoot: String { path + "/v" }
    /// Where the segment receives what a station sends.
    public func switchSocket(_ station: UInt8) -> String { path + "/s\(station)" }
    /// Where a station receives what the segment sends.
    public func stationSocket(_ station: UInt8) -> String { path + "/n\(station)" }
    /// The serial console of a node.
    public func serialLog(_ node: Int) -> String { path + "/n\(node).log" }
    /// What the lives of a node have told of their transactions, oldest first. Every machine has such a file.
    public func histories(_ node: Int) -> [String] {
        var paths: [String] = []
        while access(history(node, life: paths.count + 1), F_OK) == 0 {
            paths.append(history(node, life: paths.count + 1))
        }
        return paths
    }
    /// Where the node's next machine tells of its transactions.
    public func nextHistory(_ node: Int) -> String { history(node, life: histories(node).count + 1) }
    private func history(_ node: Int, life: Int) -> String { path + "/n\(node).\(life).history" }
    /// The boot module of a node, mode 0600: the cluster's key is in it.
    public func bootModule(_ node: Int) -> String { path + "/n\(node).module" }
    /// The log, lock and process record of one of the background processes.
    public func log(of process: String) -> String { path + "/\(process).log" }
    public func lock(of process: String) -> String { path + "/\(process).lock" }
    public func record(of process: String) -> String { path + "/\(process).process" }
}
