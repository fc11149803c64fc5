import ArgumentParser
import Control
import Foundation
import Testing

@testable import plurix

struct ArgumentOrderTests {
    @Test(arguments: [
        (["--json", "status"], ["status", "--json"]),
        (["--name", "up", "up"], ["up", "--name", "up"]),
        (["--name=a", "--json", "net", "--json", "loss", "5%"], ["net", "loss", "--name=a", "--json", "--json", "5%"]),
        (["--name", "a", "store", "--json", "export", "d"], ["store", "export", "--name", "a", "--json", "d"]),
        (["--nodes", "2", "run", "counter", "5"], ["run", "--nodes", "2", "counter", "5"]),
        (["run", "counter", "--", "--json", "up"], ["run", "counter", "--", "--json", "up"]),
        (["--help"], ["--help"]), ([], []), (["--name"], ["--name"]), (["--", "up"], ["--", "up"]),
    ])
    func commandsComeFirst(given: [String], expected: [String]) {
        #expect(ArgumentOrder.arranged(given) == expected)
    }

    @Test(arguments: [
        (["frobnicate"], "see plurix --help"), (["store", "frobnicate"], "see plurix --help"),
        (["store", "fsck", "d"], "it is plurix fsck"), (["salvage", "d", "n"], "it is plurix store salvage"),
        (["loss", "5%"], "it is plurix net loss"), (["store", "export", "d"], nil), (["fsck", "d"], nil),
        (["store"], nil), (["store", "--help"], nil), (["net", "help"], nil), (["help", "store", "x"], nil), ([], nil),
    ] as [([String], String?)])
    func commandsThatAreElsewhereAreNamed(arguments: [String], advice: String?) {
        let failure: Failure?
        do {
            try ArgumentOrder.checkCommand(arguments, among: Plurix.commands)
            failure = nil
        } catch { failure = error as? Failure }
        #expect(failure?.advice == advice && failure?.kind != .input)
    }

    /// Only the last value counted: of two labels one was lost.
    @Test(arguments: [
        ["checkpoint", "--label", "a", "--label", "b"], ["restore", "--at=a", "--at", "b"],
        ["up", "--nodes", "2", "--nodes=2"], ["--name", "a", "status", "--name", "b"],
    ])
    func anOptionIsGivenOnce(arguments: [String]) throws {
        let failure = #expect(throws: Failure.self) { try ArgumentOrder.checkOptions(arguments) }
        #expect(failure?.kind == .usage && failure?.message.hasSuffix(" is given twice") == true)
    }

    @Test(arguments: [
        ["status", "--name", "--name"], ["run", "counter", "--nodes", "1", "--", "--nodes", "2"], ["--name"],
        ["forget", "a", "a", "--json", "--json"], ["run", "bank", "--transfers", "1", "--transfers", "2"], [],
    ])
    func whatIsNoOptionMayStandTwice(arguments: [String]) throws {
        try ArgumentOrder.checkOptions(arguments)
    }

    /// The lists are those that the commands declare.
    @Test func theListsAreComplete() throws {
        let all = Plurix.configuration.groupedSubcommands.flatMap(\.subcommands)
        let nesting = all.filter { !$0.configuration.subcommands.isEmpty }
        #expect(Set(nesting.map { $0._commandName }) == ArgumentOrder.nested)
        let commands = all + nesting.flatMap { $0.configuration.subcommands }
        var found: Set<String> = []
        for command in commands {
            for match in command.helpMessage(columns: 200).matches(of: /(--[a-z-]+) <[^>]+>/) {
                found.insert(String(match.1))
            }
        }
        #expect(found == ArgumentOrder.valued)
    }
}

struct RunArgumentsTests {
    private func parse(_ arguments: String...) throws -> Run {
        try #require(Plurix.parseAsRoot(ArgumentOrder.arranged(arguments)) as? Run)
    }

    @Test func ownOptionsMayStandAnywhere() throws {
        let run = try parse("run", "counter", "1000", "--continue", "--nodes", "2", "--json", "--name", "x")
        #expect(run.program == "counter")
        #expect(run.arguments == ["1000", "--continue"])
        #expect(run.nodes == 2)
        #expect(run.common.json)
        #expect(run.common.name == "x")
    }

    @Test func aStopThatWaitsForTheDiskSaysSo() {
        let full = StopProgram.delay(of: "spin", "/s: No space left on device; make room on that disk")
        #expect(full.kind == .unavailable)
        #expect(full.message.contains("/s: No space left on device; make room on that disk"))
        #expect(!full.description.contains("computes") && !full.description.contains("kill"))
    }

    @Test func aStopThatNobodyDoesNamesTheNodes() {
        func node(_ name: String, _ state: NodeState) -> RunProgress.Participant {
            RunProgress.Participant(name: name, part: .running, node: state, silentMilliseconds: 21_000)
        }
        func delay(_ nodes: RunProgress.Participant...) -> Failure {
            StopProgram.delay(of: "spin", nodes) { "plurix \($0)" }
        }
        let silent = delay(node("n1", .joined), node("n2", .silent), node("n3", .paused), node("n4", .dead))
        #expect(silent.kind == .timeout && silent.place == "spin")
        #expect(silent.message.contains("n1 works, n2 is silent for 21 s, n3 is paused, n4 is dead"))
        #expect(silent.advice == "wait, or help with plurix kill n2, plurix resume n3")
        #expect(delay(node("n1", .joined), node("n2", .dead)).advice == "wait, or help with plurix kill n1")
        #expect(delay(node("n1", .dead)).advice == "see plurix status")
    }

    @Test func anInterruptedRunThatNobodyHeardOfSaysWhy() {
        let stopped = Failure(.timeout, "the page server has not answered", advice: "kill -CONT 7", at: "/socket")
        let unheard = RunEnd.unheard("spin", stopped) { "plurix \($0)" }
        #expect(unheard.message.hasSuffix("the page server has not answered"))
        #expect(unheard.advice?.hasPrefix("kill -CONT 7; ") == true && unheard.place == "/socket")
        #expect(RunEnd.unheard("spin", nil) { $0 }.message.hasSuffix("has not begun it yet"))
    }

    /// The cluster goes on without the command.
    @Test func aRunThatHearsNothingAnyMoreSaysHowToFindItsProgram() {
        let killed = Failure(.unavailable, "the supervisor was killed by signal 9", at: "supervisor")
        let left = RunEnd.left("spin", killed) { "plurix \($0)" }
        #expect(left.kind == .unavailable && left.place == "supervisor")
        #expect(left.message.hasPrefix("spin may still run in the cluster") && left.message.hasSuffix(killed.message))
        for command in ["status", "events", "stop"] { #expect(left.advice?.contains("plurix \(command) ") == true) }
    }

    @Test func behindTheDashesAllBelongsToTheProgram() throws {
        let run = try parse("run", "counter", "--json", "--", "5", "--nodes", "7")
        #expect(run.nodes == nil)
        #expect(run.common.json)
        #expect(run.programArguments == ["5", "--nodes", "7"])
    }

    @Test(arguments: [
        ["up", "--nic", "ne2000"], ["up", "--nodes", "0"], ["up", "--nodes", "65"], ["up", "--accel", "warp"],
        ["add", "--timeout", "0"], ["run", "counter", "--timeout", "0"], ["stop", "now"],
        ["logs", "n1", "--follow", "--json"], ["up", "--memory", "8"], ["up", "--shared", "0"],
        ["up", "--connect", "qemu+ssh://host/system"],
        ["up", "--connect", "qemu://host/system"], ["up", "--mtu", "9000"], ["up", "surplus"], ["frobnicate"],
        ["kill"], ["kill", "n0"], ["kill", "arbiter"], ["net", "loss", "101%"], ["net", "loss", "x"],
        ["net", "delay", "5"], ["net", "delay", "-1ms"], ["net", "capture"], ["net", "capture", "a", "--stop"],
        ["up", "--at", "a"], ["up", "--volatile", "--store", "x"], ["up", "--from", "x", "--new"],
        ["up", "--store", ""], ["up", "--keep", "0"], ["up", "--keep-for", "5"], ["up", "--checkpoint-every", "0s"],
        ["up", "--from", ""], ["run", "counter", "5", "--history", ""],
        ["restore"], ["restore", "--at", ""], ["restore", "--at", "a", "--timeout", "0"], ["checkpoint", "--label", ""],
        ["checkpoint", "surplus"], ["pageserver", "/tmp/x"],
        ["run"], ["run", "counter", "--nodes", "0"], ["status", "--frob"], ["completions", "tcsh"],
    ])
    func valuesOutsideTheirRangeAreUsageErrors(arguments: [String]) {
        do {
            _ = try Plurix.parseAsRoot(ArgumentOrder.arranged(arguments))
            Issue.record("\(arguments) was accepted")
        } catch {
            let code = (error as? Failure)?.kind.rawValue ?? Plurix.exitCode(for: error).rawValue
            #expect(code == 64)
        }
    }

    @Test func programsAreCheckedBeforeAnythingStarts() throws {
        #expect(failure("nope") == .input)
        #expect(failure("counter") == .usage)
        #expect(failure("counter", "x") == .usage)
        #expect(failure("counter", "5", "--frob") == .usage)
        #expect(failure("wordcount") == .usage)
        #expect(failure("wordcount", "/nonexistent/file") == .input)
        #expect(failure("wordcount", "/etc") == .input)
        #expect(failure("counter", "5", "--continue") == nil)
        let request = try ProgramRequest("wordcount", ["/etc/passwd"])
        #expect(request.input == "/etc/passwd")
        #expect(request.arguments.isEmpty)
    }

    /// Not at its end, which found them out before.
    @Test func aHistoryIsCheckedBeforeAnythingStarts() throws {
        let base = FileManager.default.temporaryDirectory.appending(path: "plurix-\(UUID().uuidString)").path()
        try FileManager.default.createDirectory(atPath: base, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: base) }
        try Data("old".utf8).write(to: URL(filePath: base + "/file"))
        for path in ["/new", "/file"] { try HistoryRecording.check(base + path) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: base) == ["file"])
        let long = "/" + String(repeating: "x", count: 300)
        let paths = ["", "/file/", "/file/x", "/none/x", "/none/", long].map { base + $0 } + ["/proc/x", "/dev/full"]
        for path in paths {
            let failure = #expect(throws: Failure.self) { try HistoryRecording.check(path) }
            #expect(failure?.kind == .input && failure?.message.contains(path) == true, "\(path)")
        }
    }

    private func failure(_ program: String, _ arguments: String...) -> Failure.Kind? {
        do throws(Failure) {
            _ = try ProgramRequest(program, arguments)
            return nil
        } catch {
            return error.kind
        }
    }

    @Test func scriptsForAllShells() {
        for shell in [CompletionShell.bash, .zsh, .fish] {
            let script = Plurix.completionScript(for: shell)
            #expect(script.contains("wordcount"))
            #expect(script.contains("capture"))
        }
    }

    @Test func theHostComputesMatmulItself() {
        // 1 × 1: mix(1) · mix(2^32 + 1) · 1, with SplitMix64's published first output for state 0 as mix's input 1.
        #expect(HostCheck.checksum(size: 0) == 0)
        #expect(HostCheck.checksum(size: 64) == 13_812_725_669_428_199_012)
    }
}

struct TableTests {
    private var table: Table {
        Table(
            columns: [
                Table.Column(heading: "NODE"), Table.Column(heading: "COUNT", isNumber: true),
                Table.Column(heading: "EXTRA", rank: 1), Table.Column(heading: "LAST", rank: 2),
            ],
            rows: [["n1", "5", "abcdefgh", "x"], ["n10", "12345", "", "yy"]])
    }

    @Test func wideTerminalsShowAll() {
        #expect(
            table.lines(width: 80) == [
                "NODE  COUNT  EXTRA     LAST", "n1        5  abcdefgh  x", "n10   12345            yy",
            ])
    }

    @Test func narrowOnesLoseTheLeastImportant() {
        #expect(table.lines(width: 24).first == "NODE  COUNT  EXTRA")
        #expect(table.lines(width: 12) == ["NODE  COUNT", "n1        5", "n10   12345"])
        for width in 12...80 { #expect(table.lines(width: width).allSatisfy { $0.count <= width }) }
    }
}

struct WordsTests {
    @Test func progressNamesWhatNodesDo() {
        func participant(_ name: String, _ part: JobState, _ node: NodeState?) -> RunProgress.Participant {
            RunProgress.Participant(name: name, part: part, node: node, silentMilliseconds: 3456)
        }
        let words = RunProgress.words([
            participant("n1", .running, .joined), participant("n2", .running, .silent),
            participant("n3", .running, .joined), participant("n4", .finished, .joined),
            participant("n5", .starting, nil), participant("n6", .running, .paused),
        ])
        #expect(words == "n1, n3 work, n2 is silent for 3 s, n4 is done, n5 starts, n6 is paused")
        #expect(RunProgress.words([]) == "")
    }

    @Test func errorsHaveTheSameMembersAlways() throws {
        func members(_ failure: Failure) throws -> JSONValue {
            let data = try JSONEncoder().encode(ErrorReport(failure: failure, cluster: "a"))
            return try JSONDecoder().decode(JSONValue.self, from: data)
        }
        let late: [String: JSONValue] = [
            "error": .string("late"), "where": .string("n1"), "advice": .string("wait"), "exitCode": .integer(75),
        ]
        #expect(try members(Failure(.timeout, "late", advice: "wait", at: "n1")) == .object(late))
        let odd: [String: JSONValue] = [
            "error": .string("odd"), "where": .string("cluster a"), "advice": .null, "exitCode": .integer(70),
        ]
        #expect(try members(Failure(.fault, "odd")) == .object(odd))
    }

    @Test func resultsWithinResultsAreJSON() {
        let nested = JSONValue.object(["b": .array([.integer(1), .string("x")]), "a": .null])
        #expect(ResultText.lines(.array([nested, .boolean(true)])) == [#"[{"a":null,"b":[1,"x"]},true]"#])
        let counts = JSONValue.object(["b": .integer(1), "c": .integer(2)])
        let members: [String: JSONValue] = ["a": counts, "list": .array([.integer(2)]), "text": .string("x")]
        #expect(ResultText.lines(.object(members)) == ["list: [2]", "text: x", "a:", "  c  2", "  b  1"])
    }
}

struct ValueTests {
    @Test func percentages() {
        #expect(Percentage(argument: "5%")?.value == 5)
        #expect(Percentage(argument: "0.5")?.value == 0.5)
        for text in ["", "%", "-1%", "101%", "x%", "nan"] { #expect(Percentage(argument: text) == nil) }
    }

    @Test func faultsInWords() {
        var faults = SegmentFaults()
        #expect(faults.words == "the segment is undisturbed")
        faults.lossPercent = 0.5
        faults.delayMicroseconds = 2500
        #expect(faults.words == "loss 0.5 %, delay 2.5 ms")
        faults.jitterMicroseconds = 500
        faults.cuts = [SegmentFaults.Cut(3, 1)]
        #expect(faults.words == "loss 0.5 %, delay 2.5 ms and up to 500 µs more, cut n1 – n3")
        faults = SegmentFaults()
        faults.cuts = [SegmentFaults.Cut(from: 240, to: 1)]
        #expect(faults.words == "cut arbiter → n1")
    }

    @Test func times() {
        #expect(Span(argument: "2ms")?.microseconds == 2000)
        #expect(Span(argument: "500us")?.microseconds == 500)
        #expect(Span(argument: "1.5s")?.microseconds == 1_500_000)
        for text in ["", "2", "ms", "-1ms", "1h", "61s", "nans", "infs"] { #expect(Span(argument: text) == nil) }
    }
}
