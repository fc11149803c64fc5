import ArgumentParser

/// The command `plurix`.
@main
struct Plurix: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "plurix")
}
