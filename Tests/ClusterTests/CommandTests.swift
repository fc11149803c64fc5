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
        (["--nodes", "2", "run", "counter", "5"], ["run", "--nodes", "2", "counter", "5"]),
        (["run", "counter", "--", "--json", "up"], ["run", "counter", "--", "--json", "up"]),
        (["--help"], ["--help"]), ([], []), (["--name"], ["--name"]), (["--", "up"], ["--", "up"]),
    ])
    func commandsComeFirst(given: [String], expected: [String]) {
        #expect(ArgumentOrder.arranged(given) == expected)
    }

    /// The list of options with a value is the one that the commands declare.
    @Test func theListIsComplete() throws {
        let commands = Plurix.configuration.groupedSubcommands.flatMap(\.subcommands) + Net.configuration.subcommands
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

    @Test func behindTheDashesAllBelongsToTheProgram() throws {
        let run = try parse("run", "counter", "--json", "--", "5", "--nodes", "7")
        #expect(run.nodes == nil)
        #expect(run.common.json)
        #expect(run.programArguments == ["5", "--nodes", "7"])
    }

    @Test(arguments: [
        ["up", "--nic", "ne2000"], ["up", "--nodes", "0"], ["up", "--nodes", "65"], ["up", "--accel", "warp"],
        ["up", "--memory", "8"], ["up", "--shared", "0"], ["up", "--connect", "qemu+ssh://host/system"],
        ["up", "--connect", "qemu://host/system"], ["up", "--mtu", "9000"], ["up", "surplus"], ["frobnicate"],
        ["kill"], ["kill", "n0"], ["kill", "arbiter"], ["net", "loss", "101%"], ["net", "loss", "x"],
        ["net", "delay", "5"], ["net", "delay", "-1ms"], ["net", "capture"], ["net", "capture", "a", "--stop"],
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

struct ValueTests {
    @Test func percentages() {
        #expect(Percentage(argument: "5%")?.value == 5)
        #expect(Percentage(argument: "0.5")?.value == 0.5)
        for text in ["", "%", "-1%", "101%", "x%", "nan"] { #expect(Percentage(argument: text) == nil) }
    }

    @Test func times() {
        #expect(Span(argument: "2ms")?.microseconds == 2000)
        #expect(Span(argument: "500us")?.microseconds == 500)
        #expect(Span(argument: "1.5s")?.microseconds == 1_500_000)
        for text in ["", "2", "ms", "-1ms", "1h", "61s", "nans", "infs"] { #expect(Span(argument: text) == nil) }
    }
}
