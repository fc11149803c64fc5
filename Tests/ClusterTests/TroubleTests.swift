import Control
import Foundation
import Testing

extension LiveTests {
    /// What becomes of a cluster whose processes fail, and what the user is told.
    @Suite(.serialized) struct TroubleTests {
        @Test func aMachineThatWasNotWrittenDownIsAdopted() async throws {
            try await LiveCluster.with("--nodes", "2") { cluster in
                try await killSupervisor(cluster)
                // As it is when the supervisor dies between the machine's start and its record.
                let file = URL(filePath: cluster.directory + "/nodes.json")
                let records = try JSONDecoder().decode([JSONValue].self, from: Data(contentsOf: file))
                try JSONEncoder().encode(records.filter { $0["number"] != .integer(2) }).write(to: file)
                let status = try await cluster.status()
                #expect(status.nodes.map(\.name) == ["n1", "n2"])
                #expect(status.nodes.allSatisfy { $0.state == "joined" && $0.processIdentifier != nil })
                #expect(try await cluster.run("counter", "10").result == .integer(20))
                // Even where nobody adopts it, down removes it.
                try await killSupervisor(cluster)
                try Data("[]".utf8).write(to: file)
                try await cluster.plurix("down")
                #expect(try cluster.processes().isEmpty)
            }
        }

        private func killSupervisor(_ cluster: LiveCluster) async throws {
            kill(try #require(try await cluster.status().processes.supervisor), SIGKILL)
        }

        @Test func aSupervisorMayDieWhileItIsAsked() async throws {
            try await LiveCluster.with("--nodes", "2") { cluster in
                // A question is asked again; what was to be done may have been done.
                let asked = try await dying(cluster, ["status", "--json"])
                #expect(asked.status == 0)
                let told = try await dying(cluster, ["kill", "n2"])
                #expect(told.status == 69)
                #expect(told.complaint.contains("supervisor was killed"))
                #expect(told.complaint.contains("plurix status --name"))
                #expect(try await cluster.status().nodes.map(\.state) == ["joined", "joined"])
            }
        }

        /// Runs a command whose supervisor takes its request and is killed.
        private func dying(_ cluster: LiveCluster, _ arguments: [String]) async throws -> Harness.Outcome {
            let supervisor = try #require(try await cluster.status().processes.supervisor)
            kill(supervisor, SIGSTOP)
            async let outcome = cluster.plurix(arguments)
            try await Task.sleep(for: .seconds(1))
            kill(supervisor, SIGKILL)
            return try await outcome
        }

        /// Whatever they were at, and however far.
        @Test func commandsWhoseClusterIsTakenDownSaySo() async throws {
            try await LiveCluster.with("--nodes", "2") { cluster in
                async let run = cluster.plurix(["run", "counter", "1000000000"])
                _ = try await cluster.wait { $0.running != nil }
                // A node that does not join, and a state that cannot be saved.
                try await cluster.plurix("net", "loss", "100%")
                async let add = cluster.plurix(["add"])
                async let checkpoint = cluster.plurix(["checkpoint"])
                _ = try await cluster.wait { $0.nodes.count == 3 }
                async let other = cluster.plurix(["down", "--force"])
                let downs = [try await cluster.plurix(["down", "--force"]), try await other]
                #expect(downs.allSatisfy { $0.status == 0 }, "\(downs)")
                #expect(downs.count { $0.output.contains("is removed") } == 1, "\(downs)")
                // All may have been saved before the frames were lost.
                let saved = try await checkpoint
                for outcome in [try await run, try await add] + (saved.status == 0 ? [] : [saved]) {
                    #expect(outcome.status == 69 && outcome.complaint.contains("was taken down while"), "\(outcome)")
                }
                #expect(try cluster.processes().isEmpty)
            }
        }

        /// However far it was, and what it made of a store stays or goes as the other command says.
        @Test(arguments: [10, 20, 40, 80, 160]) func upSaysThatItsClusterWasTakenDown(milliseconds: Int) async throws {
            try await LiveCluster.withNone { cluster in
                async let up = cluster.plurix(["up", "--nodes", "1"])
                try await Task.sleep(for: .milliseconds(milliseconds))
                let down = try await cluster.plurix(["down"])
                let outcome = try await up
                // There was nothing yet, or all of it.
                guard outcome.status != 0 else { return }
                #expect(outcome.status == 69 && outcome.complaint.contains("was taken down while"), "\(outcome)")
                let isThere = FileManager.default.fileExists(atPath: cluster.store)
                #expect(isThere == down.output.contains("its store stays"), "\(down)")
            }
        }

        /// Whenever the second one begins: not another one that lies where the cluster would have its store.
        @Test(arguments: [0, 50, 150, 400]) func onlyItsOwnStoreGoesWithACluster(milliseconds: Int) async throws {
            try await LiveCluster.with("--nodes", "1", "--shared", "16") { cluster in
                try await cluster.plurix("down")
                let own = cluster.base + "/own"
                try await cluster.plurix("up", "--nodes", "2", "--shared", "16", "--store", own)
                async let first = cluster.plurix(["down"])
                try await Task.sleep(for: .milliseconds(milliseconds))
                let second = try await cluster.plurix(["down", "--delete-store"])
                let outcomes = [try await first, second]
                // Nothing is left that would tell which one it had.
                #expect(outcomes[0].status == 0 && [0, 65].contains(second.status), "\(outcomes)")
                #expect(FileManager.default.fileExists(atPath: cluster.store), "\(outcomes)")
            }
        }

        /// It is named, and nobody waits long for it.
        @Test func aPageServerThatIsStoppedIsNamed() async throws {
            try await LiveCluster.with("--nodes", "1") { cluster in
                let arbiter = try #require(try await cluster.status().processes.arbiter)
                kill(arbiter, SIGSTOP)
                defer { kill(arbiter, SIGCONT) }
                let words = ["the page server (process \(arbiter)) has not answered", "kill -CONT \(arbiter)"]
                let trouble = try #require(try await cluster.status().trouble)
                #expect(trouble.contains("the page server (process \(arbiter))") && trouble.contains(words[1]))
                let run = try await cluster.plurix(["run", "counter", "10", "--timeout", "3"])
                #expect(run.status == 75 && words.allSatisfy(run.complaint.contains))
                #expect(try await cluster.plurix(["checkpoint"]).complaint.contains(words[0]))
                // What may not be saved is not thrown away.
                let down = try await cluster.plurix(["down"])
                #expect(down.status == 69)
                #expect((words + ["down --force"]).allSatisfy(down.complaint.contains))
                kill(arbiter, SIGCONT)
                #expect(try await cluster.wait { $0.trouble == nil }.nodes.map(\.state) == ["joined"])
                // What could not be begun in time never was.
                #expect(try await cluster.run("counter", "10", "--continue").result == .integer(10))
                #expect(try await cluster.plurix("down").contains("removed"))
            }
        }

        /// So is the segment, without which nothing is saved, and a supervisor; and `events` keeps it.
        @Test func aSegmentOrASupervisorThatIsStoppedIsNamed() async throws {
            try await LiveCluster.with("--nodes", "2") { cluster in
                try await cluster.plurix("checkpoint", "--label", "a")
                let processes = try await cluster.status().processes
                let segment = try #require(processes.segment), supervisor = try #require(processes.supervisor)
                kill(segment, SIGSTOP)
                defer { kill(segment, SIGCONT) }
                let words = ["the segment (process \(segment)) is stopped", "kill -CONT \(segment)"]
                let status = try await cluster.wait { $0.trouble != nil }
                #expect(words.allSatisfy(status.trouble?.contains ?? { _ in false }))
                for arguments in [["restore", "--at", "a"], ["net", "status"], ["remove", "n2"]] {
                    let outcome = try await cluster.plurix(arguments, limit: .seconds(20))
                    #expect(outcome.status != 0 && outcome.complaint.contains(words[1]), "\(arguments): \(outcome)")
                }
                kill(segment, SIGCONT)
                _ = try await cluster.wait { $0.trouble == nil && $0.nodes.allSatisfy { $0.state == "joined" } }
                kill(supervisor, SIGSTOP)
                defer { kill(supervisor, SIGCONT) }
                let told = try await cluster.plurix(["kill", "n2"], limit: .seconds(20))
                #expect(told.status == 75 && told.complaint.contains("kill -CONT \(supervisor)"))
                kill(supervisor, SIGCONT)
                // Who has gone gets nothing done any more.
                #expect(try await cluster.status().nodes.map(\.state) == ["joined", "joined"])
                try await cluster.plurix("kill", "n2")
                _ = try await cluster.wait { $0.nodes.map(\.state) == ["joined", "dead"] }
                let events = try await cluster.plurix("events")
                #expect((words + ["the segment (process \(segment)) goes on"]).allSatisfy(events.contains))
            }
        }

        /// Also where it is stopped while nodes join: they are not waited for until the end.
        @Test func aSegmentThatIsStoppedDuringARestoreIsNamed() async throws {
            try await LiveCluster.with("--nodes", "3") { cluster in
                try await cluster.plurix("checkpoint", "--label", "a")
                let segment = try #require(try await cluster.status().processes.segment)
                defer { kill(segment, SIGCONT) }
                let words = ["the segment (process \(segment)) is stopped", "kill -CONT \(segment)"]
                // So that nobody joins before it is stopped.
                try await cluster.plurix("net", "loss", "100%")
                async let restore = cluster.plurix(["restore", "--at", "a"], limit: .seconds(30))
                _ = try await cluster.wait { $0.nodes.allSatisfy { $0.state == "starting" } }
                kill(segment, SIGSTOP)
                let outcome = try await restore
                #expect(outcome.status == 69 && words.allSatisfy(outcome.complaint.contains), "\(outcome)")
                kill(segment, SIGCONT)
                try await cluster.plurix("net", "heal")
                _ = try await cluster.wait { $0.trouble == nil && $0.nodes.allSatisfy { $0.state == "joined" } }
            }
        }

        /// Whenever it is killed: the new one begins the program, and only once.
        @Test func aRunThatIsBegunWhileThePageServerDiesRunsOnce() async throws {
            try await LiveCluster.with("--nodes", "2") { cluster in
                var total: Int64 = 0
                for milliseconds in [0, 20, 30, 35, 40, 45, 50, 60] {
                    let arbiter = try #require(try await cluster.wait { $0.processes.arbiter != nil }.processes.arbiter)
                    async let run = cluster.run("counter", "50", "--continue")
                    try await Task.sleep(for: .milliseconds(milliseconds))
                    kill(arbiter, SIGKILL)
                    total += 100
                    #expect(try await run.result == .integer(total), "killed after \(milliseconds) ms")
                }
            }
        }

        /// It waited silently.
        @Test func whoWaitsForAProcessThatIsStartedAgainIsTold() async throws {
            try await LiveCluster.with("--nodes", "1") { cluster in
                async let run = cluster.plurix(["run", "counter", "10000"])
                let arbiter = try #require(try await cluster.wait { $0.running != nil }.processes.arbiter)
                // Without its store it does not start.
                let place = cluster.base + "/elsewhere"
                try FileManager.default.moveItem(atPath: cluster.store, toPath: place)
                kill(arbiter, SIGKILL)
                try await Task.sleep(for: .seconds(4))
                try FileManager.default.moveItem(atPath: place, toPath: cluster.store)
                let outcome = try await run
                #expect(outcome.status == 0 && outcome.output == "10000\n", "\(outcome)")
                let words = "the page server is being started again\n"
                #expect(outcome.complaint.ranges(of: words).count == 1, "\(outcome)")
            }
        }

        @Test func processesThatWereStartedAgainAreTold() async throws {
            try await LiveCluster.with("--nodes", "1") { cluster in
                let old = try await cluster.status().processes
                let segment = try #require(old.segment), arbiter = try #require(old.arbiter)
                // As when a supervisor is killed that has said so already.
                NoticeFile(cluster.directory + "/notices").append(
                    NoticeFile.line("the page server (process \(arbiter)) died and is started again"))
                kill(segment, SIGKILL)
                kill(arbiter, SIGKILL)
                try await killSupervisor(cluster)
                _ = try await cluster.wait { status in
                    let new = status.processes
                    return status.trouble == nil && new.segment != nil && new.segment != segment
                        && new.arbiter != nil && new.arbiter != arbiter
                }
                let events = try await cluster.plurix("events")
                #expect(events.contains("the segment (process \(segment)) died and is started again"))
                #expect(events.contains("the page server (process \(arbiter)) died and is started again"))
                #expect(events.contains("the supervisor was started again"))
                // A restore ends the arbiter too, and that is no news.
                try await cluster.plurix("checkpoint", "--label", "a")
                try await cluster.plurix("restore", "--at", "a")
                let later = try await cluster.plurix("events")
                #expect(later.components(separatedBy: "died and is started again").count == 3)
            }
        }

        @Test func noticesOutliveTheArbiter() async throws {
            try await LiveCluster.with("--nodes", "2") { cluster in
                let before = try await cluster.status()
                #expect(before.notices.count >= 2)
                kill(try #require(before.processes.arbiter), SIGKILL)
                let after = try await cluster.wait { status in
                    status.trouble == nil && status.processes.arbiter.map { $0 != before.processes.arbiter } == true
                }
                #expect(after.notices.prefix(before.notices.count) == before.notices[...])
            }
        }
    }
}
