import ArgumentParser
import Cluster
import Control
import Foundation
import PageServer

/// The command `plurix`.
@main
struct Plurix: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plurix",
        abstract: "Bare-metal nodes in virtual machines that share one transactional memory.",
        discussion: """
            A first session: plurix up; plurix run counter 1000; plurix status; plurix down.

            Exit codes: 0 done; 64 an unknown command, an option given twice, or a value outside its set or range; 65 \
            an unknown program, an unusable file, more than the memory takes, no such node or checkpoint, a cluster \
            name in use, a store in the way, missing, or of another size, cluster, image or format; 69 something is \
            missing or has died: a tool, a node, the cluster, or it is busy or was stopped, a store is in use, the \
            disk is full, or the last commits cannot be saved; 70 a fault of Plurix or of a program, a history that \
            shows one, and a damaged store; 75 something did not happen in time. An interrupted command ends with 128 \
            and the signal's number.

            With --json a result is one object on stdout, and an error is one on stderr: error, where, advice, exitCode.
            """,
        version: "0.1.0",
        groupedSubcommands: [
            CommandGroup(name: "Cluster", subcommands: [Up.self, Down.self, Status.self, Events.self]),
            CommandGroup(name: "Programs", subcommands: [Run.self, StopProgram.self, Check.self]),
            CommandGroup(
                name: "Nodes",
                subcommands: [Add.self, Remove.self, Kill.self, Pause.self, Resume.self, Logs.self, Autopsy.self]),
            CommandGroup(name: "Network", subcommands: [Net.self]),
            CommandGroup(
                name: "Store",
                subcommands: [
                    TakeCheckpoint.self, Checkpoints.self, Forget.self, Restore.self, Fsck.self, StoreCommand.self,
                ]),
            CommandGroup(name: "Machine", subcommands: [DoctorCommand.self, Completions.self]),
            CommandGroup(
                name: "Background",
                subcommands: [
                    SupervisorCommand.self, SegmentCommand.self, ArbiterCommand.self, PageServerCommand.self,
                ]),
        ])

    /// On the first thread, before there are others: where a thread takes its memory from is decided when it begins.
    @MainActor static func main() async {
        let arbiters = [ArbiterCommand.configuration.commandName, PageServerCommand.configuration.commandName]
        if arbiters.contains(CommandLine.arguments.dropFirst().first) { ArbiterProcess.arrangeMemory() }
        await begin()
    }

    private static func begin() async {
        Terminal.open()
        let arguments = ArgumentOrder.arranged(Array(CommandLine.arguments.dropFirst()))
        var command = parsed(arguments)
        do {
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            end(with: error)
        }
        Terminal.finish()
    }

    /// All commands, each with the commands that it has of its own.
    static var commands: [String: [String]] {
        // Closures: a key path here lets the compiler crash.
        configuration.subcommands.reduce(into: [:]) { commands, command in
            commands[command._commandName] = command.configuration.subcommands.map { $0._commandName }
        }
    }

    private static func parsed(_ arguments: [String]) -> any ParsableCommand {
        do {
            try ArgumentOrder.checkCommand(arguments, among: commands)
            try ArgumentOrder.checkOptions(arguments)
            return try parseAsRoot(arguments)
        } catch let failure as Failure {
            end(with: failure)
        } catch {
            end(withParserError: error)
        }
    }
}

/// What every command that works on a cluster takes.
struct CommonOptions: ParsableArguments {
    @Option(help: "The cluster's name.")
    var name = RunDirectory.defaultName

    @Flag(help: "Print the result, or the error, as one JSON object.")
    var json = false

    func directory() throws -> RunDirectory { try RunDirectory(name: name) }

    /// The running cluster of that name.
    func cluster() throws -> ClusterHandle {
        let cluster = try ClusterHandle(directory())
        Terminal.attend(cluster.directory)
        return cluster
    }
}
