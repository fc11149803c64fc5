import Foundation
import Testing

extension LiveTests {
    /// Starting, changing and ending clusters.
    @Suite(.serialized) struct LifeTests {
        @Test(arguments: ["virtio", "rtl8139"]) func upStatusAndDown(nic: String) async throws {
            try await LiveCluster.withNone { cluster in
                let up = try await cluster.plurix(["up", "--json", "--nic", nic])
                #expect(up.status == 0, "\(up.complaint)")
                let status: StatusReply = try up.decoded()
                #expect(status.cluster == cluster.name)
                #expect(status.nodes.map(\.name) == ["n1", "n2", "n3"])
                for node in status.nodes {
                    #expect(node.state == "joined")
                    #expect(node.nic == nic)
                    #expect(node.upMilliseconds > 0 && node.upMilliseconds < 5000)
                    #expect(node.joinMilliseconds > 0)
                    #expect(node.joinPageRequests <= 284)
                    let process = try #require(node.processIdentifier)
                    #expect(kill(process, 0) == 0)
                }
                let processes = try cluster.processes()
                #expect(processes.count == 6)
                for _ in 0..<2 {
                    let down = try await cluster.plurix(["down"])
                    #expect(down.status == 0)
                }
                #expect(try cluster.processes().isEmpty)
                #expect(!FileManager.default.fileExists(atPath: cluster.directory))
            }
        }

        @Test func aNameInUseIsRefused() async throws {
            try await LiveCluster.with("--nodes", "1") { cluster in
                let second = try await cluster.plurix(["up", "--nodes", "1"])
                #expect(second.status == 65)
                #expect(second.complaint.contains(cluster.name))
                let status = try await cluster.status()
                #expect(status.nodes.map(\.state) == ["joined"])
            }
        }

        @Test func anImageThatIsNoneLeavesNothingBehind() async throws {
            try await LiveCluster.withNone { cluster in
                let up = try await cluster.plurix(["up", "--image", Harness.root + "/README.md", "--timeout", "5"])
                #expect(up.status == 65)
                #expect(up.complaint.contains("no node image"))
                #expect(!FileManager.default.fileExists(atPath: cluster.directory))
                #expect(try cluster.processes().isEmpty)
            }
        }

        @Test func nodesComeAndGo() async throws {
            try await LiveCluster.with("--nodes", "2") { cluster in
                try await cluster.plurix("add")
                try await cluster.plurix("kill", "n2")
                var status = try await cluster.wait { $0.nodes.contains { $0.name == "n2" && $0.state == "dead" } }
                #expect(status.nodes.map(\.name) == ["n1", "n2", "n3"])
                let again = try await cluster.plurix(["kill", "n2"])
                #expect(again.status == 69)
                let counter = try await cluster.run("counter", "100")
                #expect(counter.result == .integer(200))
                try await cluster.plurix("add")
                status = try await cluster.status()
                #expect(status.nodes.allSatisfy { $0.state == "joined" })
                try await cluster.plurix("remove", "n3")
                status = try await cluster.status()
                #expect(status.nodes.map(\.name) == ["n1", "n2"])
                let more = try await cluster.run("counter", "100", "--continue")
                #expect(more.result == .integer(400))
                // Of one that left, and of its number's next life.
                let events = try await cluster.plurix("events")
                #expect(events.contains(": n2 died") && events.contains(": n3 left") && !events.contains(": n3 died"))
                try await cluster.plurix("add", "n3")
                try await cluster.plurix("kill", "n3")
                let epoch = status.epoch
                _ = try await cluster.wait { $0.epoch > epoch }
                #expect(try await cluster.plurix("events").contains(": n3 died"))
            }
        }

        @Test func aPausedNodeComesBack() async throws {
            try await LiveCluster.with("--nodes", "3") { cluster in
                try await cluster.plurix("pause", "n3")
                let status = try await cluster.status()
                #expect(status.nodes.last?.state == "paused")
                try await Task.sleep(for: .seconds(3))
                try await cluster.plurix("resume", "n3")
                _ = try await cluster.wait { $0.nodes.allSatisfy { $0.state == "joined" } }
                let counter = try await cluster.run("counter", "50")
                #expect(counter.result == .integer(150))
            }
        }

        @Test func backgroundProcessesMayDie() async throws {
            try await LiveCluster.with("--nodes", "2") { cluster in
                let before = try await cluster.status().processes
                for process in [before.segment, before.arbiter, before.supervisor] {
                    kill(try #require(process), SIGKILL)
                }
                let counter = try await cluster.run("counter", "100")
                #expect(counter.result == .integer(200))
                let after = try await cluster.status().processes
                #expect(after.supervisor != before.supervisor)
                #expect(after.segment != before.segment)
                #expect(after.arbiter != before.arbiter)
            }
        }

        @Test func downCleansUpAfterAKillOfEverything() async throws {
            try await LiveCluster.withNone { cluster in
                try await cluster.plurix("up", "--nodes", "2")
                for process in try cluster.processes() { kill(process, SIGKILL) }
                #expect(try await cluster.plurix(["down"]).status == 0)
                #expect(!FileManager.default.fileExists(atPath: cluster.directory))
                #expect(try cluster.processes().isEmpty)
            }
        }

        @Test func whatAKilledClusterLeftIsNotInTheWay() async throws {
            try await LiveCluster.withNone { cluster in
                try await cluster.plurix("up", "--nodes", "1")
                for process in try cluster.processes() { kill(process, SIGKILL) }
                try await cluster.plurix("up", "--nodes", "1", "--from", cluster.store)
            }
        }

        @Test func anotherKeyIsRefusedOnBothSides() async throws {
            try await LiveCluster.with("--nodes", "1") { cluster in
                let key = cluster.base + "/key"
                try "00112233445566778899aabbccddeeff".write(toFile: key, atomically: true, encoding: .utf8)
                let stranger = try await cluster.plurix(["add", "--key-file", key, "--timeout", "20"])
                #expect(stranger.status == 69)
                #expect(stranger.complaint.contains("key"))
                try await expectOnlyTheFirst(cluster, "key")
            }
        }

        @Test func anotherBuildIsRefusedOnBothSides() async throws {
            try await LiveCluster.with("--nodes", "1") { cluster in
                let other = cluster.base + "/node.elf"
                try otherBuild().write(to: URL(filePath: other))
                let stranger = try await cluster.plurix(["add", "--image", other, "--timeout", "20"])
                #expect(stranger.status == 69)
                #expect(stranger.complaint.contains("build"))
                try await expectOnlyTheFirst(cluster, "build")
            }
        }

        /// The cluster goes on, says on its side what it refused, and the stranger says it on its console.
        private func expectOnlyTheFirst(_ cluster: LiveCluster, _ reason: String) async throws {
            let status = try await cluster.status()
            #expect(status.nodes.map(\.name) == ["n1"])
            #expect(status.nodes.first?.state == "joined")
            #expect(status.notices.contains { $0.contains(reason) })
            let console = try await cluster.plurix("logs", "n2")
            #expect(console.contains(reason))
            let counter = try await cluster.run("counter", "10")
            #expect(counter.result == .integer(10))
        }

        /// The image with one bit of its build id changed.
        private func otherBuild() throws -> Data {
            let place = URL(filePath: try #require(Harness.command)).resolvingSymlinksInPath()
                .deletingLastPathComponent().appending(path: "../../image/node.elf").standardizedFileURL
            var image = try Data(contentsOf: place)
            let head: [UInt8] = [7, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0] + Array("Plurix".utf8) + [0, 0]
            let note = try #require(image.range(of: Data(head)))
            image[note.upperBound] ^= 1
            return image
        }
    }

    /// Nothing needs root: an ordinary user starts a cluster.
    @Suite(.enabled(if: getuid() == 0, "becomes another user, which needs root")) struct OrdinaryUserTests {
        @Test func anOrdinaryUserStartsACluster() async throws {
            let home = "/tmp/plurix-user-\(UInt32.random(in: 0...UInt32.max))"
            defer { try? FileManager.default.removeItem(atPath: home) }
            // A copy that this user can read, wherever the checkout lies.
            let command = URL(filePath: try #require(Harness.command)).resolvingSymlinksInPath()
            let image = command.deletingLastPathComponent().appending(path: "../../image").standardizedFileURL
            for folder in ["image", "run"] {
                try FileManager.default.createDirectory(
                    atPath: "\(home)/\(folder)", withIntermediateDirectories: true)
            }
            try FileManager.default.copyItem(atPath: command.path(percentEncoded: false), toPath: home + "/plurix")
            for name in ["node.elf", "node-domain.xml"] {
                try FileManager.default.copyItem(
                    atPath: image.appending(path: name).path(percentEncoded: false), toPath: home + "/image/" + name)
            }
            let owned = try await Harness.run("/bin/chown", ["-R", "nobody", home])
            #expect(owned.status == 0)
            for (arguments, words) in [
                (["up", "--nodes", "2"], "joined"), (["run", "counter", "10"], "20"), (["down"], "removed"),
            ] {
                let outcome = try await Harness.run(
                    "/usr/bin/setpriv",
                    ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups", home + "/plurix"] + arguments,
                    environment: ["HOME": home, "XDG_RUNTIME_DIR": home + "/run", "XDG_CACHE_HOME": home + "/.cache"])
                #expect(outcome.status == 0, "\(arguments): \(outcome.complaint)")
                #expect(outcome.output.contains(words))
            }
        }
    }
}
