import Heap
import Machine
import Paging
import Protocol

/// Under `-icount shift=0` the time stamp counter counts instructions: what a transaction's parts cost, on one node
/// that has the token and all pages.
extension Nucleus {
    private static let rounds = 65
    private static let firstPage = 2048
    private static let pageCount = 256

    func measureInstructions(_ benchmark: Benchmark) {
        let first = Self.firstPage
        transact(benchmark) { [self] _ in for page in 0..<Self.pageCount { word(first + page).pointee = 1 } }
        sleepUntilSaved()
        measureBegin(benchmark, 0, "begin_after_0")
        measureBegin(benchmark, 1, "begin_after_1")
        measureBegin(benchmark, 16, "begin_after_16")
        measureBegin(benchmark, 256, "begin_after_256")
        measureFirstWrite(benchmark)
        measureCopy()
        measureAbort(benchmark, 0, "abort_0")
        measureAbort(benchmark, 1, "abort_1")
        measureAbort(benchmark, 16, "abort_16")
        measureAbort(benchmark, 256, "abort_256")
        measureCommit(benchmark, 0, "commit_0")
        measureCommit(benchmark, 1, "commit_1")
        measureCommit(benchmark, 16, "commit_16")
    }

    private func touch(_ count: Int) -> (SharedMemory) -> Void {
        { [self] _ in
            var sum: UInt64 = 0
            for page in 0..<count { sum &+= word(Self.firstPage + page).pointee }
            if sum == .max { Machine.write(serial: "\n") }  // Nobody's sum: the reads must happen.
        }
    }

    private func write(_ count: Int) -> (SharedMemory) -> Void {
        { [self] _ in for page in 0..<count { word(Self.firstPage + page).pointee = 2 } }
    }

    /// The cost of a begin follows what the transaction before has touched.
    private func measureBegin(_ benchmark: Benchmark, _ count: Int, _ name: StaticString) {
        let samples = Samples(capacity: Self.rounds)
        for _ in 0..<Self.rounds {
            transact(benchmark, touch(count))
            let start = Machine.timestamp()
            begin()
            samples.add(Machine.timestamp() &- start)
            _ = undo()
        }
        samples.report(name) { $0 }
    }

    /// From the store to the instruction behind it, on pages that are here: fault, shadow, log, return.
    private func measureFirstWrite(_ benchmark: Benchmark) {
        let samples = Samples(capacity: Self.pageCount)
        transact(benchmark) { [self] _ in
            for page in 0..<Self.pageCount {
                let target = word(Self.firstPage + page)
                let start = Machine.timestamp()
                target.pointee = 3
                samples.add(Machine.timestamp() &- start)
            }
        }
        samples.report("first_write") { $0 }
    }

    /// The copy alone, which is part of a first write.
    private func measureCopy() {
        let samples = Samples(capacity: Self.rounds)
        guard let source = world.memory.stage(for: Self.firstPage),
            let target = world.memory.stage(for: Self.firstPage) else { return }
        for _ in 0..<Self.rounds {
            let start = Machine.timestamp()
            DirectMapHardware().copy(source, to: target)
            samples.add(Machine.timestamp() &- start)
        }
        world.memory.discard(target)
        world.memory.discard(source)
        samples.report("page_copy") { $0 }
    }

    private func measureAbort(_ benchmark: Benchmark, _ count: Int, _ name: StaticString) {
        let samples = Samples(capacity: Self.rounds)
        for _ in 0..<Self.rounds {
            body = .measure
            benchmark.body = write(count)
            begin()
            guard Machine.enter(runProgramBody, 0) == 0 else { Machine.fail("a measured transaction failed") }
            let start = Machine.timestamp()
            _ = undo()
            samples.add(Machine.timestamp() &- start)
        }
        samples.report(name) { $0 }
    }

    /// With the token in hand.
    private func measureCommit(_ benchmark: Benchmark, _ count: Int, _ name: StaticString) {
        let samples = Samples(capacity: Self.rounds)
        for _ in 0..<Self.rounds {
            body = .measure
            benchmark.body = write(count)
            begin()
            guard Machine.enter(runProgramBody, 0) == 0 else { Machine.fail("a measured transaction failed") }
            let start = Machine.timestamp()
            guard commit() != nil else { Machine.fail("nobody else commits") }
            samples.add(Machine.timestamp() &- start)
            sleepUntilSaved()
        }
        samples.report(name) { $0 }
    }
}
