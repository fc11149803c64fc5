import Control
import Foundation
import Testing
import Wire

extension LiveTests {
    /// A saved memory of which a page cannot be read back, on real machines: found soon after the begin, told, and not
    /// served.
    @Suite(.serialized) struct DamagedMemoryTests {
        /// Where the bytes of a page of the heap begin that was saved early, and not since.
        private func oldPage(_ store: String) throws -> (file: URL, offset: Int) {
            var places: [UInt32: (file: URL, offset: Int)] = [:]
            let names = try FileManager.default.contentsOfDirectory(atPath: store).filter { $0.hasPrefix("segment.") }
            for name in names.sorted() {
                let file = URL(filePath: "\(store)/\(name)")
                let bytes = try [UInt8](Data(contentsOf: file)), span = bytes.span.bytes
                // Records as Store.md has them.
                let mark: UInt32 = 0x4352_5350, kindOfPage: UInt16 = 4, headBytes = 48
                for offset in stride(from: 0, to: bytes.count - Limits.pageBytes, by: 8)
                where span.load(UInt32.self, at: offset) == mark
                    && span.load(UInt16.self, at: offset + 4) == kindOfPage {
                    places[span.load(UInt32.self, at: offset + 12)] = (file, offset + headBytes)
                }
            }
            let firstOfHeap: UInt32 = 72
            let heap = places.filter { $0.key >= firstOfHeap }.values
            return try #require(heap.min { ($0.file.path, $0.offset) < ($1.file.path, $1.offset) })
        }

        private func flip(_ place: (file: URL, offset: Int)) throws {
            let file = try FileHandle(forUpdating: place.file)
            try file.seek(toOffset: UInt64(place.offset + 7))
            let byte = try #require(try file.read(upToCount: 1)?.first)
            try file.seek(toOffset: UInt64(place.offset + 7))
            try file.write(contentsOf: [byte ^ 1])
            try file.close()
        }

        private func expectCounter(_ value: Int64, _ cluster: LiveCluster) async throws {
            #expect(try await cluster.run("counter", "10", "--continue").result == .integer(value))
        }

        @Test(arguments: ["virtio", "rtl8139"]) func aDamagedPageIsToldAndNotServed(nic: String) async throws {
            try await LiveCluster.with("--nodes", "2", "--nic", nic) { cluster in
                try await expectCounter(20, cluster)
                try await cluster.plurix("checkpoint", "--label", "whole")
                // More than an opening reads record by record.
                _ = try await cluster.run("fill", "4000")
                try await cluster.plurix("down")
                let place = try oldPage(cluster.store)
                try flip(place)
                let refused = try await cluster.plurix(["up", "--nodes", "2", "--nic", nic, "--from", cluster.store])
                #expect(refused.status == 70, "\(refused)")
                #expect(refused.complaint.contains("a page of the saved memory cannot be read back, as of commit"))
                #expect(refused.complaint.contains(": \(cluster.store): segment."))
                #expect(refused.complaint.contains("plurix store salvage \(cluster.store) NEW"))
                #expect(try await cluster.plurix(["status"]).status == 69)
                try flip(place)
                try await cluster.plurix("up", "--nodes", "2", "--nic", nic, "--from", cluster.store)

                // Under a cluster that lives, the rest goes on.
                try flip(place)
                let before = try await cluster.status()
                kill(try #require(before.processes.arbiter), SIGKILL)
                let status = try await cluster.wait { $0.damage?.contains("cannot be read back") == true }
                #expect(status.nodes.allSatisfy { $0.state == "joined" })
                #expect(status.epoch == before.epoch)
                #expect(status.damage?.contains("go back with plurix restore") == true && status.trouble == nil)
                #expect(try await cluster.plurix("events").contains("cannot be read back"))
                try await expectCounter(40, cluster)
                if nic == "rtl8139" {
                    // The disk is mended while it is in use.
                    try flip(place)
                    _ = try await cluster.wait { $0.damage == nil }
                    #expect(try await cluster.plurix("events").contains("can be read back again"))
                    return
                }
                let hollow = try await cluster.plurix(["checkpoint", "--label", "hollow"])
                #expect(hollow.status == 70 && hollow.complaint.contains("no whole checkpoint can be taken"))
                try await cluster.plurix("restore", "--at", "whole")
                #expect(try await cluster.status().damage == nil)
                try await expectCounter(40, cluster)
            }
        }
    }
}
