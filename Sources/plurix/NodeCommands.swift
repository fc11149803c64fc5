import ArgumentParser
import Cluster
import Control
import Wire

/// What commands on one node take.
struct NodeArgument: ParsableArguments {
    @Argument(help: "The node: n1, n2, …")
    var node: String

    func number() throws -> Int { try nodeNumber(node, maximum: Limits.maximumNodes) }

    func validate() throws {
        do { _ = try number() } catch let failure as Failure { throw ValidationError(failure.message) }
    }
}

/// The answer of commands that change a node.
struct NodeChange: Encodable {
    var node: String
    var state: String
}

private func report(_ node: String, _ state: String, _ words: String, json: Bool) throws {
    if json { try Terminal.show(json: NodeChange(node: node, state: state)) } else { Terminal.show("\(node) \(words)") }
}

struct Add: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start one more node and wait until it has joined.",
        discussion: "Without NODE it gets the lowest number that is free; a dead node's number is free.")

    @OptionGroup var common: CommonOptions

    @Argument(help: "The node's name.")
    var node: String?

    @Option(help: ArgumentHelp("How long to wait for the node, 1 to 3600.", valueName: "seconds"))
    var timeout = 60

    @OptionGroup var expert: ExpertOptions

    func validate() throws { try check(timeout, in: Up.timeoutRange, "--timeout") }

    func run() async throws {
        let cluster = try common.cluster()
        let wanted = try node.map { try nodeNumber($0, maximum: Limits.maximumNodes) }
        let image = try expert.checkedImage()
        let number = try await cluster.startNode(
            wanted, image: image, key: expert.key(), maximumFrameBytes: expert.mtu?.frameBytes)
        do {
            let status = try await JoinWatch(cluster, limit: .seconds(timeout)).wait(for: [number]) { status in
                Terminal.progress(status.joining { $0 == "n\(number)" })
            }
            if common.json { return try Terminal.show(json: status.nodes.first { $0.name == "n\(number)" }) }
            Terminal.show("n\(number) has joined")
        } catch {
            // A node that was turned away, or that does not come, is not left running. Its failure is the one to tell.
            try? await cluster.kill(number)
            try? await cluster.remove(number)
            throw error
        }
    }
}

struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let a node leave in order: waits until what it alone holds is saved.",
        discussion: "Where that cannot be saved, as on a full disk, the node stays, and the exit code is 69.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var target: NodeArgument

    func run() async throws {
        try await common.cluster().remove(target.number())
        try report(target.node, "left", "left", json: common.json)
    }
}

struct Kill: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "End a node as a power failure would.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var target: NodeArgument

    func run() async throws {
        try await common.cluster().kill(target.number())
        try report(target.node, "dead", "is dead", json: common.json)
    }
}

struct Pause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Stop a node's machine; its clocks stand still too.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var target: NodeArgument

    func run() async throws {
        try await common.cluster().pause(target.number())
        try report(target.node, "paused", "is paused", json: common.json)
    }
}

struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Let a paused node go on.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var target: NodeArgument

    func run() async throws {
        try await common.cluster().resume(target.number())
        try report(target.node, "running", "goes on", json: common.json)
    }
}
