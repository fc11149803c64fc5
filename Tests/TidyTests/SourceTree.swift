import Foundation

/// The files of the repository that people write.
struct SourceTree {
    struct File: Sendable, CustomStringConvertible {
        /// Path from the repository's root.
        let path: String
        let lines: [String]

        var description: String { path }

        /// The folder below `Sources`; nil elsewhere.
        var room: String? {
            let parts = path.split(separator: "/")
            return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : nil
        }

        /// The line without its comment. A `//` inside a string counts as one, which forbids nothing more.
        static func code(of line: String) -> Substring {
            line.range(of: "//").map { line[..<$0.lowerBound] } ?? line[...]
        }
    }

    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Everything in the folders that hold source, by its ending.
    static let files: [File] = ["Sources", "Tests", "Boot", "Images", "Fuzz", "scripts"].flatMap { folder -> [File] in
        let place = root.appending(path: folder)
        let names = FileManager.default.enumerator(atPath: place.path(percentEncoded: false))
        return (names?.compactMap { $0 as? String } ?? []).sorted().compactMap { file("\(folder)/\($0)") }
    }

    static let swift = files.filter { $0.path.hasSuffix(".swift") }

    private static let endings = ["swift", "asm", "h", "ld", "mk", "xml", "pml"]

    private static func file(_ path: String) -> File? {
        let isScript = path.hasPrefix("scripts/") || path.hasSuffix("/run") || path.hasPrefix("Images/")
        guard isScript || endings.contains((path as NSString).pathExtension),
            let text = try? String(contentsOf: root.appending(path: path), encoding: .utf8)
        else { return nil }
        return File(path: path, lines: text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
    }
}
