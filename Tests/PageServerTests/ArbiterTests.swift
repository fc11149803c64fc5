import Control
import Foundation
import Heap
import Kernel
import Testing
import Wire

@testable import PageServer

/// The arbiter's process with real nodes' protocol and real programs, without machines.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ArbiterTests {
    @Test func nodesJoinAndCount() async throws {
        try await withCluster { cluster in
            try await cluster.start(nodes: 3)
            let reply = try await cluster.run("counter", ["20"], nodes: [1, 2, 3])
            #expect(reply.failure == nil)
            #expect(reply.result == .integer(60), "\(reply)")
            #expect(reply.parts.count == 3)
            #expect(reply.parts.allSatisfy { $0.state == .finished && $0.commits >= 20 })
            #expect(reply.elapsedMicroseconds > 0)
            let status = try await cluster.wait { $0.nodes.count == 3 }
            #expect(status.nodes.allSatisfy { $0.joinedAt > 0 && $0.joinMicroseconds == 1000 })
            #expect(Set(status.nodes.map(\.incarnation)) == [1, 2, 3])
            #expect(status.savedTime > 0)
            // What was shown is in the saved state.
            await cluster.killArbiter()
            let image = try await retry { try SharedImage(in: cluster.store) }
            #expect(JobRecord(image).phase == .finished)
            #expect(NodeEntry(of: 2, in: image)?.joinMicroseconds == 1000)
        }
    }

    @Test(arguments: [Limits.maximumFrameBytes, Limits.standardFrameBytes])
    func aFileIsPlacedAndCounted(maximumFrameBytes: Int) async throws {
        var settings = NodeSettings()
        settings.maximumFrameBytes = maximumFrameBytes
        try await withCluster(settings) { cluster in
            try await cluster.start(nodes: 2)
            let words = (0..<6000).map { "word\(String(UnicodeScalar(UInt8(97 + $0 % 26))))" }
            let path = try cluster.file(Array(words.joined(separator: " ").utf8))
            let reply = try await cluster.run("wordcount", nodes: [1, 2], input: path)
            #expect(reply.failure == nil)
            #expect(reply.result?["totalWords"] == .integer(6000))
            #expect(reply.result?["distinctWords"] == .integer(26))
            #expect(reply.result?["counts"]?["worda"] == .integer(231))
            let empty = try await cluster.run("wordcount", nodes: [1, 2], input: try cluster.file([]))
            #expect(empty.result?["totalWords"] == .integer(0))
        }
    }

    @Test func aKilledArbiterGoesOn() async throws {
        try await withCluster { cluster in
            try await cluster.start(nodes: 2)
            let before = try await cluster.run("counter", ["5"], nodes: [1, 2])
            #expect(before.failure == nil)
            let old = try await cluster.wait { _ in true }
            let job = try await cluster.start("counter", ["60", "--continue"], nodes: [1, 2])
            try await Task.sleep(for: .milliseconds(150))
            await cluster.killArbiter()
            try await Task.sleep(for: .milliseconds(100))
            try await cluster.startArbiter()
            let reply = try await cluster.finish(job)
            #expect(reply.failure == nil)
            #expect(reply.result == .integer(130), "\(reply)")
            let status = try await cluster.wait { $0.nodes.allSatisfy { $0.state == .joined } }
            #expect(status.savedTime > old.savedTime)
            #expect(status.nodes.map(\.incarnation) == old.nodes.map(\.incarnation), "nobody had to join again")
            #expect(status.nodes.map(\.joinedAt) == old.nodes.map(\.joinedAt))
            // The numbers of its jobs are larger than all before.
            #expect(try await cluster.start("counter", ["1"], nodes: [1]) > job)
        }
    }

    @Test func theSegmentMayBeRestarted() async throws {
        try await withCluster { cluster in
            try await cluster.start(nodes: 2)
            let job = try await cluster.start("counter", ["40"], nodes: [1, 2])
            try await Task.sleep(for: .milliseconds(50))
            await cluster.stopSegment()
            try await Task.sleep(for: .milliseconds(100))
            try await cluster.startSegment()
            let reply = try await cluster.finish(job)
            #expect(reply.result == .integer(80), "\(reply)")
        }
    }

    @Test func aDeadParticipantIsNotWaitedFor() async throws {
        try await withCluster { cluster in
            try await cluster.start(nodes: 3)
            let job = try await cluster.start("bank", ["--transfers", "4000"], nodes: [1, 2, 3])
            while try await cluster.client.send(ArbiterJob(job: job)).parts[1].state == .starting {}
            let before = try await cluster.client.send(ArbiterStatus()).nodes[1].commits
            try await cluster.wait { $0.nodes[1].commits > before + 5 }
            try await cluster.kill(2)
            let reply = try await cluster.finish(job)
            // It has written nothing down, and is not said to have done nothing.
            #expect(reply.parts[1].commits > 0, "\(reply)")
            #expect(reply.state == .failed)
            #expect(reply.failure?.kind == .unavailable)
            #expect(reply.failure?.message.contains("n2") == true)
            #expect(reply.result != nil)
            let status = try await cluster.wait { $0.nodes.contains { $0.number == 2 && $0.state == .dead } }
            #expect(status.epoch == 2, "\(status.notices)")
            #expect(status.notices.contains { $0.contains("epoch 2 opened at commit") })
            try await cluster.startNode(2)
            #expect(try await cluster.run("counter", ["3"], nodes: [1, 2, 3]).failure == nil)
        }
    }

    @Test func lostFramesCostTimeOnly() async throws {
        try await withCluster { cluster in
            try await cluster.start(nodes: 3)
            var faults = SegmentFaults()
            faults.lossPercent = 5
            faults.duplicationPercent = 2
            faults.jitterMicroseconds = 500
            try await cluster.set(faults)
            let text = (0..<4000).map { String(repeating: "\(UnicodeScalar(UInt8(97 + $0 % 7)))", count: 4) }
            let path = try cluster.file(Array(text.joined(separator: " ").utf8))
            let reply = try await cluster.run("wordcount", nodes: [1, 2, 3], input: path)
            #expect(reply.result?["totalWords"] == .integer(4000), "\(reply)")
            #expect(reply.result?["distinctWords"] == .integer(7))
            let counter = try await cluster.run("counter", ["10"], nodes: [1, 2, 3])
            #expect(counter.result == .integer(30), "\(counter)")
        }
    }

    @Test func killedAgainAndAgain() async throws {
        try await withCluster { cluster in
            try await cluster.start(nodes: 2)
            let job = try await cluster.start("counter", ["2000"], nodes: [1, 2])
            while try await cluster.client.send(ArbiterJob(job: job)).state == .starting {}
            let since = ContinuousClock.now
            var runs = 0
            for _ in 0..<6 {
                let saved = try await cluster.wait { _ in true }.savedTime
                // Also the next arbiter counts from the job's begin.
                let least = ContinuousClock.now - since
                let seen = try await cluster.client.send(ArbiterJob(job: job))
                if seen.state == .running {
                    runs += 1
                    #expect(.microseconds(Int(seen.elapsedMicroseconds) + 1) >= least)
                }
                await cluster.killArbiter()
                try await cluster.startArbiter()
                #expect(try await cluster.wait { _ in true }.savedTime >= saved, "what was announced is found again")
            }
            let reply = try await cluster.finish(job)
            #expect(reply.result == .integer(4000), "\(reply)")
            #expect(runs > 1, "it ran while arbiters were killed")
        }
    }

    /// Whenever its arbiter is killed: it was refused when the nodes had not been told.
    @Test(arguments: [0, 5, 15, 30, 60])
    func aProgramBegunAgainByTheNextArbiterRunsOnce(milliseconds: Int) async throws {
        try await withCluster { cluster in
            try await cluster.start(nodes: 2)
            #expect(try await cluster.run("counter", ["5"], nodes: [1, 2]).result == .integer(10))
            let job = try await cluster.client.send(ArbiterReserve()).job
            let start = ArbiterStart(program: "counter", arguments: ["20", "--continue"], nodes: [1, 2], job: job)
            _ = try await cluster.client.send(start)
            try await Task.sleep(for: .milliseconds(milliseconds))
            await cluster.killArbiter()
            try await cluster.startArbiter()
            for _ in 0..<2 { #expect(try await cluster.client.send(start).job == job) }
            let reply = try await cluster.finish(job)
            #expect(reply.result == .integer(50), "\(reply)")
        }
    }

    /// The input of a job that never began must not be mixed into that of the next one.
    @Test func killedWhilePlacing() async throws {
        try await withCluster { cluster in
            try await cluster.start(nodes: 2)
            var faults = SegmentFaults()
            faults.delayMicroseconds = 3000
            faults.jitterMicroseconds = 3000
            try await cluster.set(faults)
            let first = try cluster.file([UInt8](repeating: 98, count: 70 * 4096))
            let job = try await cluster.start("wordcount", nodes: [1, 2], input: first)
            try await Task.sleep(for: .milliseconds(60))
            await cluster.killArbiter()
            try await cluster.startArbiter()
            let lost = try await cluster.finish(job)
            #expect(lost.failure?.kind == .unavailable)
            let text = [[UInt8]](repeating: [97, 32], count: 20_000).flatMap { $0 }
            let reply = try await cluster.run("wordcount", nodes: [1, 2], input: try cluster.file(text))
            #expect(reply.result?["counts"] == .object(["a": .integer(20_000)]), "\(reply)")
        }
    }

    @Test func aMemoryThatIsTooSmallIsTheInputsFault() async throws {
        try await withCluster { cluster in
            try await cluster.start(nodes: 2)
            var text: [UInt8] = []
            for number in 0..<40_000 {
                text += String(number).utf8.map { $0 + 49 } + [32]
            }
            let reply = try await cluster.run("wordcount", nodes: [1, 2], input: try cluster.file(text))
            #expect(reply.state == .failed)
            #expect(reply.failure?.kind == .input)
            #expect(reply.failure?.message.contains("shared memory is full") == true, "\(reply)")
            #expect(reply.parts.contains { $0.failure != nil })
        }
    }

    /// As of a program that goes on after a restore, or whose `plurix run` was killed.
    @Test(arguments: [false, true]) func howAProgramEndedThatNobodyAsksForIsNoted(fails: Bool) async throws {
        try await withCluster { cluster in
            try await cluster.start(nodes: 2)
            let job = try await cluster.start("counter", [fails ? "100000" : "2000"], nodes: [1, 2])
            while try await cluster.client.send(ArbiterJob(job: job)).state == .starting {}
            await cluster.killArbiter()
            try await cluster.startArbiter()
            if fails { for node: UInt8 in [1, 2] { try await cluster.kill(node) } }
            let words = fails ? "all nodes of counter have died" : "counter has finished"
            let status = try await cluster.wait { $0.notices.contains { $0.contains("nobody has asked") } }
            #expect(status.notices.contains { $0.contains(words) }, "\(status.notices)")
        }
    }

    @Test func aForeignBuildAndAForeignKeyAreRefused() async throws {
        try await withCluster { cluster in
            try await cluster.start(nodes: 1)
            var other = cluster.settings
            other.build = BuildIdentifier(low: 0x99, high: 0)
            try await cluster.startNode(2, other, joins: false)
            var foreign = cluster.settings
            foreign.key = SipHash.Key(low: 9, high: 9)
            try await cluster.startNode(3, foreign, joins: false)
            let status = try await cluster.wait { status in
                status.nodes.contains { $0.number == 2 && $0.state == .refused }
                    && status.notices.contains { $0.contains("wrong cluster key?") }
            }
            let notice = try #require(status.nodes.first { $0.number == 2 }?.notice)
            #expect(notice.contains("9900000000000000") && notice.contains("0300000000000000"))
        }
    }

    @Test func badRequestsAreFailures() async throws {
        try await withCluster { cluster in
            try await cluster.start(nodes: 1)
            func kind(_ body: () async throws -> Int) async -> Failure.Kind? {
                do { _ = try await body() } catch { return (error as? Failure)?.kind }
                return nil
            }
            #expect(await kind { try await cluster.start("nonsense", nodes: [1]) } == .input)
            #expect(await kind { try await cluster.start("counter", ["x"], nodes: [1]) } == .usage)
            #expect(await kind { try await cluster.start("counter", ["1"], nodes: [2]) } == .unavailable)
            #expect(await kind { try await cluster.start("counter", ["1"], nodes: []) } == .usage)
            let passwords = "/etc/passwd"
            #expect(await kind { try await cluster.start("counter", ["1"], nodes: [1], input: passwords) } == .usage)
            #expect(await kind { try await cluster.start("wordcount", nodes: [1]) } == .usage)
            #expect(await kind { try await cluster.start("wordcount", nodes: [1], input: "/") } == .input)
            #expect(await kind { try await cluster.start("wordcount", nodes: [1], input: "/dev/zero") } == .input)
            #expect(await kind { try await cluster.start("wordcount", nodes: [1], input: "/no/such") } == .input)
            let large = try cluster.file([UInt8](repeating: 97, count: 88 * 4096 + 1))
            #expect(await kind { try await cluster.start("wordcount", nodes: [1], input: large) } == .input)
            let job = try await cluster.start("counter", ["100000"], nodes: [1])
            #expect(await kind { try await cluster.start("counter", ["1"], nodes: [1]) } == .unavailable)
            _ = try await cluster.client.send(ArbiterCancel(job: job))
            let reply = try await cluster.finish(job)
            #expect(reply.state == .failed && reply.failure?.kind == .unavailable)
            #expect(try await cluster.run("counter", ["2"], nodes: [1]).failure == nil)
        }
    }

    @Test func aRetiredNodeLeavesNothingBehind() async throws {
        try await withCluster { cluster in
            try await cluster.start(nodes: 2)
            #expect(try await cluster.run("counter", ["10"], nodes: [2]).failure == nil)
            _ = try await cluster.client.send(ArbiterRecordHistory(isOn: true))
            _ = try await cluster.client.send(ArbiterRecordHistory(isOn: false))
            _ = try await cluster.client.send(ArbiterRetire(node: 2))
            _ = try await cluster.client.send(ArbiterRetire(node: 7))
            try await cluster.kill(2)
            let status = try await cluster.wait { $0.epoch == 2 }
            #expect(status.notices.contains { $0.contains("nothing was undone") }, "\(status.notices)")
        }
    }

    @Test func theEndOfAnOutageIsToldByTheNextPageServer() async throws {
        try await withCluster { cluster in
            cluster.directory.notices.append(NoticeFile.line("nothing is saved: /s: No space left on device"))
            try await cluster.start(nodes: 1)
            let notices = try await cluster.wait { $0.notices.contains { $0.contains("can be written again") } }.notices
            #expect(notices.count { $0.contains("nothing is saved") } == 1)
            await cluster.killArbiter()
            try await cluster.startArbiter()
            let later = try await cluster.wait { $0.nodes.allSatisfy { $0.state == .joined } }.notices
            #expect(later.count { $0.contains("can be written again") } == 1)
        }
    }

    @Test func whoWaitsIsAnsweredWhenItIsSoOrTooLateOrNeverWillBe() async throws {
        try await withCluster { cluster in
            try await cluster.startSegment()
            let loop = try ArbiterLoop(cluster.arbiterSettings, in: cluster.directory, logger: .init(label: "loop"))
            Thread { loop.run() }.start()
            #expect(try await loop.wait(.seconds(60)) { $0.isRetired(1) })
            #expect(try await !loop.wait(.milliseconds(20)) { !$0.isRetired(1) })
            let waiting = Task { () -> Failure.Kind? in
                do throws(Failure) { _ = try await loop.wait(.seconds(60)) { !$0.isRetired(1) } } catch {
                    return error.kind
                }
                return nil
            }
            // Time to be taken in; what has not been by then ends the same way.
            try await Task.sleep(for: .milliseconds(20))
            loop.stop()
            #expect(await waiting.value == .unavailable)
            await #expect(throws: Failure.self) { try await loop.wait(.seconds(60)) { _ in true } }
        }
    }

    @Test func aSecondArbiterIsRefused() async throws {
        try await withCluster { cluster in
            try await cluster.startArbiter()
            let problem = #expect(throws: Failure.self) {
                try ArbiterLoop(cluster.arbiterSettings, in: cluster.directory, logger: .init(label: "second"))
            }
            #expect(problem?.kind == .unavailable)
        }
    }
}
