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
            + "\n\nOptions of plurix may stand anywhere; behind -- everything belongs to the program. A run that"
            + " takes long says on stderr what its nodes do. Nodes that have not joined when it begins take no part:"
            + " they are named, and the exit code is 0 all the same; with --nodes N it is 64 where there are fewer."
            + " A participant that dies or is removed during the run ends it with 69, and what the others came to is"
            + " printed; one whose step fails ends it with 65 or 70. Ctrl-C, or the signal of kill and timeout, stops"
            + " the program on all nodes and ends the command, with 128 and the signal's number; after"
            + " \(RunEnd.seconds) s also where they do not stop, and then it says what is left. A second one ends it at"
            + " once.")

    @OptionGroup var common: CommonOptions

    @Option(help: "On how many nodes; all that have joined without it.")
    var nodes: Int?

    @Option(
        help: ArgumentHelp("Stop the program when it takes longer; exit code 75.", valueName: "seconds"))
    var timeout: Int?

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
        if history?.isEmpty == true { throw ValidationError("--history needs a file") }
        if let timeout, timeout < 1 { throw ValidationError("--timeout \(timeout) must be 1 second or more") }
    }

    /// Lines of a program's output that a reader is shown.
    private static let shownLines = 20

    func run() async throws {
        let start = ContinuousClock.now
        let request = try ProgramRequest(program, programArguments)
        let cluster = try common.cluster()
        let status = try await cluster.status()
        let present = status.nodes
        if let state = status.restoring {
            throw Failure(
                .unavailable, "the cluster is going back to \(state)",
                advice: "wait until it has: see \(cluster.directory.hint("status"))")
        }
        let chosen = try choose(from: present, status.trouble)
        let absent = nodes == nil ? present.filter { $0.state != .joined } : []
        for node in absent { Terminal.progress("\(node.name) is \(node.state.rawValue) and takes no part") }
        let recording = try history.map { path throws(Failure) in try HistoryRecording(cluster, to: path) }
        let interruption = Interruption()
        let limit = timeout.map { Duration.seconds($0) }
        let trace = RunTrace()
        let run = ProgramRun(cluster, request, limit: limit, since: start, trace)
        let end = RunEnd(of: request.program, on: cluster, trace)
        let watch = Task {
            // Thrown when the run has come to its end.
            guard let left = try? await end.failure(after: interruption) else { return }
            obey(interruption, left)
        }
        do throws(Failure) { try await begin(recording, interruption, trace) } catch {
            obey(interruption, error)
            throw error
        }
        let outcome = await outcome(of: run, on: chosen, since: status.commitTime, recording)
        // The result is shown all the same, before any error.
        if case .success(var report) = outcome {
            report.absent = absent.map { ProgramReport.Absent(name: $0.name, state: $0.state) }
            if common.json { try Terminal.show(json: report) } else { show(report) }
        }
        let unwritten = await finish(recording, trace, watch)
        watch.cancel()
        let report: ProgramReport
        do { report = try outcome.get() } catch {
            if let unwritten { Terminal.progress("\(unwritten)") }
            obey(interruption, Failure(error, while: "running \(program)"))
            throw error
        }
        if let unwritten { obey(interruption, unwritten) }
        if let failure = report.failure ?? unwritten { throw failure }
    }

    /// Has the nodes record, before there is anything to record.
    ///
    /// - Throws: why they do not, or that somebody wants the command to end: then the program does not begin any more.
    private func begin(
        _ recording: HistoryRecording?, _ interruption: Interruption, _ trace: RunTrace
    ) async throws(Failure) {
        guard let recording else { return }
        trace.note(.preparing)
        try await recording.begin()
        guard !interruption.isNoted else {
            await recording.abandon()
            throw RunEnd.unbegun(program)
        }
        trace.note(.running)
    }

    /// Ends the command if somebody wants that.
    private func obey(_ interruption: Interruption, _ failure: Failure) {
        guard let status = interruption.status else { return }
        Terminal.complain(failure, exitCode: status)
        Terminal.end(status)
    }

    /// Runs the program; while it does, nodes are kept recording.
    private func outcome(
        of run: ProgramRun, on nodes: [Int], since commitTime: UInt64, _ recording: HistoryRecording?
    ) async -> Result<ProgramReport, any Error> {
        let renewal = Task { await recording?.renew() }
        var lines: [ProgramReport.Line] = []
        var count = 0
        let outcome: Result<ProgramReport, any Error>
        do {
            var report = try await run.result(on: nodes, since: commitTime) { line in
                count += 1
                if common.json { lines.append(line) }
                if !common.json, count <= Self.shownLines { Terminal.show("\(line.node): \(line.text)") }
            }
            report.output = lines
            outcome = .success(report)
        } catch {
            outcome = .failure(error)
        }
        if !common.json, count > Self.shownLines {
            Terminal.show("(\(count - Self.shownLines) more lines; all with --json)")
        }
        renewal.cancel()
        await renewal.value
        return outcome
    }

    /// A program that failed has a history too, and one that did not begin has none.
    ///
    /// - Parameter watch: ends the command while nodes are waited for, should somebody want that.
    /// - Returns: Why there is none.
    private func finish(
        _ recording: HistoryRecording?, _ trace: RunTrace, _ watch: Task<Void, Never>
    ) async -> Failure? {
        guard let recording, let path = history else { return nil }
        let hasBegun = trace.state.job != nil
        trace.note(.recorded)
        guard hasBegun else {
            await recording.abandon()
            return nil
        }
        do throws(Failure) {
            let reply = try await recording.end()
            watch.cancel()
            let count = try await recording.writeHistory(reply)
            Terminal.progress("\(path): \(count) transactions; see plurix check \(path.quoted)")
            return nil
        } catch {
            await recording.abandon()
            return error
        }
    }

    /// Without the dashes that end plurix's own options.
    var programArguments: [String] {
        guard let dashes = arguments.firstIndex(of: "--") else { return arguments }
        return Array(arguments[..<dashes] + arguments[(dashes + 1)...])
    }

    private func choose(from present: [ClusterStatus.Node], _ trouble: String?) throws -> [Int] {
        let directory = try common.directory()
        let numbers = present.filter { $0.state == .joined }.compactMap { Int($0.name.dropFirst()) }
        guard !numbers.isEmpty else {
            if let trouble { throw Failure(.unavailable, "no node can take part: \(trouble)") }
            let states = present.map { "\($0.name) is \($0.state.rawValue)" }.joined(separator: ", ")
            throw Failure(
                .unavailable, "no node can take part: \(present.isEmpty ? "there is none" : states)",
                advice: advice(present, directory))
        }
        guard let nodes else { return numbers }
        guard nodes <= numbers.count else {
            let count = numbers.count == present.count ? "has \(count(numbers))" : "can use \(count(numbers))"
            throw Failure(
                .usage, "--nodes \(nodes): the cluster \(count)", advice: "add some with \(directory.hint("add"))",
                at: "--nodes")
        }
        return Array(numbers.prefix(nodes))
    }

    /// How there can be a node that takes part.
    private func advice(_ present: [ClusterStatus.Node], _ directory: RunDirectory) -> String {
        let paused = present.first { $0.state == .paused }
        return directory.hint(paused.map { "resume \($0.name)" } ?? "add") + " helps"
    }

    private func count(_ numbers: [Int]) -> String { "\(numbers.count) node\(numbers.count == 1 ? "" : "s")" }

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
        let all = report.nodes + report.absent.count
        let share = report.absent.isEmpty ? "" : "\(report.nodes) of "
        Terminal.progress(
            "\(report.program) on \(share)\(all) node\(all == 1 ? "" : "s"):"
                + " \(report.elapsedMilliseconds.rounded(to: 1)) ms")
    }
}

/// The programs of the image, as the help shows them.
enum ProgramList {
    static var entries: [ProgramEntry] { ProgramTable.all }

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
        // What is short comes first.
        let order = members.sorted { (isObject($0.value) ? 1 : 0, $0.key) < (isObject($1.value) ? 1 : 0, $1.key) }
        return order.flatMap { name, member -> [String] in
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

    private static func isObject(_ value: JSONValue) -> Bool { if case .object = value { true } else { false } }

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
        case .array, .object: json(value)
        }
    }

    private static func json(_ value: JSONValue) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Every value of this type can be written.
        return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}
