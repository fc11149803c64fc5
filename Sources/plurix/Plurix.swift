import ArgumentParser
import Cluster
import Control
import Foundation

/// The command `plurix`.
@main
struct Plurix: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plurix",
        abstract: "Bare-metal nodes in virtual machines that share one transactional memory.",
        discussion: """
            Exit codes: 0 done; 64 an unknown command, or an option value outside its set or range; 65 an unknown \
            program, an unusable file, a cluster name in use; 69 a tool is missing or a node died; 70 a fault of \
            Plurix, and a history that shows one; 75 something did not happen in time.
            """,
        groupedSubcommands: [
            CommandGroup(name: "Cluster", subcommands: [Up.self, Down.self, Status.self, Run.self, Check.self]),
            CommandGroup(
                name: "Nodes",
                subcommands: [Add.self, Remove.self, Kill.self, Pause.self, Resume.self, Logs.self, Autopsy.self]),
            CommandGroup(name: "Network", subcommands: [Net.self]),
            CommandGroup(name: "Machine", subcommands: [DoctorCommand.self, Completions.self]),
            CommandGroup(
                name: "Background", subcommands: [SupervisorCommand.self, SegmentCommand.self, ArbiterCommand.self]),
        ])

    static func main() async {
        Terminal.open()
        let arguments = ArgumentOrder.arranged(Array(CommandLine.arguments.dropFirst()))
        do {
            // A closure: a key path here lets the compiler crash.
            let names = configuration.subcommands.map { $0._commandName }
            try ArgumentOrder.checkCommand(arguments, among: names)
            var command = try parseAsRoot(arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let failure as Failure {
            Terminal.complain(failure.message)
            fflush(nil)
            _exit(failure.kind.rawValue)
        } catch {
            exit(withError: error)
        }
        Terminal.finish()
    }
}

/// What every command that works on a cluster takes.
struct CommonOptions: ParsableArguments {
    @Option(help: "The cluster's name.")
    var name = "plurix"

    @Flag(help: "Print results as JSON.")
    var json = false

    func directory() throws -> RunDirectory { try RunDirectory(name: name) }

    /// The running cluster of that name.
    func cluster() throws -> ClusterHandle { try ClusterHandle(directory()) }
}
