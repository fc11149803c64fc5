import ArgumentParser
import Cluster
import Control
import Logging
import PageServer
import Segment

/// What the background processes take. They are started by other commands, never by hand.
struct BackgroundArguments: ParsableArguments {
    @Argument(help: "The cluster's run directory.")
    var path: String

    func run(
        _ process: BackgroundProcess, _ body: (RunDirectory, Logger) async throws -> Void
    ) async throws {
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        let directory = try RunDirectory(at: path)
        try await process.run(in: directory) {
            try await body(directory, Logger(label: process.rawValue))
        }
    }
}

struct SupervisorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "supervisor", abstract: "Own a cluster's machines.", shouldDisplay: false)

    @OptionGroup var arguments: BackgroundArguments

    func run() async throws {
        try await arguments.run(.supervisor) { directory, logger in
            try await SupervisorProcess(in: directory, logger: logger).run()
        }
    }
}

struct SegmentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "segment", abstract: "Be a cluster's Ethernet segment.", shouldDisplay: false)

    @OptionGroup var arguments: BackgroundArguments

    func run() async throws {
        try await arguments.run(.segment) { directory, logger in
            try await SegmentProcess(in: directory, logger: logger).run()
        }
    }
}

/// The arbiter with a disk.
struct PageServerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pageserver", abstract: "Be a cluster's arbiter, and keep what it saves on disk.",
        shouldDisplay: false)

    @OptionGroup var arguments: BackgroundArguments

    @Option(help: ArgumentHelp("The store; it must be the cluster's.", valueName: "dir"))
    var directory: String

    func run() async throws {
        try await arguments.run(.arbiter) { run, logger in
            let description = try ClusterDescription.load(run)
            guard directory == description.storage.directory else {
                throw Failure(
                    .input, "the cluster's store is \(description.storage.directory), not \(directory)", at: directory)
            }
            guard try StoreFolder.content(of: directory) == .store else {
                throw Failure(
                    .unavailable, "the store \(directory) is gone",
                    advice: "put it back", at: directory)
            }
            try await ArbiterProcess(ArbiterSettings(description), in: run, logger: logger).run()
        }
    }
}

struct ArbiterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "arbiter", abstract: "Be a cluster's arbiter.", shouldDisplay: false)

    @OptionGroup var arguments: BackgroundArguments

    func run() async throws {
        try await arguments.run(.arbiter) { directory, logger in
            let settings = try ArbiterSettings(ClusterDescription.load(directory))
            try await ArbiterProcess(settings, in: directory, logger: logger).run()
        }
    }
}
