import Control
import Foundation
import Testing

extension LiveTests {
    /// Programs on real machines.
    @Suite(.serialized) struct ProgramTests {
        private static let sizes = Harness.isThorough ? [1, 2, 3, 5] : [3]
        private static let nics = ["virtio", "rtl8139"]

        @Test(arguments: nics, sizes) func allPrograms(nic: String, nodes: Int) async throws {
            try await LiveCluster.with("--nic", nic, "--nodes", "\(nodes)") { cluster in
                try await allPrograms(cluster, nodes)
                if Harness.isThorough {
                    try await cluster.plurix("net", "loss", "5%")
                    try await allPrograms(cluster, nodes)
                }
            }
        }

        private func allPrograms(_ cluster: LiveCluster, _ nodes: Int) async throws {
            let counter = try await cluster.run("counter", "200")
            #expect(counter.result == .integer(Int64(200 * nodes)))
            #expect(counter.nodes == nodes)
            #expect(counter.perNode.count == nodes)
            #expect(counter.commits >= UInt64(200 * nodes))
            // Each addition waits for the store.
            let durable = try await cluster.run("counter", "20", "--continue", "--durable")
            #expect(durable.result == .integer(Int64(220 * nodes)))
            let bank = try await cluster.run("bank")
            #expect(bank.result["violations"] == .integer(0))
            #expect(bank.result["sum"] == bank.result["expectedSum"])
            let register = try await cluster.run("register")
            #expect(register.nodes == nodes)
            let strict = try await cluster.run("register", "--strict", "--transactions", "50")
            #expect(strict.result["writes"] == .integer(Int64(50 * nodes)))
            // The command itself compares the checksum with the host's.
            let matmul = try await cluster.run("matmul", "40")
            #expect(matmul.result["size"] == .integer(40))
            let transfer = try await cluster.run("transfer")
            #expect(transfer.result["violations"] == .integer(0))
            try await expectWords(of: Harness.root + "/README.md", cluster)
        }

        /// Two machines of 32 MiB and a heap of 100: what is not in use is the page server's, and comes back.
        @Test(arguments: nics) func theHeapMayBeLargerThanAllMemory(nic: String) async throws {
            try await LiveCluster.with("--nic", nic, "--nodes", "2", "--memory", "32", "--shared", "160") { cluster in
                let pages: Int64 = 25_000
                let scan = try await cluster.run("scan", "\(pages)")
                #expect(scan.result["pages"] == .integer(pages))
                guard case .array(let nodes)? = scan.result["perNode"] else {
                    Issue.record("no results of the nodes: \(scan.result)")
                    return
                }
                #expect(nodes.count == 2)
                #expect(nodes.allSatisfy { $0["sum"] == .integer(pages * (pages + 1) / 2) })
            }
        }

        private func expectWords(of path: String, _ cluster: LiveCluster) async throws {
            var counts: [String: Int64] = [:]
            let bytes = FileManager.default.contents(atPath: path) ?? Data()
            for word in bytes.split(whereSeparator: { !isLetter($0) }) {
                counts[String(decoding: word, as: UTF8.self).lowercased(), default: 0] += 1
            }
            let reply = try await cluster.run("wordcount", path)
            #expect(reply.result["totalWords"] == .integer(counts.values.reduce(0, +)))
            #expect(reply.result["distinctWords"] == .integer(Int64(counts.count)))
            #expect(reply.result["counts"] == .object(counts.mapValues { .integer($0) }))
        }

        private func isLetter(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            default: false
            }
        }

        @Test func anEmptyFileHasNoWords() async throws {
            try await LiveCluster.with("--nodes", "2") { cluster in
                let empty = cluster.base + "/empty"
                try Data().write(to: URL(filePath: empty))
                let reply = try await cluster.run("wordcount", empty)
                #expect(reply.result["totalWords"] == .integer(0))
                #expect(reply.result["counts"] == .object([:]))
                let large = cluster.base + "/large"
                try Data(count: 65 << 20).write(to: URL(filePath: large))
                let refused = try await cluster.plurix(["run", "wordcount", large])
                #expect(refused.status == 65)
                #expect(refused.complaint.contains("--shared"))
            }
        }

        @Test func theContendedCounterIsExact() async throws {
            try await LiveCluster.with("--nodes", "3") { cluster in
                for _ in 0..<20 {
                    let counter = try await cluster.run("counter", "1000")
                    #expect(counter.result == .integer(3000))
                }
            }
        }

        @Test(arguments: nics) func lossDuplicationAndDisorder(nic: String) async throws {
            try await LiveCluster.with("--nic", nic) { cluster in
                try await cluster.plurix("net", "loss", "5%")
                try await cluster.plurix("net", "duplicate", "5%")
                try await cluster.plurix("net", "delay", "100us", "500us")
                let counter = try await cluster.run("counter", "200")
                #expect(counter.result == .integer(600))
                let bank = try await cluster.run("bank")
                #expect(bank.result["violations"] == .integer(0))
            }
        }

        /// A long way and a missing link are no losses: the same epoch before and after.
        @Test func aSlowNetworkAndACutLinkOpenNoEpoch() async throws {
            try await LiveCluster.with("--nodes", "3") { cluster in
                for trouble in [["delay", "60ms"], ["cut", "n1", "n3"]] {
                    #expect(try await cluster.plurix(["net"] + trouble).status == 0)
                    #expect(try await cluster.run("counter", "5").result == .integer(15))
                    #expect(try await cluster.status().epoch == 1, "\(trouble)")
                    try await cluster.plurix("net", "heal")
                }
            }
        }

        /// Two nodes that do not reach each other share the memory through the arbiter; and who hears nobody, but is
        /// heard, stops nobody [P29].
        @Test(arguments: nics) func whomFramesReachInOneWayOnlyStopsNobody(nic: String) async throws {
            try await LiveCluster.with("--nic", nic, "--nodes", "2") { cluster in
                try await cluster.plurix("net", "cut", "n1", "n2")
                #expect(try await cluster.run("counter", "50").result == .integer(100))
                #expect(try await cluster.status().epoch == 1)
                try await cluster.plurix("net", "heal")
                // Now the token is at n1.
                #expect(try await cluster.run("counter", "10", "--nodes", "1").result == .integer(10))
                for other in ["n2", "arbiter"] { try await cluster.plurix("net", "cut", other, "n1", "--one-way") }
                // n1 does not hear that it is to work; n2 works, and gets a token.
                #expect(try await cluster.plurix(["run", "counter", "50", "--timeout", "6"]).status == 75)
                let status = try await cluster.wait { $0.nodes.map(\.state) == ["silent", "joined"] }
                #expect(status.epoch == 2)
                #expect(try await cluster.run("counter", "50", "--nodes", "1").result == .integer(50))
                try await cluster.plurix("net", "heal")
                try await cluster.wait { $0.nodes.allSatisfy { $0.state == "joined" } }
                #expect(try await cluster.run("counter", "50").result == .integer(100))
            }
        }

        @Test func nodesJoinAndDieInTheMiddleOfBank() async throws {
            try await LiveCluster.with("--nodes", "3") { cluster in
                async let bank = cluster.plurix(["run", "--json", "bank", "--transfers", "4000"])
                try await Task.sleep(for: .milliseconds(200))
                try await cluster.plurix("add")
                try await cluster.plurix("kill", "n2")
                let outcome = try await bank
                #expect(outcome.status == 69)
                #expect(outcome.complaint.contains("n2 died"))
                // Whatever was undone with the node: no money came or went.
                let reply = try await cluster.run("bank")
                #expect(reply.result["violations"] == .integer(0))
                #expect(reply.result["sum"] == reply.result["expectedSum"])
            }
        }

        @Test func theSegmentIsRestartedUnderLoad() async throws {
            try await LiveCluster.with("--nodes", "3") { cluster in
                async let counter = cluster.run("counter", "3000")
                try await Task.sleep(for: .milliseconds(200))
                let segment = try await cluster.status().processes.segment
                kill(try #require(segment), SIGKILL)
                let reply = try await counter
                #expect(reply.result == .integer(9000))
            }
        }

        @Test(arguments: [
            ("trap", "faultByTrap"), ("overflow", "faultByOverflow"), ("stack", "faultByStackOverflow"),
            ("wild", "faultByWildAddress"),
        ])
        func aFaultEndsTheRunAndNotTheNode(kind: String, function: String) async throws {
            try await LiveCluster.with("--nodes", "2") { cluster in
                let outcome = try await cluster.plurix(["run", "fault", kind])
                #expect(outcome.status == 70)
                #expect(outcome.complaint.contains("n1"))
                #expect(outcome.complaint.contains("address 0x40000000") == (kind == "wild"))
                #expect(outcome.complaint.contains(function))
                #expect(outcome.complaint.contains("Fault.swift:"))
                let counter = try await cluster.run("counter", "10")
                #expect(counter.result == .integer(20))
            }
        }

        @Test func aTransactionThatIsTooLargeIsTheInputsFault() async throws {
            try await LiveCluster.with("--nodes", "2") { cluster in
                // 47 MiB of writes in a node of 64 MiB.
                let outcome = try await cluster.plurix(["run", "hog", "12000"])
                #expect(outcome.status == 65)
                #expect(outcome.complaint.contains("transactionTooLarge"))
                #expect(outcome.complaint.contains("plurix up --memory MIB --name \(cluster.name)"))
                let more = try await cluster.plurix(["run", "hog", "100000"])
                #expect(more.status == 65)
                #expect(more.complaint.contains("--shared"))
                let counter = try await cluster.run("counter", "10")
                #expect(counter.result == .integer(20))
            }
        }

        @Test func aCaptureHoldsTheFrames() async throws {
            try await LiveCluster.with("--nodes", "2") { cluster in
                let file = cluster.base + "/frames.pcap"
                try await cluster.plurix("net", "capture", file)
                let second = try await cluster.plurix(["net", "capture", file + ".2"])
                #expect(second.status == 69 && second.complaint.contains("a capture into \(file) runs"), "\(second)")
                _ = try await cluster.run("counter", "10")
                let words = try await cluster.plurix("net", "capture", "--stop")
                #expect(words.contains("frames"))
                let bytes = try #require(FileManager.default.contents(atPath: file))
                #expect(bytes.starts(with: [0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0]))
                #expect(bytes.count > 1000)
                try await expectDownTellsOfACapture(cluster)
            }
        }

        /// One that ended by itself, which nobody has asked for.
        private func expectDownTellsOfACapture(_ cluster: LiveCluster) async throws {
            let file = cluster.base + "/last.pcap"
            try await cluster.plurix("net", "capture", file)
            let segment = try #require(try await cluster.status().processes.segment)
            kill(segment, SIGKILL)
            _ = try await cluster.wait { $0.processes.segment.map { $0 != segment } == true && $0.trouble == nil }
            _ = try await cluster.plurix("net", "status")
            let down = try await cluster.plurix(["down"])
            let words = "the capture into \(file) ended when the segment was started anew"
            #expect(down.status == 0 && down.complaint.contains(words), "\(down)")
        }
    }
}
