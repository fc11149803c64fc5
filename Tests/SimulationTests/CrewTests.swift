import Foundation
import Simulation
import Testing

@testable import simulate

/// Processes that share a batch, played by a script that says what a process would.
struct CrewTests {
    /// A shell script with the words of a process of a batch: its first seed, and how far the next is.
    private final class Actor {
        let path = "/tmp/plurix-crew-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"

        init(_ lines: String) throws {
            let text = """
                #!/bin/sh
                sound() { echo "begin $1"; echo "sound $1 1,5000,300,7,2,0,1000000000 1=10;died=1"; }
                while [ $# -gt 0 ]; do
                  case $1 in
                    --from) first=$2; shift ;;
                    --seeds) count=$2; shift ;;
                    --stride) stride=$2; shift ;;
                  esac
                  shift
                done
                \(lines)

                """
            try Data(text.utf8).write(to: URL(filePath: path))
            try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path)
        }

        deinit { unlink(path) }
    }

    private static let everySeed = """
        seed=$first
        for number in $(seq "$count"); do seed "$seed"; seed=$((seed + stride)); done
        """

    /// Runs a batch of which each process calls the shell's function `seed N`.
    private func batch(_ function: String, _ words: String, silence: Duration = .seconds(60)) throws -> Crew {
        let actor = try Actor("seed() {\n\(function)\n}\n\(Self.everySeed)")
        var crew = Crew(try Options(words.split(separator: " ").map(String.init)[...]), program: actor.path,
                        silence: silence)
        _ = crew.run { _, _, _ in }
        return crew
    }

    @Test(arguments: [1, 2, 3, 7]) func everySeedIsRunOnce(jobs: Int) throws {
        let crew = try batch("sound $1", "--seeds 20 --from 100 --jobs \(jobs)")
        #expect(crew.failures.isEmpty && crew.summary.seeds == 20)
        #expect(crew.summary.figures == "20,100000,6000,140,40,0,20000000000")
    }

    @Test func failuresAreKeptAndTheRestGoesOn() throws {
        let crew = try batch(
            "if [ $1 = 103 ]; then echo begin $1; echo failed $1 token two of them; else sound $1; fi",
            "--seeds 10 --from 100 --jobs 2")
        #expect(crew.failures == [Crew.Failure(seed: 103, check: "token", text: "two of them")])
        #expect(crew.summary.seeds == 9)
    }

    /// A process that traps has failed at its seed, and another goes on behind it.
    @Test func aTrapIsAFailureOfItsSeed() throws {
        let crew = try batch(
            "if [ $1 = 103 ]; then echo begin $1; echo why; kill -ILL $$; else sound $1; fi",
            "--seeds 10 --from 100 --jobs 2")
        #expect(crew.failures == [Crew.Failure(seed: 103, check: "trap", text: "signal 4, why")])
        #expect(crew.summary.seeds == 9)
    }

    @Test func aHangIsAFailureOfItsSeed() throws {
        let crew = try batch(
            "if [ $1 = 103 ]; then echo begin $1; exec sleep 1000; else sound $1; fi",
            "--seeds 10 --from 100 --jobs 2", silence: .milliseconds(300))
        #expect(crew.failures.map(\.seed) == [103] && crew.failures.map(\.check) == ["hang"])
        #expect(crew.summary.seeds == 9)
    }

    @Test func theFirstFailureEndsTheBatch() throws {
        let crew = try batch(
            "echo begin $1; echo failed $1 order x; exec sleep 1000",
            "--seeds 1000 --from 100 --jobs 1 --until-failure")
        #expect(crew.failures.map(\.seed) == [100])
    }

    /// One seed alone, as a try of the search for the least: its failure, its trap, its silence.
    @Test func oneSeedAlone() throws {
        func outcome(_ lines: String, silence: Duration = .seconds(60)) throws -> Crew.Failure? {
            let actor = try Actor(lines)
            return Child.outcome(of: ["7"], program: actor.path, longestSilence: silence)
        }
        #expect(try outcome("sound 7") == nil)
        #expect(try outcome("echo begin 7; echo failed 7 leak of 3 frames")
            == Crew.Failure(seed: 7, check: "leak", text: "of 3 frames"))
        #expect(try outcome("echo begin 7; kill -ILL $$")?.check == "trap")
        #expect(try outcome("echo begin 7; exec sleep 1000", silence: .milliseconds(300))?.check == "hang")
    }

    /// The program itself tells of its seeds what the simulation says of them.
    @Test func reportsAreReadAsTheyWereWritten() throws {
        let verdict = Simulation.run(seed: 3)
        guard case .sound(3, let summary) = Report(Report(verdict).line) else {
            Issue.record("\(Report(verdict).line)")
            return
        }
        #expect(summary.figures == Summary(verdict).figures && summary.seeds == 1)
        #expect(Set(summary.table.split(separator: ";")) == Set(Summary(verdict).table.split(separator: ";")))
        for line in ["", "begin", "begin x", "sound 3 1,2 1=1", "sound 3 1,2,3,4,5,6,7 a=b", "failed 3", "why"] {
            #expect(Report(line) == nil, "\(line)")
        }
    }
}
