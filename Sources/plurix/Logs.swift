import ArgumentParser
import Control
import Foundation

struct Logs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show a node's serial console.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var target: NodeArgument

    @Flag(help: "Go on showing what is added, until interrupted or the cluster is removed.")
    var follow = false

    func validate() throws {
        guard !(follow && common.json) else { throw ValidationError("--follow has no end, so it is no --json") }
    }

    private struct Console: Encodable {
        var node: String
        var text: String
    }

    func run() async throws {
        // Nothing of it need be at work.
        let directory = try common.directory()
        _ = try ClusterDescription.load(directory)
        let path = directory.serialLog(try target.number())
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw Failure(
                .input, "there is no console of \(target.node)", advice: "see \(directory.hint("status"))",
                at: target.node)
        }
        if common.json {
            let text = String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self)
            return try Terminal.show(json: Console(node: target.node, text: text))
        }
        repeat {
            while let data = try file.read(upToCount: 1 << 16), !data.isEmpty {
                try FileHandle.standardOutput.write(contentsOf: data)
            }
            if follow { try await Task.sleep(for: .milliseconds(100)) }
        } while follow && directory.exists
    }
}
