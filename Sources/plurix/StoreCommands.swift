import ArgumentParser
import Control
import PageServer

/// Works on a store that no cluster uses.
struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "Move a store as one file.", subcommands: [Export.self, Import.self])

    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Write a store into a new file.")

        @OptionGroup var common: CommonOptions

        @Argument(help: ArgumentHelp("The store.", valueName: "dir"), completion: .directory)
        var path: String

        @Argument(help: "The file, which must not exist.", completion: .file())
        var file: String

        func run() throws {
            let count = try StoreUser.named(path) { () throws(Failure) in try StoreTransfer.export(path, to: file) }
            if common.json {
                try Terminal.show(json: ["file": file, "bytes": "\(count)"])
            } else {
                Terminal.show("\(file): \(count) bytes")
            }
        }
    }

    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a store out of such a file.",
            discussion: "DIR must be empty or missing. A file that is not whole is refused, and leaves nothing behind.")

        @OptionGroup var common: CommonOptions

        @Argument(help: "The file.", completion: .file())
        var file: String

        @Argument(help: ArgumentHelp("The store.", valueName: "dir"), completion: .directory)
        var path: String

        func run() throws {
            try StoreTransfer.import(file, into: path)
            let found = try StoreExamination(of: path)
            if common.json {
                try Terminal.show(json: found)
            } else {
                Terminal.show("\(path): \(found.checkpoints.count) checkpoints in \(found.bytes) bytes")
            }
        }
    }
}
