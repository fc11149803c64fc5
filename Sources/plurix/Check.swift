import ArgumentParser
import Cluster
import Control
import Foundation
import History

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say whether the memory kept its promises in a recorded history.",
        discussion: """
            FILE is what plurix run --history or the simulation has written. Exit codes: 0 when it is right, 65 when \
            the file is no history, 70 when the memory broke a promise; the fewest transactions that show it are \
            printed.
            """)

    @OptionGroup var common: CommonOptions

    @Argument(help: "The history.", completion: .file())
    var file: String

    func run() throws {
        try checkReadable(file, "the history")
        let history = try read()
        let verdict = Checker.check(history)
        if common.json {
            try Terminal.show(json: VerdictReport(verdict, history))
        } else {
            for line in verdict.lines(history) { Terminal.show(line) }
        }
        guard verdict.isRight else { throw Failure(.fault, "the memory did not keep its promises", at: file) }
    }
}

extension Check {
    private func read() throws(Failure) -> History {
        guard let contents = FileManager.default.contents(atPath: file) else {
            throw Failure(.input, "the history \(file) cannot be read", at: file)
        }
        do throws(HistoryError) { return try HistoryReader.read([UInt8](contents)) } catch {
            throw Failure(
                .input, "\(file) is no history that can be read (\(error))", advice: "plurix run --history writes one",
                at: file)
        }
    }
}

/// What `plurix check --json` prints.
private struct VerdictReport: Encodable {
    struct Violation: Encodable {
        var rule: String
        var sentence: String
        var transactions: [String]
    }

    var right: Bool
    var transactions: Int
    var writers: Int
    var readers: Int
    var aborted: Int
    var undone: Int
    var unknown: Int
    var partlyListed: Int
    var reads: Int
    var writes: Int
    var keys: Int
    /// How often each rule was broken.
    var violations: [String: Int]
    /// The violation that the fewest transactions show.
    var smallest: Violation?

    init(_ verdict: Verdict, _ history: History) {
        right = verdict.isRight
        transactions = verdict.counts.transactions
        writers = verdict.counts.writers
        readers = verdict.counts.readers
        aborted = verdict.counts.aborted
        undone = verdict.counts.undone
        unknown = verdict.counts.unknown
        partlyListed = verdict.counts.partlyListed
        reads = verdict.counts.reads
        writes = verdict.counts.writes
        keys = verdict.counts.keys
        violations = verdict.violations.reduce(into: [:]) { $0["\($1.key)"] = $1.value }
        smallest = verdict.smallest.map { violation in
            Violation(
                rule: "\(violation.rule)", sentence: violation.sentence,
                transactions: violation.transactions.map { history.transactions[$0].name })
        }
    }
}
