import Control
import Foundation
import Testing

extension LiveTests {
    /// What a cluster saves, on real machines: it goes on after its end, back to a checkpoint, and as another cluster.
    @Suite(.serialized) struct StoreTests {
        private struct Checkpoints: Decodable {
            var checkpoints: [CheckpointReport]
        }

        private func checkpoints(_ cluster: LiveCluster, _ arguments: String...) async throws -> [CheckpointReport] {
            try await cluster.plurix(["checkpoints", "--json"] + arguments).decoded(Checkpoints.self).checkpoints
        }

        private func expectCounter(_ value: Int64, _ cluster: LiveCluster, _ additions: String = "10") async throws {
            #expect(try await cluster.run("counter", additions, "--continue").result == .integer(value))
        }

        @Test(arguments: ["virtio", "rtl8139"]) func aClusterGoesOnFromItsStore(nic: String) async throws {
            try await LiveCluster.with("--nodes", "2", "--nic", nic, "--shared", "32") { cluster in
                #expect(try await cluster.status().storeDirectory == cluster.store)
                try await expectCounter(200, cluster, "100")
                try await cluster.plurix("checkpoint", "--label", "a")
                try await expectCounter(400, cluster, "100")
                let again = try await cluster.plurix(["checkpoint", "--label", "a"])
                #expect(again.status == 65)
                #expect(try await cluster.plurix(["forget", "nothing"]).status == 65)
                try await cluster.plurix("checkpoint", "--label", "b")
                #expect(try await cluster.plurix("forget", "b").contains(" (b)\n"))
                #expect(try await checkpoints(cluster).flatMap(\.labels).contains("b") == false)
                // Two may want the same state.
                async let one = cluster.plurix(["checkpoint", "--label", "c"])
                async let other = cluster.plurix(["checkpoint", "--label", "d"])
                for outcome in [try await one, try await other] { #expect(outcome.status == 0, "\(outcome)") }
                #expect(try await checkpoints(cluster).contains { Set($0.labels) == ["c", "d"] })
                #expect(try await cluster.plurix(["forget", "c"]).complaint.contains("has other labels too"))
                try await cluster.plurix("forget", "c", "d")
                let status = try await cluster.status()
                #expect(status.savedTime > 0 && status.savedTime <= status.commitTime)
                let down = try await cluster.plurix("down")
                #expect(down.contains("up --from \(cluster.store) --name \(cluster.name)"))
                let kept = try await checkpoints(cluster, "--from", cluster.store)
                #expect(kept.map(\.labels) == [["a"], []])
                #expect(kept.map(\.isKept) == [true, true])
                // What is there is not overwritten, and a memory keeps its size.
                for (words, arguments) in [("--new", []), ("32 MiB", ["--from", cluster.store, "--shared", "64"])] {
                    let up = try await cluster.plurix(["up"] + arguments)
                    #expect(up.status == 65)
                    #expect(up.complaint.contains(words))
                    #expect(try await checkpoints(cluster, "--from", cluster.store) == kept)
                }
                try await cluster.plurix("up", "--nodes", "3", "--nic", nic, "--from", cluster.store)
                try await expectCounter(430, cluster)
                #expect(try await checkpoints(cluster).prefix(2) == kept[...])
                // A checkpoint may be forgotten by name, also where nobody runs.
                try await cluster.plurix("down")
                try await cluster.plurix("forget", "a", "--from", cluster.store)
                #expect(try await checkpoints(cluster, "--from", cluster.store).flatMap(\.labels) == [])
                try await cluster.plurix("fsck", cluster.store)
                try await cluster.plurix("up", "--nodes", "1", "--nic", nic, "--from", cluster.store)
                #expect(try await cluster.plurix("down", "--delete-store").contains("deleted"))
                #expect(!FileManager.default.fileExists(atPath: cluster.store))
            }
        }

        /// A page server goes on in a directory that nobody finds any more: that is said while there is time.
        @Test func aStoreThatIsNotInItsPlaceIsMissed() async throws {
            try await LiveCluster.with("--nodes", "1", "--shared", "8") { cluster in
                try await expectCounter(10, cluster)
                let away = cluster.base + "/away"
                try FileManager.default.moveItem(atPath: cluster.store, toPath: away)
                #expect(try await cluster.status().storeTrouble?.contains("is not there any more") == true)
                #expect(try await cluster.plurix(["checkpoint"]).status == 69)
                let down = try await cluster.plurix(["down"])
                #expect(down.status == 69 && down.complaint.contains(cluster.store))
                try FileManager.default.moveItem(atPath: away, toPath: cluster.store)
                #expect(try await cluster.status().storeTrouble == nil)
                try await cluster.plurix("checkpoint")
            }
        }

        /// What keeps a page server from starting has a beginning and an end.
        @Test func aPageServerThatDoesNotStartIsTold() async throws {
            try await LiveCluster.with("--nodes", "1", "--shared", "8") { cluster in
                let away = cluster.base + "/away"
                try FileManager.default.moveItem(atPath: cluster.store, toPath: away)
                kill(try #require(try await cluster.status().processes.arbiter), SIGKILL)
                _ = try await cluster.wait { $0.trouble?.contains(cluster.store) == true }
                try FileManager.default.moveItem(atPath: away, toPath: cluster.store)
                let number = try #require(try await cluster.wait { $0.trouble == nil }.processes.arbiter)
                let events = try await cluster.plurix("events")
                #expect(events.contains("the page server does not start: "), "\(events)")
                #expect(events.contains("the page server (process \(number)) has started"), "\(events)")
            }
        }

        @Test func aForkBeginsAtACheckpointWhileTheFirstRuns() async throws {
            try await LiveCluster.with("--nodes", "2") { cluster in
                try await expectCounter(100, cluster, "50")
                try await cluster.plurix("checkpoint", "--label", "a")
                async let endless = cluster.plurix(["run", "counter", "1000000000", "--continue"])
                _ = try await cluster.wait { $0.running != nil }
                try await LiveCluster.with("--nodes", "1", "--from", cluster.store, "--at", "a") { fork in
                    try await expectCounter(110, fork)
                    #expect(try await fork.status().storeDirectory == fork.store)
                    #expect(try await checkpoints(fork).first?.labels == ["a"])
                }
                // Nor may it be gone on with, or its end be somebody else's.
                let taken = try await cluster.plurix(["up", "--name", "other", "--from", cluster.store])
                #expect(taken.status == 69)
                #expect(taken.complaint.contains(cluster.name))
                #expect(try await cluster.status().running != nil)
                try await cluster.plurix("stop")
                #expect(try await endless.status == 69)
                let unknown = try await cluster.plurix(
                    ["up", "--name", "other", "--from", cluster.store, "--at", "b", "--volatile"])
                #expect(unknown.status == 65)
                #expect(unknown.complaint.contains("(a)"))
                #expect(!FileManager.default.fileExists(atPath: cluster.base + "/plurix/other"))
            }
        }

        private struct Restored: Decodable {
            var checkpoint: CheckpointReport
            var oldStoreDirectory: String
            var nodes: [String]
        }

        @Test func aClusterGoesBackAndNothingIsLost() async throws {
            try await LiveCluster.with("--nodes", "2") { cluster in
                try await expectCounter(20, cluster)
                try await cluster.plurix("checkpoint", "--label", "a")
                try await expectCounter(40, cluster)
                let unknown = try await cluster.plurix(["restore", "--at", "b"])
                #expect(unknown.status == 65)
                #expect(unknown.complaint.contains("not touched") && unknown.complaint.contains("(a)"))
                #expect(!unknown.complaint.contains("going back"))
                try await expectCounter(60, cluster)
                let restored: Restored = try await cluster.plurix(["restore", "--json", "--at", "a"]).decoded()
                #expect(restored.checkpoint.labels == ["a"])
                #expect(restored.nodes == ["n1", "n2"])
                try await expectCounter(40, cluster)
                // And from there to what it has left.
                try await cluster.plurix("down")
                try await cluster.plurix("up", "--nodes", "1", "--from", restored.oldStoreDirectory)
                try await expectCounter(70, cluster)
            }
        }

        /// Ctrl-C or the end of its terminal takes nothing from it.
        @Test(arguments: ["INT", "KILL"]) func aRestoreOutlivesItsCommand(signal: String) async throws {
            try await LiveCluster.with("--nodes", "1") { cluster in
                try await expectCounter(10, cluster)
                try await cluster.plurix("checkpoint", "--label", "a")
                try await expectCounter(20, cluster)
                let told = try await cluster.plurix(after: "0.2", signal: signal, ["restore", "--at", "a"])
                #expect(told.status != 0)
                #expect(signal == "KILL" || told.complaint.contains("goes on without this command"))
                let during = try await cluster.status()
                #expect(during.restoring == "a" && during.trouble == nil)
                let down = try await cluster.plurix(["down"])
                #expect(down.status == 69 && down.complaint.contains("going back"))
                let refused = try await cluster.plurix(["run", "counter", "10"])
                #expect(refused.status == 69 && refused.complaint.contains("going back to a"))
                _ = try await cluster.wait { $0.restoring == nil && $0.nodes.map(\.state) == ["joined"] }
                try await expectCounter(20, cluster)
                let events = try await cluster.plurix("events")
                #expect(events.contains("the cluster is going back to 1:") && events.contains("(a)"))
                #expect(events.contains("what came after it is in \(cluster.store).1"))
            }
        }

        /// Whoever has the arbiter's lock is the arbiter, and while stores are exchanged that is the supervisor: one
        /// that was started for the old store, and comes late, finds another at work or works for the new one.
        @Test func arbitersThatComeLateDoNoHarm() async throws {
            try await LiveCluster.with("--nodes", "2") { cluster in
                try await expectCounter(20, cluster)
                try await cluster.plurix("checkpoint", "--label", "a")
                try await expectCounter(40, cluster)
                let command = try #require(Harness.command)
                let late = "\(command) pageserver \(cluster.directory) --directory \(cluster.store) 2>/dev/null"
                async let others = Harness.run(
                    "/bin/sh", ["-c", "for one in $(seq 30); do \(late) & sleep 0.05; done"])
                try await cluster.plurix("restore", "--at", "a")
                _ = try await cluster.wait { $0.trouble == nil && $0.nodes.allSatisfy { $0.state == "joined" } }
                try await expectCounter(40, cluster)
                let events = try await cluster.plurix("events").split(separator: "\n")
                let began = try #require(events.firstIndex { $0.contains("is going back to") })
                try await cluster.plurix("down")
                #expect(events[began + 1].contains("the memory is as it was"), "no arbiter has acted between")
                // Not before: one of them may have become the arbiter.
                #expect(try await others.status == 0)
                for store in [cluster.store, cluster.store + ".1"] {
                    #expect(try await cluster.plurix(["fsck", store]).status == 0)
                }
            }
        }

        /// A supervisor that stands still does not start its page server again; the store is the cluster's even so.
        @Test func aStoreIsNotTakenWhileItsPageServerIsAway() async throws {
            try await LiveCluster.with("--nodes", "1") { cluster in
                try await expectCounter(10, cluster)
                let processes = try await cluster.status().processes
                let supervisor = try #require(processes.supervisor), arbiter = try #require(processes.arbiter)
                kill(supervisor, SIGSTOP)
                defer { kill(supervisor, SIGCONT) }
                kill(arbiter, SIGKILL)
                for _ in 0..<1000 where kill(arbiter, 0) == 0 && !isZombie(arbiter) { usleep(1000) }
                let file = cluster.base + "/export"
                for command in [
                    ["fsck", cluster.store], ["store", "export", cluster.store, file],
                    ["up", "--name", "other", "--nodes", "1", "--from", cluster.store],
                    ["up", "--name", "other", "--nodes", "1", "--new", "--store", cluster.store],
                ] {
                    let outcome = try await cluster.plurix(command)
                    #expect(outcome.status == 69, "\(command)")
                    #expect(outcome.complaint.contains("used by the cluster \(cluster.name)"), "\(command)")
                }
                kill(supervisor, SIGCONT)
                _ = try await cluster.wait { $0.trouble == nil && $0.processes.arbiter != nil }
                try await expectCounter(20, cluster)
            }
        }

        private func isZombie(_ process: Int32) -> Bool {
            let facts = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
            return facts.contains(") Z ")
        }

        @Test func aSupervisorMayDieOnTheWayBack() async throws {
            try await LiveCluster.with("--nodes", "2") { cluster in
                try await expectCounter(20, cluster)
                try await cluster.plurix("checkpoint", "--label", "a")
                try await expectCounter(40, cluster)
                let supervisor = try #require(try await cluster.status().processes.supervisor)
                async let outcome = cluster.plurix(["restore", "--at", "a"])
                let intent = cluster.directory + "/restore.json"
                for _ in 0..<4000 where !FileManager.default.fileExists(atPath: intent) { usleep(1000) }
                #expect(kill(supervisor, SIGKILL) == 0)
                let told = try await outcome
                #expect(told.status == 69)
                let status = try await cluster.wait {
                    $0.nodes.map(\.state) == ["joined", "joined"] && !FileManager.default.fileExists(atPath: intent)
                }
                #expect(status.restoring == nil)
                // It is in one of the two states, and both are there.
                let counter = try await cluster.run("counter", "10", "--continue").result
                #expect(counter == .integer(40) || counter == .integer(60))
                #expect(told.complaint.contains(counter == .integer(40) ? "the state of a" : "the state that it had"))
                let old = cluster.store + ".1"
                #expect(FileManager.default.fileExists(atPath: old) == (counter == .integer(40)))
            }
        }

        @Test func thePageServerIsKilledAgainAndAgain() async throws {
            try await LiveCluster.with("--nodes", "3", "--checkpoint-every", "1s") { cluster in
                let file = cluster.base + "/bank.history"
                async let bank = cluster.run("bank", "--transfers", "6000", "--history", file)
                _ = try await cluster.wait { $0.running != nil }
                for _ in 0..<4 {
                    let arbiter = try await cluster.wait { $0.processes.arbiter != nil }.processes.arbiter
                    kill(try #require(arbiter), SIGKILL)
                    try await Task.sleep(for: .milliseconds(150))
                }
                #expect(try await bank.result["violations"] == .integer(0))
                // Each end is told once, and nothing of a program that somebody waits for.
                let events = try await cluster.plurix("events").split(separator: "\n").map { $0.drop { $0 != " " } }
                let ends = events.filter { $0.hasSuffix("died and is started again") }
                #expect(!ends.isEmpty && Set(ends).count == ends.count, "\(events)")
                #expect(!events.contains { $0.contains("goes on from there") }, "\(events)")
                let verdict = try await cluster.plurix(["check", file])
                #expect(verdict.status == 0, "\(verdict.output)")
                try await cluster.plurix("down")
                #expect(try await cluster.plurix(["fsck", cluster.store]).status == 0)
            }
        }

        /// As when the power fails: everything ends at once, in the middle of a run.
        @Test func whatWasSavedOutlivesTheEndOfEverything() async throws {
            try await LiveCluster.with("--nodes", "3") { cluster in
                try await cluster.plurix(killedAfter: 2, ["run", "counter", "1000000000"])
                let saved = try await cluster.wait { $0.savedTime & 0xFFF_FFFF_FFFF > 500 }.savedTime
                for process in try cluster.processes() { kill(process, SIGKILL) }
                #expect(try await cluster.plurix(["fsck", cluster.store]).status == 0)
                let newest = try #require(try await checkpoints(cluster, "--from", cluster.store).last)
                #expect(newest.time >= saved)
                // The program was saved in the middle of its work, and goes on.
                #expect(try await cluster.plurix("up", "--nodes", "2", "--from", cluster.store).contains("goes on"))
                let alone = try await cluster.wait { ($0.running?.unattendedSeconds ?? 0) > 0 }
                #expect(alone.running?.program == "counter")
                _ = try await cluster.wait { status in
                    status.notices.contains { $0.contains("counter, which was at work in the state") }
                }
                try await cluster.plurix("stop")
                _ = try await cluster.wait { $0.running == nil }
                guard case .integer(let total) = try await cluster.run("counter", "10", "--continue").result else {
                    throw Failure(.fault, "counter has no number as its result")
                }
                // One addition a commit, but for those of joining and of the runs themselves.
                #expect(total > Int64(newest.counter) - 50)
            }
        }

        // They were shown as joined, and could not be started again, until libvirt had heard of their end.
        @Test func allNodesDieAtOnceAndComeBack() async throws {
            try await LiveCluster.with("--nodes", "3") { cluster in
                for round in 1...2 as ClosedRange<Int64> {
                    try await expectCounter(30 * round, cluster)
                    for node in try await cluster.status().nodes {
                        kill(try #require(node.processIdentifier), SIGKILL)
                    }
                    _ = try await cluster.wait { $0.nodes.allSatisfy { $0.state == "dead" } }
                    for name in ["n1", "n2", "n3"] { try await cluster.plurix("add", name) }
                }
                try await expectCounter(90, cluster)
            }
        }

        /// The side with the arbiter saves and goes on; the other one comes back by itself.
        @Test func aPartedNodeMissesNothing() async throws {
            try await LiveCluster.with("--nodes", "3") { cluster in
                try await expectCounter(30, cluster)
                for other in ["n1", "n2", "arbiter"] { try await cluster.plurix("net", "cut", "n3", other) }
                _ = try await cluster.wait { $0.nodes.last?.state == "silent" }
                #expect(
                    try await cluster.run("counter", "10", "--continue", "--nodes", "2").result == .integer(50))
                try await cluster.plurix("checkpoint", "--label", "parted")
                try await cluster.plurix("net", "heal")
                _ = try await cluster.wait { $0.nodes.allSatisfy { $0.state == "joined" } }
                try await expectCounter(80, cluster)
            }
        }

        /// One after the other, while a program works whose result is known.
        @Test func backgroundProcessesDieWhileWordsAreCounted() async throws {
            try await LiveCluster.with("--nodes", "3") { cluster in
                let text = cluster.base + "/text"
                let words = (0..<30_000).map { ["one", "two", "three", "four", "five"][$0 % 5] }
                try words.joined(separator: " ").write(toFile: text, atomically: true, encoding: .utf8)
                let before = try await cluster.status().processes
                let file = cluster.base + "/words.history"
                async let count = cluster.run("wordcount", text, "--history", file)
                for process in [before.arbiter, before.segment, before.supervisor] {
                    try await Task.sleep(for: .milliseconds(250))
                    kill(try #require(process), SIGKILL)
                }
                let result = try await count.result
                #expect(result["totalWords"] == .integer(30_000))
                #expect(result["counts"]?["three"] == .integer(6000))
                #expect(try await cluster.plurix(["check", file]).status == 0)
            }
        }

        private struct Events: Decodable {
            struct Event: Decodable {
                var time: String
                var text: String
            }

            var events: [Event]
        }

        @Test func eventsSayWhatHappenedAndWhy() async throws {
            try await LiveCluster.with("--nodes", "3") { cluster in
                async let run = cluster.plurix(["run", "counter", "1000000000"])
                _ = try await cluster.wait { $0.running != nil }
                try await cluster.plurix("kill", "n2")
                _ = try await cluster.wait { $0.epoch == 2 }
                let events = try await cluster.plurix(["events", "--json"]).decoded(Events.self).events
                #expect(events.allSatisfy { $0.time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/) != nil })
                #expect(events.filter { $0.text.contains("was admitted") }.count == 3)
                let death = try #require(events.firstIndex { $0.text == "epoch 2 is prepared: n2 died" })
                let opening = try #require(events.firstIndex { $0.text.hasPrefix("epoch 2 opened at commit") })
                #expect(death < opening && events[opening].text.contains("undone"))
                let lines = try await cluster.plurix("events").split(separator: "\n")
                #expect(lines.count >= events.count)
                try await cluster.plurix("stop")
                #expect(try await run.status == 69)
            }
        }

        @Test func aStoreThatIsGoneIsMissedAndNotBegunAnew() async throws {
            try await LiveCluster.with("--nodes", "1") { cluster in
                try await expectCounter(10, cluster)
                // While the page server writes into it, a directory may even change its name.
                let place = cluster.base + "/elsewhere"
                try FileManager.default.moveItem(atPath: cluster.store, toPath: place)
                kill(try #require(try await cluster.status().processes.arbiter), SIGKILL)
                let status = try await cluster.wait { $0.trouble != nil }
                #expect(status.trouble?.contains("\(cluster.store) is gone") == true)
                let taken = try await cluster.plurix(["checkpoint"])
                #expect(taken.status == 69)
                #expect(taken.complaint.contains("is gone"))
                // What is advised helps: a plain down is what was tried.
                let down = try await cluster.plurix(["down"])
                #expect(down.status == 69 && down.complaint.contains("put it back"))
                #expect(down.complaint.ranges(of: "plurix down").count == 1 && down.complaint.contains("down --force"))
                #expect(!FileManager.default.fileExists(atPath: cluster.store))
                try FileManager.default.moveItem(atPath: place, toPath: cluster.store)
                _ = try await cluster.wait { $0.trouble == nil && $0.processes.arbiter != nil }
                try await expectCounter(20, cluster)
            }
        }

        @Test func aStoreGoesThroughAPipe() async throws {
            try await LiveCluster.withNone { cluster in
                try await cluster.plurix("up", "--nodes", "1")
                try await expectCounter(10, cluster)
                try await cluster.plurix("down")
                let command = try #require(Harness.command), new = cluster.base + "/new", file = cluster.base + "/file"
                func shell(_ script: String) async throws -> Harness.Outcome {
                    let script = "set -e -o pipefail; cd \"$1\"; " + script
                    return try await Harness.run("/bin/bash", ["-c", script, command, cluster.base, cluster.store])
                }
                let moved = try await shell("$0 store export $2 - | $0 store import - new")
                #expect(moved.status == 0 && moved.output.hasPrefix("new: "))
                #expect(moved.complaint.contains("\(cluster.store): ") && moved.complaint.contains(" bytes\n"))
                #expect(try await cluster.plurix(["fsck", new]).status == 0)
                // Nothing but the store is on standard output.
                #expect(try await cluster.plurix(["store", "export", cluster.store, file]).status == 0)
                let same = try await shell("$0 store export --json $2 - | cmp - file; test ! -e -")
                #expect(same.status == 0 && same.output.isEmpty && same.complaint.isEmpty, "\(same)")
                let cut = try await shell("head -c 5000 file | $0 store import - cut || { test ! -e cut; exit 65; }")
                #expect(cut.status == 65 && cut.complaint.contains("standard input: this is no complete export"))
                let full = try await shell("$0 store export $2 - > /dev/full")
                #expect(full.status == 69 && full.complaint.contains("no whole export"), "\(full)")
            }
        }

        @Test func aDamagedStoreIsSalvaged() async throws {
            try await LiveCluster.with("--nodes", "1") { cluster in
                try await expectCounter(10, cluster)
                try await cluster.plurix("checkpoint", "--label", "a")
                let segments = try FileManager.default.contentsOfDirectory(atPath: cluster.store)
                    .filter { $0.hasPrefix("segment.") }.sorted()
                let newest = URL(filePath: "\(cluster.store)/\(try #require(segments.last))")
                // Zeros behind it are room that was written ahead.
                let end = try #require(try Data(contentsOf: newest).lastIndex { $0 != 0 })
                try await expectCounter(20, cluster)
                try await cluster.plurix("checkpoint", "--label", "b")
                try await cluster.plurix("down")
                var bytes = try Data(contentsOf: newest)
                bytes[end + 100] ^= 4
                try bytes.write(to: newest)
                let refused = try await cluster.plurix(["up", "--nodes", "1", "--from", cluster.store])
                #expect(refused.status == 70 && refused.complaint.contains("plurix store salvage \(cluster.store) NEW"))
                let new = cluster.base + "/new"
                let lost = try await cluster.plurix(["store", "salvage", cluster.store, new, "--at", "b"])
                #expect(lost.status == 70 && lost.complaint.contains("(b) is lost: segment."), "\(lost)")
                #expect(lost.complaint.contains("(a)"))
                let never = try await cluster.plurix(["store", "salvage", cluster.store, new, "--at", "c"])
                #expect(never.status == 65 && never.complaint.contains("there is no checkpoint"))
                let saved = try await cluster.plurix(["store", "salvage", cluster.store, new])
                #expect(saved.status == 0 && saved.output.contains("what was saved after it is not in it"))
                #expect(saved.output.contains(/the checkpoint 1:\d+ \(b\), taken 2\S+Z, is lost\n/), "\(saved.output)")
                #expect(try Data(contentsOf: newest) == bytes)
                #expect(try await cluster.plurix(["fsck", new]).status == 0)
                try await cluster.plurix("up", "--nodes", "1", "--from", new)
                try await expectCounter(20, cluster)
                #expect(try await cluster.plurix("checkpoints").contains(" a "))
            }
        }

        @Test func aVolatileStoreOutlivesItsProcessesAndGoesWithTheCluster() async throws {
            try await LiveCluster.withNone { cluster in
                try await cluster.plurix("up", "--volatile", "--nodes", "1")
                try await expectCounter(10, cluster)
                let status = try await cluster.status()
                #expect(status.isVolatile && status.storeDirectory == cluster.directory + "/store")
                try await cluster.plurix("kill", "n1")
                kill(try #require(status.processes.arbiter), SIGKILL)
                try await cluster.plurix("add", "n1")
                try await expectCounter(20, cluster)
                #expect(try await cluster.plurix("down") == "cluster \(cluster.name) is removed\n")
                #expect(!FileManager.default.fileExists(atPath: cluster.store))
            }
        }

        @Test func whatDoesNotComeUpLeavesStoresAsTheyWere() async throws {
            try await LiveCluster.withNone { cluster in
                try await cluster.plurix("up", "--nodes", "1")
                try await expectCounter(10, cluster)
                try await cluster.plurix("down")
                // One fails when its store is ready, the other while it is made.
                let stores = cluster.base + "/state/plurix"
                let late = ["--new", "--connect", "qemu:///system"]
                for options in [late, ["--from", cluster.store, "--at", "nothing", "--new"]] {
                    let up = try await cluster.plurix(["up"] + options)
                    #expect(up.status != 0)
                    #expect(try FileManager.default.contentsOfDirectory(atPath: stores) == [cluster.name])
                }
                try await cluster.plurix("up", "--nodes", "1", "--from", cluster.store)
                try await expectCounter(20, cluster)
            }
        }
    }
}
