import Control
import Foundation
import Testing

extension LiveTests {
    /// A file system of its own for a cluster, so that it can be filled.
    @Suite(.enabled(if: getuid() == 0, "mounts a file system, which needs root")) struct FullDiskTests {
        /// Two segments must have room: with less the store fills the disk by itself once more.
        @Test func aFullDiskIsNamedAndSurvived() async throws { try await withDisk(mebibytes: 32, fillAndEmpty) }

        /// It would take them along.
        @Test func aNodeWhoseCommitsCannotBeSavedStays() async throws {
            try await withDisk(mebibytes: 24) { cluster in
                let full = cluster.base + "/full"
                try await cluster.plurix("up", "--nodes", "2")
                fill(full)
                async let run = cluster.plurix(["run", "fill", "400", "--verify"])
                _ = try await cluster.wait { $0.trouble != nil && $0.commitTime > $0.savedTime + 25 }
                let remove = try await cluster.plurix(["remove", "n2"])
                #expect(remove.status == 69, "\(remove)")
                #expect([cluster.store, "No space left on device"].allSatisfy(remove.complaint.contains), "\(remove)")
                try await Task.sleep(for: .seconds(3))
                #expect(try await cluster.status().nodes.map(\.state) == ["joined", "joined"])
                unlink(full)
                #expect(try await run.status == 0)
                let status = try await cluster.status()
                #expect(status.nodes.map(\.state) == ["joined", "joined"] && status.epoch == 1)
                try await cluster.plurix("remove", "n2")
            }
        }

        /// Nor does one come, which is said meanwhile; and who tells the end is not who told the beginning.
        @Test func anOutageIsToldFromItsBeginningToItsEnd() async throws {
            try await LiveCluster.withNone { cluster in
                let disk = cluster.base + "/disk", full = disk + "/full"
                try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: false)
                try await on(disk, mebibytes: 24, of: cluster) {
                    try await cluster.plurix("up", "--nodes", "2", "--store", disk + "/s")
                    fill(full)
                    async let run = cluster.plurix(["run", "fill", "400", "--verify"])
                    _ = try await cluster.wait { $0.trouble != nil && $0.commitTime > $0.savedTime + 25 }
                    let add = try await cluster.plurix(["add", "--timeout", "5"])
                    #expect(add.status == 75, "\(add)")
                    let told = add.complaint.split(separator: "\n").filter { $0.hasPrefix("n3 starting; ") }
                    #expect(told.contains { $0.contains(disk + "/s: No space left on device") }, "\(add)")
                    let arbiter = try #require(try await cluster.status().processes.arbiter)
                    kill(arbiter, SIGKILL)
                    unlink(full)
                    #expect(try await run.status == 0)
                    let notices = try await cluster.wait {
                        $0.notices.contains { $0.contains("can be written again") }
                    }.notices
                    #expect(notices.count { $0.contains("nothing is saved") } == 1, "\(notices)")
                    #expect(notices.last?.contains("can be written again") == true, "\(notices)")
                }
            }
        }

        private func withDisk(mebibytes: Int, _ body: (LiveCluster) async throws -> Void) async throws {
            try await LiveCluster.withNone { cluster in
                try await on(cluster.base, mebibytes: mebibytes, of: cluster) { try await body(cluster) }
            }
        }

        /// Mounts a file system of its own at `path` until the cluster has ended.
        private func on(
            _ path: String, mebibytes: Int, of cluster: LiveCluster, _ body: () async throws -> Void
        ) async throws {
            let mount = try await Harness.run("/bin/mount", ["-t", "tmpfs", "-o", "size=\(mebibytes)m", "tmpfs", path])
            try #require(mount.status == 0, "\(mount.complaint)")
            let outcome: Result<Void, any Error>
            do { outcome = .success(try await body()) } catch { outcome = .failure(error) }
            _ = try await cluster.plurix(["down", "--force"])
            #expect(try await Harness.run("/bin/umount", [path]).status == 0)
            try outcome.get()
        }

        /// What was exchanged is ended as soon as that can be done, and said to be under way until then.
        @Test func aRestoreThatCannotBeEndedIsEndedLater() async throws {
            try await LiveCluster.with("--nodes", "1") { cluster in
                _ = try await cluster.run("counter", "10")
                try await cluster.plurix("checkpoint", "--label", "a")
                _ = try await cluster.run("counter", "10", "--continue")
                // What something is mounted on cannot be replaced.
                let file = cluster.directory + "/cluster.json"
                let mount = try await Harness.run("/bin/mount", ["--bind", file, file])
                try #require(mount.status == 0, "\(mount.complaint)")
                let restore = try await cluster.plurix(["restore", "--at", "a"])
                let meanwhile = try await cluster.status()
                #expect(try await Harness.run("/bin/umount", [file]).status == 0)
                #expect(restore.status != 0 && restore.complaint.contains("goes on with it once that can be done"))
                #expect(meanwhile.restoring == "a" && meanwhile.trouble?.contains(file) == true)
                let status = try await cluster.wait {
                    $0.restoring == nil && $0.trouble == nil && $0.nodes.map(\.state) == ["joined"]
                }
                #expect(status.notices.contains { $0.contains("cannot be ended yet") })
                #expect(try await cluster.run("counter", "5", "--continue").result == .integer(15))
            }
        }

        private func fillAndEmpty(_ cluster: LiveCluster) async throws {
            let full = cluster.base + "/full"
            fill(full)
            let up = try await cluster.plurix(["up", "--nodes", "1"])
            #expect(up.status == 69)
            #expect(up.complaint.contains("make room"))
            #expect(!FileManager.default.fileExists(atPath: cluster.directory))
            unlink(full)
            try await cluster.plurix("up", "--nodes", "2")
            async let run = cluster.plurix(["run", "counter", "20000"])
            _ = try await cluster.wait { $0.running != nil }
            try await whileFull(full) {
                let status = try await cluster.wait { $0.trouble != nil }
                #expect(status.trouble?.contains("No space left on device") == true)
                #expect(status.trouble?.contains("make room") == true)
                let down = try await cluster.plurix(["down"])
                #expect(down.status == 69, "\(down)")
                // Why is said too; it may be that an arbiter that finds room for moments does not answer in time.
                #expect(down.complaint.contains("cannot be saved"), "\(down)")
                #expect(down.complaint.contains("down --force"), "\(down)")
                let add = try await cluster.plurix(["add"])
                #expect(add.status == 69 && add.complaint.contains("make room"), "\(add)")
                // Long enough for the run to say what it waits for.
                try await Task.sleep(for: .seconds(4))
            }
            unlink(full)
            let outcome = try await run
            #expect(outcome.status == 0)
            #expect(outcome.output.contains("40000"))
            #expect(outcome.complaint.contains("No space left on device"))
            // One beginning and one end, though there was room for moments.
            let notices = try await cluster.wait { $0.notices.contains { $0.contains("can be written again") } }.notices
            #expect(notices.count { $0.contains("nothing is saved") } == 1, "\(notices)")
            try await dieUnheard(cluster, full)
        }

        /// A node dies while the arbiter cannot be told.
        private func dieUnheard(_ cluster: LiveCluster, _ full: String) async throws {
            async let run = cluster.plurix(["run", "counter", "1000000000"])
            _ = try await cluster.wait { $0.running != nil }
            try await whileFull(full) {
                _ = try await cluster.wait { $0.trouble != nil }
                try await cluster.plurix("kill", "n2")
                // An arbiter that stands still answers what its store alone can tell.
                #expect(try await cluster.plurix(["checkpoints"]).status == 0)
            }
            unlink(full)
            _ = try await cluster.wait { $0.trouble == nil && $0.notices.contains { $0.contains("n2 died") } }
            try await cluster.plurix("stop")
            #expect(try await run.status == 69)
            #expect(try await cluster.run("counter", "10").result == .integer(10))
            try await endWithoutTheLast(cluster, full)
        }

        /// The last commits are lost only where that is wanted, and then that is said.
        private func endWithoutTheLast(_ cluster: LiveCluster, _ full: String) async throws {
            async let run = cluster.plurix(["run", "counter", "1000000000"])
            _ = try await cluster.wait { $0.running != nil }
            fill(full)
            _ = try await cluster.wait { $0.trouble != nil && $0.savedTime < $0.commitTime }
            // Nobody waits for a disk that has no room.
            try await whileFull(full) {
                // For longer than it takes until it is tried once more.
                var looks = 0
                _ = try await cluster.wait(.seconds(60)) { status in
                    looks = status.trouble == nil ? 0 : looks + 1
                    return looks == 60
                }
                let stop = try await cluster.plurix(["stop"], limit: .seconds(15))
                #expect(stop.status == 69 && stop.complaint.contains("No space left on device"), "\(stop)")
            }
            let down = try await cluster.plurix(["down", "--force"])
            #expect(down.status == 0 && down.complaint.contains("lost: the last"))
            #expect(try await run.status != 0)
            unlink(full)
            // What was tried meanwhile has left nothing.
            let fsck = try await cluster.plurix(["fsck", cluster.store])
            #expect(fsck.status == 0 && fsck.output.split(separator: "\n").count < 9, "\(fsck)")
        }

        /// Keeps the disk full while something is done: what the store frees, its reserve first, is taken too.
        private func whileFull<Value>(_ path: String, _ body: () async throws -> Value) async throws -> Value {
            let filling = Task {
                while !Task.isCancelled {
                    fill(path)
                    try? await Task.sleep(for: .milliseconds(10))
                }
            }
            let outcome: Result<Value, any Error>
            do { outcome = .success(try await body()) } catch { outcome = .failure(error) }
            filling.cancel()
            await filling.value
            return try outcome.get()
        }

        /// Takes all room that there is; what it has already stays its own.
        private func fill(_ path: String) {
            let file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
            let zeros = [UInt8](repeating: 0, count: 4096)
            while write(file, zeros, zeros.count) > 0 {}
            close(file)
        }
    }
}
