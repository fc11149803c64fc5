import ArgumentParser
import Cluster
import Control

struct Down: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "End a cluster and remove everything it left, also what a kill -9 left behind.")

    @OptionGroup var common: CommonOptions

    private struct Outcome: Encodable {
        var cluster: String
        var removed: Bool
    }

    func run() async throws {
        let removed = try await Teardown(common.directory()).run()
        if common.json { return try Terminal.show(json: Outcome(cluster: common.name, removed: removed)) }
        Terminal.show(removed ? "cluster \(common.name) is removed" : "there is no cluster \(common.name)")
    }
}
