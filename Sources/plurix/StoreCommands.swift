import ArgumentParser
import Control
import PageServer

/// Works on a store that no cluster uses.
struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "Move a store as one file, or save what is left of one.",
        subcommands: [Export.self, Import.self, Salvage.self])

    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a store into a new file.",
            discussion: """
                With - in place of the file it goes to standard output, and nothing else does: plurix store export \
                DIR - | ssh HOST plurix store import - DIR. A terminal is refused.
                """)

        @OptionGroup var common: CommonOptions

        @Argument(help: ArgumentHelp("The store.", valueName: "dir"), completion: .directory)
        var path: String

        @Argument(
            help: "The file, which must not exist nor lie in the store; - is standard output.", completion: .file())
        var file: String

        func run() throws {
            let count = try StoreUser.named(path) { () throws(Failure) in try StoreTransfer.export(path, to: file) }
            if file == StoreTransfer.stream {
                Terminal.progress("\(path): \(count) bytes")
            } else if common.json {
                try Terminal.show(json: ["file": file, "bytes": "\(count)"])
            } else {
                Terminal.show("\(file): \(count) bytes")
            }
        }
    }

    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a store out of such a file.",
            discussion: """
                DIR must be empty or missing. A file that is not whole is refused, and leaves nothing behind. With - \
                in place of the file it is read from standard input.
                """)

        @OptionGroup var common: CommonOptions

        @Argument(help: "The file; - is standard input.", completion: .file())
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

    struct Salvage: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a new store out of what a damaged one still holds.",
            discussion: """
                It begins with the newest state all of which can be read back, or with the checkpoint that is named; \
                what was saved after that is not in it. Checkpoints that are lost with the damage are named, newer \
                and older ones, as far as their names can be read. What the disk does not give counts as damaged. \
                The damaged store is not changed, and NEW cannot lie inside of it. To go on with the new one: plurix \
                up --from NEW. The exit code is 70 when nothing is left.
                """)

        @OptionGroup var common: CommonOptions

        @Argument(help: ArgumentHelp("The damaged store.", valueName: "dir"), completion: .directory)
        var path: String

        @Argument(help: ArgumentHelp("The new store, empty or missing.", valueName: "new"), completion: .directory)
        var target: String

        @Option(help: ArgumentHelp("The checkpoint: a label, EPOCH:COUNTER, or newest.", valueName: "time|label"))
        var at: String?

        func run() throws {
            let done = try StoreUser.named(path) { () throws(Failure) in
                try StoreRevival.salvage(from: path, at: at, into: target)
            }
            if common.json { return try Terminal.show(json: done) }
            let (found, rest) = (done.checkpoint, done.isNewest ? "" : "what was saved after it is not in it; ")
            Terminal.show("\(target): the memory as it was at \(found.title), taken \(found.taken)")
            for one in done.lost { Terminal.show("the checkpoint \(one.title), taken \(one.taken), is lost") }
            Terminal.show(rest + "go on with it: plurix up --from \(target.quoted)")
        }
    }
}
