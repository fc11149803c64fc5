import Heap
import Testing

@testable import Kernel

@Suite struct LayoutTests {
    @Test func root() {
        let cluster = TestCluster(pageCount: 0x180)
        let page = cluster.copy(of: 0)
        #expect(
            Array(page.bytes[0..<24]) == Array("PLURIX".utf8) + [
                0, 0, 1, 0, 0, 0, 0x80, 1, 0, 0, 72, 0, 0, 0, 0, 0, 0, 0,
            ])
        #expect(Root(page)?.pageCount == 0x180)
        #expect(Root(page)?.heapFirstPage == 72)
        #expect(Root(cluster.memory) == Root(page))
        #expect(Root(PageCopy(page: 0, bytes: [UInt8](repeating: 0, count: 4096))!) == nil)
    }

    @Test func initialiseTouchesTheRootAndTheAllocatorOnly() {
        let cluster = TestCluster()
        let written = (0..<256).filter { cluster.copy(of: $0).bytes.contains { $0 != 0 } }
        #expect(written == [SystemLayout.rootPage, SystemLayout.allocatorPage])
        #expect(Array(cluster.copy(of: 70).bytes[0..<8]) == [72, 0, 0, 0, 0, 1, 0, 0])
    }

    @Test func nodeTable() {
        let cluster = TestCluster()
        let entry = NodeEntry(node: 64, incarnation: 0x0203, joinMicroseconds: 0x0405, joinPageRequests: 6)
        #expect(NodeEntry(of: 64, in: cluster.copy(of: 1)) == nil)
        entry.store(in: cluster.memory)
        let page = cluster.copy(of: SystemLayout.nodeTablePage)
        #expect(NodeEntry(of: 64, in: page) == entry)
        #expect(NodeEntry(of: 63, in: page) == nil)
        var expected: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 0, 0]
        expected += [5, 4, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]
        #expect(Array(page.bytes[4032..<4064]) == expected)
    }

    @Test func systemPagesDoNotOverlap() {
        let parts = (1...64).map { SystemLayout.partPage(of: $0) }
        #expect(parts == Array(3...66))
        let single = [
            SystemLayout.rootPage, SystemLayout.nodeTablePage, SystemLayout.jobPage,
            SystemLayout.completionPage,
            SystemLayout.commonPage, SystemLayout.namesPage, SystemLayout.allocatorPage,
        ]
        let all = parts + single
        #expect(Set(all).count == all.count)
        #expect(all.max()! < SystemLayout.heapFirstPage)
    }

    @Test func partPage() throws {
        let cluster = TestCluster()
        try cluster.start("steps", ["3"], number: 0x0506, nodes: 2)
        for _ in 0..<8 { for node in 1...2 as ClosedRange<UInt32> { _ = cluster.step(node) } }
        let page = cluster.copy(of: 4)
        #expect(Array(page.bytes[0..<16]) == [6, 5, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0])
        #expect(page.bytes[24] == 100 && page.bytes[32] == 7 && page.bytes[40] == 50)
        #expect(page.bytes[1024] == 3, "the program's own count")
        #expect(page[Shared<UInt64>(page: 4, 80)] == 21, "bytes printed: three lines of seven")
    }

    @Test func namedValuesLastAndAreApart() throws {
        let cluster = TestCluster()
        let memory = cluster.memory
        memory[try NamedValues.place("one", in: memory)] = 1
        memory[try NamedValues.place("on", in: memory)] = 2
        #expect(memory[try NamedValues.place("one", in: memory)] == 1)
        #expect(
            Array(cluster.copy(of: 69).bytes[64..<84]) == [2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
                + Array("on".utf8) + [0, 0])
        try cluster.start("steps", ["1"])
        #expect(memory[try NamedValues.place("on", in: memory)] == 2)
        #expect(throws: HeapError.noRoomForName) { try NamedValues.place("", in: memory) }
    }

    @Test func ranks() throws {
        let cluster = TestCluster()
        let start = try JobStart(
            number: 1, participants: 1 << 63 | 0b10100, programName: [], arguments: [], inputByteCount: 0)
        try cluster.perform(.startJob(start))
        let job = JobRecord(cluster.memory)
        #expect((0..<3).map { job.node(at: $0) } == [3, 5, 64])
        #expect([3, 5, 64].map { job.rank(of: $0) } == [0, 1, 2])
        #expect(job.participantCount == 3)
    }
}
