import ArgumentParser
import Control

/// What was noted: who came and went, which epochs were opened and why, which commits they undid, and restores.
struct Events: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what has happened to a cluster: nodes, epochs, undone commits, restores, and why.")

    @OptionGroup var common: CommonOptions

    struct Event: Encodable, Equatable {
        /// UTC, as in `2026-11-21T00:46:36Z`.
        var time: String
        var text: String

        /// A line of the file of notices: the time, a space, and words.
        init?(_ line: String) {
            guard let space = line.firstIndex(of: " ") else { return nil }
            time = String(line[..<space])
            text = String(line[line.index(after: space)...])
        }
    }

    private struct Outcome: Encodable {
        var cluster: String
        var events: [Event]
    }

    func run() throws {
        let directory = try common.directory()
        _ = try ClusterDescription.load(directory)
        let events = directory.notices.lines.compactMap { Event($0) }
        if common.json { return try Terminal.show(json: Outcome(cluster: common.name, events: events)) }
        for event in events { Terminal.show("\(event.time) \(event.text)") }
    }
}
