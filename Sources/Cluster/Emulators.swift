import Control
import Foundation

/// QEMU processes that run a cluster's machines, found among all processes by what they were started with: also those
/// that a supervisor started and did not live to write down.
enum Emulators {
    /// By number of the node.
    static func running(in directory: RunDirectory) -> [Int: ProcessIdentity] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        var found: [Int: ProcessIdentity] = [:]
        for process in entries.lazy.compactMap({ Int32($0) }) {
            guard let words = ProcessIdentity.commandLine(of: process), let node = node(words, in: directory),
                let identity = ProcessIdentity(of: process)
            else { continue }
            found[node] = identity
        }
        return found
    }

    /// The node whose machine was started with these words, `-name guest=DOMAIN,… … DIRECTORY/…`; nil for all other
    /// processes.
    static func node(_ words: [String], in directory: RunDirectory) -> Int? {
        let title = "guest="
        guard let name = words.first(where: { $0.hasPrefix(title) }),
            words.contains(where: { $0.contains(directory.path + "/") })
        else { return nil }
        let domain = name.dropFirst(title.count).prefix { $0 != "," }
        return MachineDefinition.node(ofDomain: String(domain), cluster: directory.name)
    }
}
