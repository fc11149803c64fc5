import Control
import Foundation
import Testing

extension LiveTests {
    /// Runs that do not simply come to their end, and what the user is told of them.
    @Suite(.serialized) struct RunTests {
        /// More additions than anybody waits for.
        private static let endless = "1000000000"

        @Test func aProgramIsStoppedOnAllNodes() async throws {
            try await LiveCluster.with("--nodes", "2") { cluster in
                async let run = cluster.plurix(["run", "counter", Self.endless])
                let status = try await cluster.wait { $0.running != nil }
                #expect(status.running?.program == "counter")
                #expect(status.running?.nodes == ["n1", "n2"])
                let busy = try await cluster.plurix(["run", "counter", "1"])
                #expect(busy.status == 69)
                #expect(busy.complaint.contains("plurix stop --name \(cluster.name)"))
                #expect(try await cluster.plurix("stop") == "counter is stopped on n1, n2\n")
                let outcome = try await run
                #expect(outcome.status == 69)
                #expect(outcome.complaint.contains("counter was stopped"))
                let again: JSONValue = try await cluster.plurix(["stop", "--json"]).decoded()
                #expect(again["stopped"] == .boolean(false))
                #expect(try await cluster.run("counter", "10").result == .integer(20))
            }
        }

        @Test func aRunHasALimitAndNamesWhoIsLate() async throws {
            try await LiveCluster.with("--nodes", "2") { cluster in
                let short = try await cluster.plurix(["run", "counter", Self.endless, "--timeout", "1"])
                #expect(short.status == 75)
                #expect(short.complaint.contains("n1, n2 work"))
                #expect(try await cluster.run("counter", "10").result == .integer(20))
                // A machine that stands still and nobody knows why.
                let machine = try #require(try await cluster.status().nodes.last?.processIdentifier)
                async let late = cluster.plurix(["run", "counter", Self.endless, "--timeout", "8"])
                _ = try await cluster.wait { $0.running != nil }
                kill(machine, SIGSTOP)
                let outcome = try await late
                kill(machine, SIGCONT)
                #expect(outcome.status == 75)
                #expect(outcome.complaint.contains("within 8 s"))
                #expect(outcome.complaint.contains("n2 is silent for"))
                // Said while it ran, and at its end.
                #expect(outcome.complaint.split(separator: "\n").count >= 2, "\(outcome.complaint)")
            }
        }

        private static let endlessStep = ["run", "spin", "1000000000000"]

        /// Until no node commits any more: what runs is at a step that computes.
        private func waitForComputing(_ cluster: LiveCluster) async throws {
            var last: UInt64 = 0
            var looks = 0
            _ = try await cluster.wait { status in
                looks = status.running != nil && status.commitTime == last ? looks + 1 : 0
                last = status.commitTime
                return looks == 20
            }
        }

        @Test(arguments: ["virtio", "rtl8139"]) func aStepThatNeverEndsIsStopped(nic: String) async throws {
            try await LiveCluster.with("--nic", nic, "--nodes", "2") { cluster in
                async let run = cluster.plurix(Self.endlessStep)
                try await waitForComputing(cluster)
                #expect(try await cluster.plurix("stop") == "spin is stopped on n1, n2\n")
                let outcome = try await run
                #expect(outcome.status == 69 && outcome.complaint.contains("spin was stopped"), "\(outcome)")
                let late = try await cluster.plurix(Self.endlessStep + ["--timeout", "2"])
                #expect(late.status == 75 && late.complaint.contains("it was stopped"), "\(late)")
                // Both nodes are free for others, and tell of no more than the memory promises.
                let file = cluster.base + "/bank.history"
                let bank = try await cluster.run("bank", "--history", file)
                #expect(bank.nodes == 2 && bank.result["violations"] == .integer(0))
                try await cluster.plurix("check", file)
                try await expectNothingOfTheStep(cluster)
                try await expectANodeLeaves(cluster)
            }
        }

        /// It wrote to what `counter` counts before it began to compute.
        private func expectNothingOfTheStep(_ cluster: LiveCluster) async throws {
            #expect(try await cluster.run("counter", "10").result == .integer(20))
            let file = cluster.base + "/loop.history"
            let loop = try await cluster.plurix(["run", "fault", "loop", "--timeout", "2", "--history", file])
            #expect(loop.status == 75 && loop.complaint.contains("n1 works; it was stopped"), "\(loop)")
            try await cluster.plurix("check", file)
            #expect(try await cluster.run("counter", "10", "--continue").result == .integer(40))
        }

        private func expectANodeLeaves(_ cluster: LiveCluster) async throws {
            async let run = cluster.plurix(Self.endlessStep)
            try await waitForComputing(cluster)
            try await cluster.plurix("remove", "n2")
            try await cluster.plurix("stop")
            #expect(try await run.status == 69)
            #expect(try await cluster.run("counter", "10").result == .integer(10))
        }

        /// As `timeout 2 plurix run`: the command ends also where the program does not.
        @Test func anInterruptedRunEndsSoon() async throws {
            try await LiveCluster.with("--nodes", "1") { cluster in
                /// One that does not end soon enough is killed, which its status tells.
                func interrupted(_ signal: String, _ arguments: String...) async throws -> Harness.Outcome {
                    try await cluster.plurix(
                        after: "4", signal: signal, options: ["--preserve-status", "-k", "10"], ["run"] + arguments)
                }
                // Between two steps it stops, and nothing is left.
                let quick = try await interrupted("INT", "counter", Self.endless)
                #expect(quick.status == 130 && quick.complaint.contains("counter was stopped"), "\(quick)")
                #expect(try await cluster.status().running == nil)
                let busy = try await interrupted("TERM", "spin", "1000000000000")
                #expect(busy.status == 143 && busy.complaint.contains("spin was stopped"), "\(busy)")
                #expect(try await cluster.status().running == nil)
                let before = try await cluster.status().nodes[0].commits
                async let paused = interrupted("TERM", "counter", Self.endless, "--json")
                _ = try await cluster.wait { $0.running != nil && $0.nodes[0].commits > before + 10 }
                try await cluster.plurix("pause", "n1")
                let outcome = try await paused
                let error = try JSONDecoder().decode(JSONValue.self, from: Data(outcome.complaint.utf8))
                #expect(outcome.status == 143 && error["exitCode"] == .integer(143), "\(outcome)")
                #expect(outcome.complaint.contains("plurix resume n1"))
                // What was wanted is done as soon as it can be.
                try await cluster.plurix("resume", "n1")
                _ = try await cluster.wait { $0.running == nil }
                // Nobody answers at all.
                let arbiter = try #require(try await cluster.status().processes.arbiter)
                async let unheard = interrupted("TERM", "counter", Self.endless)
                _ = try await cluster.wait { $0.running != nil }
                kill(arbiter, SIGSTOP)
                defer { kill(arbiter, SIGCONT) }
                let left = try await unheard
                kill(arbiter, SIGCONT)
                #expect(left.status == 143 && left.complaint.contains("kill -CONT \(arbiter)"), "\(left)")
            }
        }

        /// Nor do nodes that do not answer keep a command that waits until they record.
        @Test func aRunThatHasNotBegunEndsSoon() async throws {
            try await LiveCluster.with("--nodes", "1") { cluster in
                // It is seen to be silent only later.
                try await cluster.plurix("net", "loss", "100%")
                let outcome = try await cluster.plurix(
                    after: "1", signal: "TERM", options: ["--preserve-status", "-k", "5"],
                    ["run", "counter", Self.endless, "--history", cluster.base + "/file"])
                #expect(outcome.status == 143 && outcome.complaint.contains("counter was not begun"), "\(outcome)")
                try await cluster.plurix("net", "heal")
                _ = try await cluster.wait { $0.nodes.map(\.state) == ["joined"] }
                #expect(try await cluster.run("counter", "10").result == .integer(10))
            }
        }

        @Test func whoTakesNoPartIsNamed() async throws {
            try await LiveCluster.with("--nodes", "3") { cluster in
                try await cluster.plurix("pause", "n2")
                let outcome = try await cluster.plurix(["run", "counter", "10"])
                #expect(outcome.status == 0)
                #expect(outcome.output == "20\n")
                #expect(outcome.complaint.contains("n2 is paused and takes no part"))
                #expect(outcome.complaint.contains("2 of 3 nodes"))
                let report: JSONValue = try await cluster.plurix(["run", "--json", "counter", "10"]).decoded()
                #expect(report["absent"] == .array([.object(["name": .string("n2"), "state": .string("paused")])]))
                let many = try await cluster.plurix(["run", "counter", "10", "--nodes", "3"])
                #expect(many.status == 64)
                // A participant is another matter.
                try await cluster.plurix("kill", "n2")
                let dead = try await cluster.plurix(["run", "counter", "10"])
                #expect(dead.status == 0 && dead.complaint.contains("n2 is dead and takes no part"), "\(dead)")
                for (command, verb) in [("remove", "left"), ("kill", "died")] {
                    try await expectNoShare(cluster, command, verb)
                    try await cluster.plurix("add", "n3")
                }
            }
        }

        private func expectNoShare(_ cluster: LiveCluster, _ command: String, _ verb: String) async throws {
            async let run = cluster.plurix(["run", "counter", "3000"])
            _ = try await cluster.wait { $0.running != nil }
            try await cluster.plurix(command, "n3")
            let outcome = try await run
            #expect(outcome.status == 69 && outcome.complaint.contains("n3 \(verb) while counter ran"), "\(outcome)")
            #expect(!outcome.output.isEmpty, "\(outcome)")
        }

        @Test func longOutputIsShownInPart() async throws {
            try await LiveCluster.with("--nodes", "2") { cluster in
                let text = try await cluster.plurix("run", "register")
                #expect(text.split(separator: "\n").count < 40)
                #expect(text.contains("(380 more lines; all with --json)"))
                let outcome = try await cluster.plurix(["run", "--json", "register"])
                #expect(outcome.complaint.isEmpty)
                let report: JSONValue = try outcome.decoded()
                var count = 0
                if case .array(let lines) = report["output"] { count = lines.count }
                #expect(count == 400)
            }
        }

        @Test func errorsAreJSON() async throws {
            try await LiveCluster.withNone { cluster in
                for (arguments, code) in [
                    (["run", "nope"], 65), (["status"], 69), (["up", "--nodes", "0"], 64), (["frob"], 64),
                    (["run", "wordcount", "/nowhere"], 65), (["kill", "x1"], 64),
                    (["up", "--connect", "qemu:///system"], 69),
                ] {
                    let outcome = try await cluster.plurix(arguments + ["--json"])
                    #expect(outcome.status == Int32(code))
                    #expect(outcome.output.isEmpty)
                    let error = try JSONDecoder().decode(JSONValue.self, from: Data(outcome.complaint.utf8))
                    #expect(error["exitCode"] == .integer(Int64(code)))
                    for member in ["error", "where", "advice"] { #expect(error[member] != nil, "\(arguments)") }
                }
            }
        }
    }
}
