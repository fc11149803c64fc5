import Heap
import Testing

@testable import Kernel

@Suite struct JobRunnerTests {
    /// Lets the nodes take turns until the job ends, and fails if it does not.
    private func run(_ cluster: TestCluster, nodes: ClosedRange<UInt32> = 1...3) {
        for _ in 0..<100 where cluster.job.phase?.isActive == true {
            for node in nodes { _ = cluster.step(node) }
        }
    }

    @Test func withoutAJobNodesWait() {
        let cluster = TestCluster()
        #expect(cluster.step(1) == .wait)
        #expect(cluster.job.phase == JobPhase.none)
    }

    @Test func phasesFollowEachOther() throws {
        let cluster = TestCluster()
        try cluster.start("steps", ["2"], nodes: 2)
        #expect(cluster.job.phase == .preparing)
        #expect(cluster.step(2) == .again, "begins its part")
        #expect(cluster.step(2) == .wait, "only the leader prepares")
        #expect([cluster.step(1), cluster.step(1), cluster.step(1)] == [.again, .again, .again])
        #expect(cluster.job.phase == .running)
        #expect([cluster.step(1), cluster.step(1)] == [.again, .again])
        #expect(cluster.part(1).state == .done)
        #expect(cluster.step(1) == .wait, "node 2 is not done")
        #expect([cluster.step(2), cluster.step(2), cluster.step(2)] == [.again, .again, .wait])
        #expect(CompletionPage.doneNodes(cluster.copy(of: SystemLayout.completionPage)) == 0b11)
        #expect(cluster.step(1) == .again)
        #expect(cluster.job.phase == .finishing)
        #expect([cluster.step(2), cluster.step(1), cluster.step(1)] == [.wait, .again, .wait])
        #expect(cluster.job.phase == .finished)
        #expect(cluster.text(firstPage: CommonPage.resultFirstPage(cluster.copy(of: 68))) == "[2,2]")
        #expect(cluster.text(firstPage: cluster.part(2).printFirstPage) == "step 1\nstep 2\n")
    }

    @Test func partsCountTheirOwnJobOnly() throws {
        let cluster = TestCluster()
        try cluster.start("steps", ["3"], nodes: 2)
        run(cluster, nodes: 1...2)
        // Node 2: begin, one wait for the leader, three steps. Its counters stood at 100 commits before.
        #expect(cluster.part(2).commits == 5)
        #expect(cluster.part(2).aborts == 0)
        #expect(cluster.part(2).pagesFetched == 0)
    }

    @Test func nodesOutsideTheJobWait() throws {
        let cluster = TestCluster()
        try cluster.start("steps", ["1"], nodes: 2)
        #expect(cluster.step(3) == .wait)
        run(cluster)
        #expect(cluster.job.phase == .finished)
        #expect(cluster.part(3).jobNumber == 0)
    }

    @Test(arguments: [0, 1, 2, 3, 5, 6, 7, 8])
    func leadershipPassesWhenTheLeaderDies(stepsBefore: Int) throws {
        let cluster = TestCluster()
        try cluster.start("steps", ["1"])
        for _ in 0..<stepsBefore { for node in 1...3 as ClosedRange<UInt32> { _ = cluster.step(node) } }
        let wasOver = cluster.job.phase == .finished
        try cluster.perform(.markDead(job: 1, node: 1))
        #expect(cluster.job.leader == (wasOver ? 1 : 2))
        run(cluster, nodes: 2...3)
        #expect(cluster.job.phase == .finished)
        let result = cluster.text(firstPage: CommonPage.resultFirstPage(cluster.copy(of: 68)))
        #expect(
            result == (stepsBefore < 4 ? "[0,1,1]" : "[1,1,1]"), "the dead node's part counts if it was done")
    }

    @Test func aNodeMarkedDeadHasNoPartAnyMore() throws {
        let cluster = TestCluster()
        try cluster.start("steps", ["9"])
        try cluster.perform(.markDead(job: 1, node: 2))
        #expect(cluster.step(2) == .wait)
        #expect(cluster.part(2).jobNumber == 0)
    }

    @Test func stoppedJobsRest() throws {
        let cluster = TestCluster()
        try cluster.start("steps", ["9"])
        _ = cluster.step(1)
        try cluster.perform(.stopJob(1))
        #expect(cluster.job.phase == .stopped)
        #expect(cluster.step(1) == .wait)
    }

    @Test func aSecondJobStartsClean() throws {
        let cluster = TestCluster()
        for number in 1...2 as ClosedRange<UInt64> {
            try cluster.start("steps", ["2"], number: number)
            run(cluster)
            #expect(cluster.job.phase == .finished)
            #expect(cluster.job.number == number)
            #expect(cluster.text(firstPage: CommonPage.resultFirstPage(cluster.copy(of: 68))) == "[2,2,2]")
            #expect(cluster.text(firstPage: cluster.part(3).printFirstPage) == "step 1\nstep 2\n")
        }
    }

    @Test func answersOfAProgramReachTheNode() throws {
        let cluster = TestCluster()
        try cluster.start("answers", ["abandon"], nodes: 1)
        #expect([cluster.step(1), cluster.step(1)] == [.again, .again])
        #expect(cluster.step(1, attempt: 0) == .abandon)
        #expect(cluster.step(1, attempt: 1) == .again)
        run(cluster, nodes: 1...1)
        #expect(cluster.job.phase == .finished)
        try cluster.start("answers", ["wait"], number: 2, nodes: 1)
        #expect([cluster.step(1), cluster.step(1), cluster.step(1)] == [.again, .again, .wait])
    }

    @Test func failuresEndTheJob() throws {
        let cluster = TestCluster()
        try cluster.start("answers", ["fail"], nodes: 2)
        for _ in 0..<2 { _ = cluster.step(1) }
        _ = cluster.step(2)
        let outcome = cluster.step(2)
        #expect(outcome == .failed("on purpose"))
        let counts = NodeReadings(commits: 3, aborts: 0, pagesFetched: 0, nanoseconds: 0)
        JobRunner<TestPrograms>.recordFailure(
            cluster.memory, node: 2, JobFailure("on purpose"), readings: counts)
        #expect(cluster.job.phase == .failed)
        #expect(cluster.job.failedNode == 2)
        #expect(
            cluster.part(2).failure
                == PartFailure(
                    vector: .max, instruction: 0, address: 0, message: Array("on purpose".utf8)))
        #expect(cluster.part(1).failure == nil)
        #expect(cluster.step(1) == .wait)
    }

    @Test func exceptionsKeepTheirPlace() throws {
        let cluster = TestCluster()
        try cluster.start("steps", ["5"], nodes: 1)
        _ = cluster.step(1)
        let failure = JobFailure(vector: 6, instruction: 0x10_1234, address: 0xdead, message: "trap")
        let counts = NodeReadings(commits: 1, aborts: 0, pagesFetched: 0, nanoseconds: 0)
        JobRunner<TestPrograms>.recordFailure(cluster.memory, node: 1, failure, readings: counts)
        #expect(
            cluster.part(1).failure
                == PartFailure(
                    vector: 6, instruction: 0x10_1234, address: 0xdead, message: Array("trap".utf8)))
    }

    /// A state that was saved by another build is not misread.
    @Test func aProgramOfAnotherFormatDoesNotGoOn() throws {
        let cluster = TestCluster()
        try cluster.start("steps", ["5"], nodes: 2)
        #expect(cluster.job.programFormat == 0)
        for _ in 0..<6 { _ = cluster.step(1) }
        #expect(cluster.job.programFormat == 1)
        #expect(cluster.step(1) == .again)
        cluster.memory[JobPlaces.programFormat] = 2
        #expect(cluster.step(1) == .failed("another build laid out what this program keeps"))
        try cluster.perform(.stopJob(1))
        try cluster.start("steps", ["5"], number: 2, nodes: 2)
        #expect(cluster.job.programFormat == 0)
        for _ in 0..<2 { #expect(cluster.step(1) == .again) }
    }

    @Test func fullMemoryAndUnknownProgramsAreFailures() throws {
        let cluster = TestCluster()
        try cluster.start("answers", ["exhaust"], nodes: 1)
        for _ in 0..<2 { _ = cluster.step(1) }
        #expect(cluster.step(1) == .failed("the shared memory is full"))
        try cluster.perform(.stopJob(1))
        try cluster.start("nonsense", number: 2, nodes: 1)
        _ = cluster.step(1)
        #expect(cluster.step(1) == .failed("the node image has no such program"))
        try cluster.perform(.stopJob(2))
        try cluster.start("steps", ["0"], number: 3, nodes: 1)
        _ = cluster.step(1)
        #expect(cluster.step(1) == .failed("the program does not accept these arguments"))
    }
}
