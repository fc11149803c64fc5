import Heap
import Testing

@testable import Kernel

@Suite struct CommandTests {
    @Test func goldenBytes() throws {
        let start = try JobStart(
            number: 0x0102, participants: 0b101, programName: Array("hog".utf8), arguments: [[0x37], []],
            inputByteCount: 9)
        var expected: [UInt8] = [2, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]
        expected += [0, 0x80, 4, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0]
        expected += [5, 0, 0, 0, 0, 0, 0, 0] + Array("hog".utf8) + [1, 0, 0x37, 0, 0]
        #expect(Command.startJob(start).encode() == expected)
        let header: [UInt8] = [0, 0, 0, 0, 0, 0, 0] + [3, 0, 0, 0, 0, 0, 0, 0]
        let rest = [UInt8](repeating: 0, count: 31)
        #expect(
            Command.markDead(job: 3, node: 64).encode() == [4] + header + [64, 0, 0, 0, 0, 0, 0, 0, 0] + rest)
        #expect(
            Command.putBytes(job: 3, address: SharedAddress(0x1_0000), bytes: [9]).encode()
                == [1] + header + [0, 0, 1, 0, 0, 0, 0, 0, 0] + rest + [9])
    }

    @Test func startedJobIsInTheRecord() throws {
        let cluster = TestCluster()
        let start = try JobStart(
            number: 7, participants: 0b110, programName: Array("steps".utf8), arguments: [Array("5".utf8)],
            inputByteCount: 5000)
        try cluster.perform(.startJob(start))
        #expect(cluster.job.number == 7)
        #expect(cluster.job.phase == .preparing)
        #expect(cluster.job.participants == 0b110)
        #expect(cluster.job.leader == 2)
        #expect(cluster.job.input == SharedBytes(start: Command.inputStart, count: 5000))
        #expect(SystemLayout.pageAllocator(cluster.memory).freePageCount == 256 - 72 - 2)
        var bytes = [UInt8](repeating: 0, count: 64)
        bytes.replaceSubrange(
            0..<28,
            with: [7, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        bytes.replaceSubrange(
            32..<60,
            with: [
                0, 0x80, 4, 0, 0, 0, 0, 0, 0x88, 0x13, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0,
            ])
        let page = cluster.copy(of: SystemLayout.jobPage).bytes
        #expect(Array(page[0..<64]) == bytes)
        #expect(Array(page[64..<69]) == Array("steps".utf8))
        #expect(Array(page[1024..<1027]) == [1, 0, 0x35])
    }

    @Test func commandsMayComeTwiceAndLate() throws {
        let cluster = TestCluster()
        try cluster.start("steps", ["5"], number: 4)
        _ = cluster.step(1)
        let before = (0..<256).map { cluster.copy(of: $0).bytes }
        try cluster.start("steps", ["7"], number: 4)
        try cluster.start("answers", ["fail"], number: 3)
        try cluster.perform(.stopJob(3))
        try cluster.perform(.markDead(job: 3, node: 1))
        try cluster.perform(.markDead(job: 4, node: 9))
        try cluster.perform(.putBytes(job: 4, address: Command.inputStart, bytes: [1, 2, 3]))
        #expect((0..<256).map { cluster.copy(of: $0).bytes } == before)
    }

    @Test func aRunningJobIsNotReplaced() throws {
        let cluster = TestCluster()
        try cluster.start("steps", ["5"], number: 1)
        #expect(throws: CommandError.busy) { try cluster.start("steps", ["5"], number: 2) }
        #expect(throws: CommandError.busy) {
            try cluster.perform(.putBytes(job: 2, address: Command.inputStart, bytes: [1]))
        }
        try cluster.perform(.stopJob(1))
        try cluster.start("steps", ["5"], number: 2)
        #expect(cluster.job.number == 2)
    }

    /// What was sent for a job that was given up may still arrive when its successor's input is being placed.
    @Test func stoppedJobsCannotBeginLate() throws {
        let cluster = TestCluster()
        try cluster.start("steps", ["5"], number: 1)
        try cluster.perform(.stopJob(4))
        #expect(cluster.job.number == 4)
        #expect(cluster.job.phase == .stopped)
        try cluster.perform(.putBytes(job: 5, address: Command.inputStart, bytes: [1, 2, 3]))
        let before = (0..<256).map { cluster.copy(of: $0).bytes }
        try cluster.perform(.putBytes(job: 3, address: Command.inputStart, bytes: [9]))
        try cluster.perform(.stopJob(4))
        try cluster.start("steps", ["5"], number: 3)
        #expect((0..<256).map { cluster.copy(of: $0).bytes } == before)
        try cluster.start("steps", ["5"], number: 5)
        #expect(cluster.job.phase == .preparing)
    }

    /// What a node looks at before it waits for the end of a step.
    @Test func onlyAStopEndsAJob() throws {
        let start = try JobStart(
            number: 1, participants: 1, programName: [], arguments: [], inputByteCount: 0)
        func endsJob(_ bytes: [UInt8]) -> Bool { Command.endsJob(bytes.span.bytes) }
        let stop = Command.stopJob(7).encode()
        #expect(endsJob(stop))
        let others = [
            Command.startJob(start), .markDead(job: 7, node: 1),
            .putBytes(job: 7, address: Command.inputStart, bytes: stop),
        ]
        for other in others { #expect(!endsJob(other.encode())) }
        for length in 0..<stop.count { #expect(!endsJob(Array(stop[0..<length]))) }
    }

    @Test func bytesArriveInTheHeapOnly() throws {
        let cluster = TestCluster()
        let end = cluster.memory.byteCount
        try cluster.perform(.putBytes(job: 1, address: SharedAddress(end - 3), bytes: [1, 2, 3]))
        #expect(cluster.copy(of: 255).bytes.suffix(4) == [0, 1, 2, 3])
        for address in [0, Command.inputStart.offset - 1, end - 2, end + 1, UInt64.max] {
            #expect(throws: CommandError.outsideHeap) {
                try cluster.perform(.putBytes(job: 1, address: SharedAddress(address), bytes: [1, 2, 3]))
            }
        }
        let start = try JobStart(
            number: 1, participants: 1, programName: [], arguments: [],
            inputByteCount: Command.maximumInputByteCount(pageCount: 256) + 1)
        #expect(throws: CommandError.outsideHeap) { try cluster.perform(.startJob(start)) }
        #expect(cluster.job.number == 0)
    }

    /// Every command with one byte changed, or cut short, either throws or leaves a record that can be read.
    @Test func hostileBytes() throws {
        let start = try JobStart(
            number: 1, participants: 7, programName: Array("steps".utf8),
            arguments: [Array("5".utf8), Array("more".utf8)], inputByteCount: 3)
        for command in [Command.startJob(start), .markDead(job: 0, node: 3), .stopJob(1)] {
            let good = command.encode()
            for length in 0..<good.count {
                let cut = Array(good[0..<length])
                let cluster = TestCluster()
                #expect(throws: CommandError.malformed) {
                    try Command.perform(cut.span.bytes, on: cluster.memory)
                }
            }
            for index in good.indices {
                for value in [0, 1, 0x7f, 0xff] as [UInt8] {
                    var bad = good
                    bad[index] = value
                    let cluster = TestCluster()
                    try? Command.perform(bad.span.bytes, on: cluster.memory)
                    #expect(cluster.job.phase != nil)
                    for node in 1...64 as ClosedRange<UInt32> { _ = cluster.step(node) }
                    for node in 1...64 as ClosedRange<UInt32> { _ = cluster.step(node) }
                }
            }
        }
    }
}
