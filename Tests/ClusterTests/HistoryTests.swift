import Control
import Foundation
import Testing

extension LiveTests {
    /// What real machines tell of their transactions, and the verdict on it.
    @Suite(.serialized) struct HistoryTests {
        private struct Verdict: Decodable {
            struct Violation: Decodable {
                var sentence: String
                var transactions: [String]
            }

            var right: Bool
            var transactions: Int
            var writers: Int
            var undone: Int
            var smallest: Violation?
        }

        private func check(_ file: String, _ cluster: LiveCluster) async throws -> (Int32, Verdict) {
            let outcome = try await cluster.plurix(["check", "--json", file])
            try #require(outcome.status == 0 || outcome.status == 70, "\(outcome.complaint)")
            return (outcome.status, try outcome.decoded())
        }

        private func expectRight(_ file: String, _ cluster: LiveCluster) async throws {
            let (status, verdict) = try await check(file, cluster)
            if status != 0 {
                // Kept, because what happened once on real machines may not happen again soon.
                let kept = FileManager.default.temporaryDirectory.appending(path: "plurix-\(UUID().uuidString).history")
                try FileManager.default.copyItem(at: URL(filePath: file), to: kept)
                Issue.record("\(verdict.smallest?.sentence ?? "no reason"): \(kept.path())")
            }
            #expect(verdict.right && verdict.writers > 100)
        }

        @Test func bankKeepsWhatTheMemoryPromises() async throws {
            try await LiveCluster.with("--nodes", "3") { cluster in
                let file = cluster.base + "/bank.history"
                _ = try await cluster.run("bank", "--history", file)
                try await expectRight(file, cluster)
                try await expectSpoiltOnesAreFound(file, cluster)
                // Nothing is left of it, and nothing is recorded any more.
                _ = try await cluster.run("counter", "10")
                let left = try FileManager.default.contentsOfDirectory(atPath: cluster.directory)
                    .filter { $0.hasSuffix(".history") }
                #expect(left.count == 3)
                for name in left {
                    #expect(FileManager.default.contents(atPath: "\(cluster.directory)/\(name)")?.isEmpty == true)
                }
            }
        }

        /// An image in which nodes keep the last page of each commit of others: what they tell of must not pass.
        @Test(.enabled(if: Harness.isThorough, "builds a node image")) func aPlantedBugIsFound() async throws {
            let directory = FileManager.default.temporaryDirectory.appending(path: "plurix-\(UUID().uuidString)").path()
            defer { try? FileManager.default.removeItem(atPath: directory) }
            let script = Harness.root + "/Sensitivity/image.py"
            let built = try await Harness.run(script, ["P18-invalidation", directory], limit: .seconds(600))
            try #require(built.status == 0, "\(built.complaint)")
            let image = built.output.trimmingCharacters(in: .whitespacesAndNewlines)
            try await LiveCluster.with("--nodes", "3", "--image", image) { cluster in
                let file = cluster.base + "/planted.history"
                _ = try await cluster.plurix(
                    ["run", "register", "--registers", "8", "--transactions", "300", "--history", file])
                let (status, verdict) = try await check(file, cluster)
                #expect(status == 70 && !verdict.right)
                #expect(verdict.smallest?.transactions.isEmpty == false)
            }
        }

        private func expectSpoiltOnesAreFound(_ file: String, _ cluster: LiveCluster) async throws {
            let text = try String(contentsOfFile: file, encoding: .utf8)
            let lines = text.split(separator: "\n")
            let spoilt = cluster.base + "/spoilt.history"
            let commits = Dictionary(
                lines.compactMap { line in
                    line.firstMatch(of: /"transaction":"([^"]+)".*"event":"commit","commitTime":"([^"]+)"/)
                        .map { ($0.2, $0.1) }
                }, uniquingKeysWith: { first, _ in first })
            let readers = lines.compactMap { line in
                line.firstMatch(of: /"transaction":"([^"]+)".*"event":"read".*"version":"([^"]+)"/)
            }.filter { match in commits[match.2].map { $0 != match.1 } ?? false }
            // Some in the middle are gone, of which others have read: more than a node that began late may have lost.
            let middle = Set(readers.dropFirst(readers.count / 2).prefix(60).compactMap { commits[$0.2] })
            #expect(middle.count > 5)
            let left = lines.filter { line in
                line.firstMatch(of: /"transaction":"([^"]+)"/).map { !middle.contains($0.1) } ?? true
            }
            try left.map { $0 + "\n" }.joined().write(toFile: spoilt, atomically: true, encoding: .utf8)
            let (status, verdict) = try await check(spoilt, cluster)
            #expect(status == 70 && verdict.smallest?.transactions.isEmpty == false)
            // The file ends too early.
            try text.dropLast(20).write(toFile: spoilt, atomically: true, encoding: .utf8)
            let cut = try await cluster.plurix(["check", spoilt])
            #expect(cut.status == 65)
            #expect(cut.complaint.contains("line \(lines.count), column"))
        }

        @Test func aHistoryThatCannotBeWrittenIsRefused() async throws {
            try await LiveCluster.with("--nodes", "1") { cluster in
                for path in ["/nowhere/bank.history", "/proc/x", cluster.base] {
                    let outcome = try await cluster.plurix(["run", "bank", "--history", path])
                    #expect(outcome.status == 65 && outcome.output.isEmpty, "\(outcome)")
                    #expect(outcome.complaint.contains(path))
                }
            }
        }

        /// Nodes tell all of it to one place: a second one would end what the first records, and empty it.
        @Test func onlyOneRunRecords() async throws {
            try await LiveCluster.with("--nodes", "2") { cluster in
                let files = ["/a", "/b", "/c"].map { cluster.base + $0 }
                func record(_ file: String) async throws -> Harness.Outcome {
                    try await cluster.plurix(["run", "counter", "100", "--history", file])
                }
                for _ in 0..<4 {
                    async let first = record(files[0])
                    async let second = record(files[1])
                    async let third = record(files[2])
                    let outcomes = [try await first, try await second, try await third]
                    #expect(outcomes.contains { $0.status == 0 }, "\(outcomes)")
                    for (outcome, file) in zip(outcomes, files) {
                        if outcome.status == 0 {
                            try await expectRight(file, cluster)
                            unlink(file)
                        } else {
                            #expect(outcome.status == 69 && outcome.complaint.contains("another plurix run records"))
                            #expect(!FileManager.default.fileExists(atPath: file))
                        }
                    }
                }
                // Whoever begins, and whoever ends.
                let lock = try ProcessLock.take(cluster.directory + "/history.lock")
                let isHeld = lock != nil
                #expect(isHeld)
                #expect(try await record(files[0]).status == 69)
                #expect(try await cluster.run("counter", "10").result == .integer(20))
                _ = consume lock
                #expect(try await record(files[0]).status == 0)
            }
        }

        @Test func aMemoryThatIsTooLargeToBeRecordedIsRefused() async throws {
            try await LiveCluster.with("--nodes", "1", "--shared", "512") { cluster in
                let file = cluster.base + "/bank.history"
                let outcome = try await cluster.plurix(["run", "bank", "--history", file])
                #expect(outcome.status == 64)
                #expect(outcome.complaint.contains("at most --shared 256"))
                _ = try await cluster.run("counter", "10")
            }
        }

        @Test func theArbiterIsKilledWhileNodesTell() async throws {
            try await LiveCluster.with("--nodes", "3") { cluster in
                let file = cluster.base + "/bank.history"
                async let bank = cluster.run("bank", "--transfers", "4000", "--history", file)
                try await Task.sleep(for: .milliseconds(400))
                let arbiter = try await cluster.status().processes.arbiter
                kill(try #require(arbiter), SIGKILL)
                #expect(try await bank.result["violations"] == .integer(0))
                try await expectRight(file, cluster)
            }
        }

        /// A machine that is paused while it tells is late by that, although another was paused for longer before; and
        /// who is refused, because a program runs, does not end that program's recording.
        @Test func aPauseAndARefusedRunSpoilNoHistory() async throws {
            try await LiveCluster.with("--nodes", "2") { cluster in
                try await cluster.plurix("pause", "n1")
                try await Task.sleep(for: .seconds(2))
                try await cluster.plurix("resume", "n1")
                try await cluster.wait { $0.nodes.allSatisfy { $0.state == "joined" } }
                let file = cluster.base + "/paused.history"
                async let bank = cluster.run("bank", "--transfers", "6000", "--history", file)
                try await Task.sleep(for: .milliseconds(400))
                try await cluster.plurix("pause", "n2")
                let refused = try await cluster.plurix(["run", "counter", "1", "--history", cluster.base + "/other"])
                #expect(refused.status == 69 && !FileManager.default.fileExists(atPath: cluster.base + "/other"))
                try await Task.sleep(for: .seconds(1))
                try await cluster.plurix("resume", "n2")
                #expect(try await bank.result["violations"] == .integer(0))
                try await expectRight(file, cluster)
                // A file is replaced, and nothing else.
                let taken = try await cluster.plurix(["run", "counter", "1", "--history", "/dev/null"])
                #expect(taken.status == 65 && taken.complaint.contains("/dev/null"))
            }
        }

        /// Everything at once: nodes are paused, cut off, added and killed while frames are lost, doubled and late.
        @Test func chaosBreaksNoPromise() async throws {
            try await LiveCluster.with("--nodes", "4") { cluster in
                let text = cluster.base + "/text"
                let words = (0..<20_000).map { number in
                    String(repeating: String("abcdefg".dropFirst(number % 7)), count: 1 + number * number % 7)
                }
                try words.joined(separator: " ").write(toFile: text, atomically: true, encoding: .utf8)
                for (round, program) in [["bank", "--transfers", "5000"], ["wordcount", text]].enumerated() {
                    let file = cluster.base + "/chaos.history"
                    async let outcome = cluster.plurix(["run"] + program + ["--history", file])
                    try await disturb(cluster, victim: "n\(round + 3)")
                    let status = try await outcome.status
                    #expect(status == 0 || status == 69)
                    try await expectRight(file, cluster)
                }
            }
        }

        private func disturb(_ cluster: LiveCluster, victim: String) async throws {
            func pause() async throws { try await Task.sleep(for: .milliseconds(300)) }
            try await pause()
            try await cluster.plurix("net", "loss", "2%")
            try await cluster.plurix("net", "duplicate", "5%")
            try await cluster.plurix("net", "delay", "100us", "500us")
            try await pause()
            try await cluster.plurix("pause", "n2")
            try await pause()
            try await cluster.plurix("resume", "n2")
            try await cluster.plurix("net", "cut", "n1", "n2")
            try await pause()
            try await cluster.plurix("net", "heal")
            try await cluster.plurix("kill", victim)
            try await cluster.plurix("add")
        }
    }
}
