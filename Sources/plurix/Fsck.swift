import ArgumentParser
import Control
import Foundation
import PageServer

struct Fsck: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Verify a store from end to end.",
        discussion: """
            DIR is the directory of a store that no cluster uses. Nothing in it is changed. Exit codes: 0 when \
            everything that was saved can be read back, 65 when DIR is no store, 69 while it is in use, 70 when it is \
            damaged.
            """)

    @OptionGroup var common: CommonOptions

    @Argument(help: ArgumentHelp("The store.", valueName: "dir"), completion: .directory)
    var path: String

    func run() throws {
        let found = try StoreUser.named(path) { () throws(Failure) in try StoreExamination(of: path) }
        if common.json {
            try Terminal.show(json: found)
        } else {
            for line in lines(found) { Terminal.show(line) }
        }
        guard found.sound else {
            throw Failure(
                .fault, "the store \(path) is damaged",
                advice: "restore the directory from an export, or save what is left with plurix store salvage"
                    + " \(path.quoted) NEW", at: path)
        }
    }

    private func lines(_ found: StoreExamination) -> [String] {
        var lines: [String] = []
        if found.cluster != nil {
            lines.append(
                "\(found.segments) segments, \(found.bytes) bytes; \(found.pages) pages"
                    + (found.sound ? ", of which" : " that can be read;") + " \(found.neededPages) are needed")
            for one in found.checkpoints {
                lines.append("checkpoint \(one.title)\(one.isKept ? "" : ", the newest state")")
            }
        }
        return lines + found.findings + (found.sound ? ["sound"] : [])
    }
}
