import Control
import Foundation

/// Where Plurix finds its own files and its tools on this machine.
public struct Installation: Sendable {
    /// Absolute path of this executable.
    public let executable: String
    /// Directory of `node.elf` and `node-domain.xml`; nil when it is not found.
    public let imageDirectory: String?

    public static let emulatorName = "qemu-system-x86_64"

    public init() {
        executable = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "plurix"
        let beside = (executable as NSString).deletingLastPathComponent
        // Beside the executable, in the build directory (.build/TRIPLE/release/plurix), or installed below a prefix.
        let places = ["/image", "/../../image", "/../image", "/../share/plurix"].map { beside + $0 }
        imageDirectory = places.map { ($0 as NSString).standardizingPath }
            .first { FileManager.default.fileExists(atPath: $0 + "/node-domain.xml") }
    }

    /// The node image: `chosen`, or the one that was built with this executable.
    ///
    /// - Throws: `.input` when the chosen one cannot be read, `.unavailable` when there is none.
    public func image(_ chosen: String?) throws(Failure) -> String {
        if let chosen {
            let path = (URL(filePath: chosen).path(percentEncoded: false) as NSString).standardizingPath
            try checkReadable(path, "the image")
            return path
        }
        guard let path = imageDirectory.map({ $0 + "/node.elf" }), FileManager.default.fileExists(atPath: path) else {
            throw Failure(
                .unavailable, "there is no node image beside \(executable)", advice: "build it with make image")
        }
        return path
    }

    /// The text of `Images/node-domain.xml`.
    public func domainTemplate() throws(Failure) -> String {
        guard let imageDirectory else {
            throw Failure(
                .unavailable, "node-domain.xml is not beside \(executable)",
                advice: "build with make build, or reinstall")
        }
        let path = imageDirectory + "/node-domain.xml"
        do { return try String(contentsOfFile: path, encoding: .utf8) } catch {
            throw Failure(error, while: "reading \(path)")
        }
    }

    /// Absolute path of the emulator.
    ///
    /// - Throws: `.unavailable` when it is not installed.
    public func emulator() throws(Failure) -> String {
        guard let path = Self.find(Self.emulatorName) else {
            throw Failure(
                .unavailable, "\(Self.emulatorName) is not in PATH",
                advice: "install it with apt install qemu-system-x86", at: Self.emulatorName)
        }
        return path
    }

    /// Absolute path of qboot, the firmware that starts a node.
    ///
    /// - Throws: `.unavailable` when it is not installed.
    public func firmware() throws(Failure) -> String {
        let places = ["/usr/share/qemu/qboot.rom", "/usr/local/share/qemu/qboot.rom", "/usr/share/qboot/qboot.rom"]
        guard let path = places.first(where: { FileManager.default.isReadableFile(atPath: $0) }) else {
            throw Failure(
                .unavailable, "\(places[0]) is missing", advice: "install it with apt install qemu-system-data",
                at: places[0])
        }
        return path
    }

    /// A program in PATH.
    public static func find(_ program: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        return path.split(separator: ":").map { "\($0)/\(program)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Changes whenever QEMU or this version of Plurix's start-up changes: answers that were found by trying are kept
    /// under it.
    public static func emulatorFingerprint(_ path: String) -> String {
        let attributes = try? FileManager.default.attributesOfItem(atPath: (path as NSString).resolvingSymlinksInPath)
        let modified = (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
        let size = (attributes?[.size] as? Int) ?? 0
        return "\((path as NSString).lastPathComponent)-\(size)-\(Int(modified))"
    }

    /// This user's directory for answers that outlive clusters; nil when the user has no place for one.
    public static func cacheDirectory() -> String? {
        let environment = ProcessInfo.processInfo.environment
        let base =
            environment["XDG_CACHE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
            ?? environment["HOME"].map { $0 + "/.cache" }
        guard let base else { return nil }
        let path = base + "/plurix"
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return access(path, W_OK) == 0 ? path : nil
    }
}

/// - Throws: `.input` unless `path` is a file that this user may read.
public func checkReadable(_ path: String, _ what: String) throws(Failure) {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
        throw Failure(.input, "\(what) \(path) does not exist", at: path)
    }
    guard !isDirectory.boolValue else { throw Failure(.input, "\(what) \(path) is a directory", at: path) }
    guard access(path, R_OK) == 0 else {
        throw Failure(.input, "\(what) \(path) cannot be read by this user", at: path)
    }
}
