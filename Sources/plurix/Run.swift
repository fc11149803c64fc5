import ArgumentParser
import Cluster
import Control
import Foundation
import Kernel
import Programs

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a program of the image and print its result.",
        discussion: "PROGRAM and its arguments:\n" + ProgramList.text
            + "\n\nOptions of plurix may stand anywhere; behind -- everything belongs to the program.")

    @OptionGroup var common: CommonOptions

    @Option(help: "On how many nodes; all that have joined without it.")
    var nodes: Int?

    @Option(
        help: ArgumentHelp("Record what all transactions read and write, for plurix check.", valueName: "file"),
        completion: .file())
    var history: String?

    @Argument(help: "The program.", completion: .list(ProgramList.entries.map(\.name.text)))
    var program: String

    @Argument(parsing: .allUnrecognized, help: "The program's arguments.")
    var arguments: [String] = []

    func validate() throws {
        if let nodes, nodes < 1 { throw ValidationError("--nodes \(nodes) must be 1 or more") }
    }

    func run() async throws {
        let request = try ProgramRequest(program, programArguments)
        let cluster = try common.cluster()
        let joined = try await cluster.status().nodes.filter { $0.state == .joined }
        let chosen = try choose(from: joined)
        let recording = try history.map { path throws(Failure) in try HistoryRecording(cluster, to: path) }
        let interruption = Interruption()
        try await recording?.begin()
        let outcome = await outcome(of: ProgramRun(cluster, request, interruption), on: chosen, recording)
        if let recording, let history { try await finish(recording, history) }
        if case .failure = outcome { interruption.obey() }
        let report = try outcome.get()
        if common.json { try Terminal.show(json: report) } else { show(report) }
        // The survivors' result is shown all the same, before the error.
        if let failure = report.failure { throw failure }
    }

    /// Runs the program; while it does, nodes are kept recording.
    private func outcome(
        of run: ProgramRun, on nodes: [Int], _ recording: HistoryRecording?
    ) async -> Result<ProgramReport, any Error> {
        let renewal = Task { await recording?.renew() }
        let outcome: Result<ProgramReport, any Error>
        do {
            outcome = .success(
                try await run.result(on: nodes) { text in
                    if common.json { Terminal.progress(text) } else { Terminal.show(text) }
                })
        } catch {
            outcome = .failure(error)
        }
        renewal.cancel()
        await renewal.value
        return outcome
    }

    /// A program that failed has a history too.
    private func finish(_ recording: HistoryRecording, _ path: String) async throws {
        do throws(Failure) {
            let count = try await recording.end()
            Terminal.progress("\(path): \(count) transactions; see plurix check \(path)")
        } catch {
            await recording.abandon()
            throw error
        }
    }

    /// Without the dashes that end plurix's own options.
    var programArguments: [String] {
        guard let dashes = arguments.firstIndex(of: "--") else { return arguments }
        return Array(arguments[..<dashes] + arguments[(dashes + 1)...])
    }

    private func choose(from joined: [ClusterStatus.Node]) throws -> [Int] {
        let numbers = joined.compactMap { Int($0.name.dropFirst()) }
        guard !numbers.isEmpty else {
            let hint = try common.directory().hint("status")
            throw Failure(.unavailable, "no node of cluster \(common.name) has joined: see \(hint)")
        }
        guard let nodes else { return numbers }
        guard nodes <= numbers.count else {
            let hint = try common.directory().hint("add")
            throw Failure(.usage, "--nodes \(nodes): the cluster has \(numbers.count) nodes; add some with \(hint)")
        }
        return Array(numbers.prefix(nodes))
    }

    private func show(_ report: ProgramReport) {
        for line in ResultText.lines(report.result) { Terminal.show(line) }
        var table = Table(columns: [
            Table.Column(heading: "NODE"),
            Table.Column(heading: "COMMITS", isNumber: true),
            Table.Column(heading: "ABORTS", isNumber: true),
            Table.Column(heading: "FETCHED", isNumber: true),
        ])
        table.rows = report.perNode.map { [$0.name, "\($0.commits)", "\($0.aborts)", "\($0.pagesFetched)"] }
        for line in table.lines(width: Terminal.columns) { Terminal.progress(line) }
        Terminal.progress(
            "\(report.program) on \(report.nodes) node\(report.nodes == 1 ? "" : "s"):"
                + " \(report.elapsedMilliseconds.rounded(to: 1)) ms")
    }
}

/// The programs of the image, as the help shows them.
enum ProgramList {
    static var entries: [ProgramEntry] { (0..<ProgramTable.count).map { ProgramTable.program(at: $0) } }

    static var text: String {
        entries.map { "  \($0.name.text) \($0.usage.text)\n      \($0.summary.text)" }.joined(separator: "\n")
    }
}

extension StaticString {
    var text: String { String(describing: self) }
}

/// A program's result for a reader: scalars as they are, long objects as their largest members.
enum ResultText {
    /// Members of an object that are shown.
    private static let shown = 20

    static func lines(_ value: JSONValue) -> [String] {
        guard case .object(let members) = value else { return [scalar(value)] }
        return members.sorted { $0.key < $1.key }.flatMap { name, member -> [String] in
            guard case .object(let parts) = member else { return ["\(name): \(scalar(member))"] }
            let sorted = parts.sorted { (number($0.value), $1.key) > (number($1.value), $0.key) }
            let width = sorted.prefix(shown).map(\.key.count).max() ?? 0
            let rest = parts.count > shown ? ["  and \(parts.count - shown) more"] : []
            return ["\(name):"]
                + sorted.prefix(shown).map { key, part in
                    "  \(key)\(String(repeating: " ", count: width - key.count))  \(scalar(part))"
                } + rest
        }
    }

    private static func number(_ value: JSONValue) -> Double {
        switch value {
        case .integer(let number): Double(number)
        case .unsigned(let number): Double(number)
        case .number(let number): number
        case .null, .boolean, .string, .array, .object: 0
        }
    }

    private static func scalar(_ value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .boolean(let flag): "\(flag)"
        case .integer(let number): "\(number)"
        case .unsigned(let number): "\(number)"
        case .number(let number): "\(number)"
        case .string(let text): text
        case .array(let values): values.map(scalar).joined(separator: " ")
        case .object(let members):
            "{"
                + members.sorted { $0.key < $1.key }.map { "\($0.key): \(scalar($0.value))" }.joined(separator: ", ")
                + "}"
        }
    }
}
