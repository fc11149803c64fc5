import Control
import Foundation

/// What the supervisor remembers of a node, so that its successor finds it again.
struct NodeRecord: Codable, Sendable {
    enum Stage: String, Codable, Sendable {
        case running, paused, dead
    }

    var number: Int
    var stage: Stage
    /// QEMU's process.
    var process: ProcessIdentity?
    /// When QEMU started, in microseconds since 1970.
    var startedAt: UInt64

    var name: String { "n\(number)" }

    static func load(_ directory: RunDirectory) -> [NodeRecord] {
        FileManager.default.contents(atPath: directory.nodesFile)
            .flatMap { try? JSONDecoder().decode([NodeRecord].self, from: $0) } ?? []
    }

    static func save(_ records: [NodeRecord], in directory: RunDirectory) throws(Failure) {
        do { try RunDirectory.replace(directory.nodesFile, with: JSONEncoder().encode(records)) } catch {
            throw Failure(error, while: "writing \(directory.nodesFile)")
        }
    }

    /// QEMU's process as libvirt recorded it, checked to be one that works for this directory.
    static func emulatorProcess(domain: String, in directory: RunDirectory) -> ProcessIdentity? {
        let places = [directory.libvirtRoot + "/run/qemu/\(domain).pid", "/run/libvirt/qemu/\(domain).pid"]
        for place in places {
            guard let text = try? String(contentsOfFile: place, encoding: .utf8),
                let number = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)),
                ProcessIdentity.commandLine(of: number, contains: directory.path + "/")
            else { continue }
            return ProcessIdentity(of: number)
        }
        return nil
    }
}

/// The number of a node named `n1`, `n2`, …
///
/// - Throws: `.usage` when it is no such name.
public func nodeNumber(_ name: String, maximum: Int) throws(Failure) -> Int {
    guard name.hasPrefix("n"), let number = Int(name.dropFirst()), (1...maximum).contains(number),
        name == "n\(number)"
    else { throw Failure(.usage, "\"\(name)\" is no node", advice: "nodes are n1 to n\(maximum)", at: name) }
    return number
}
