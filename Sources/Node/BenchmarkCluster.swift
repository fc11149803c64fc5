import Heap
import Machine
import Protocol
import Wire

/// What two or more nodes measure together. All run this script; n1 owns what n2 reads.
extension Nucleus {
    /// Pages of the shared memory that the benchmark uses; no program runs meanwhile.
    private enum Pages {
        static let barrier = 1536
        static let counter = 1537
        static let pingPong = 1538
        static let turns = 1539
        static let random = 4096
        static let randomCount = 4096
        static let ordered = 8192
        static let orderedCount = 4096
        static let served = 12288
        static let servedCount = 512
    }

    private static let owner = Station(1)
    private static let reader = Station(2)

    func measureCluster(_ benchmark: Benchmark, _ nodes: Int) {
        barrier(benchmark, nodes)
        if nodes == 2 {
            measureFaults(benchmark)
            measureOrderedReading(benchmark)
            measureServing(benchmark)
            measureFramesPerCommit(benchmark)
            measureHandOver(benchmark, isComputing: false, 100..<200, "token_by_idle")
            measureHandOver(benchmark, isComputing: true, 200..<300, "token_by_busy")
        }
        measurePingPong(benchmark, nodes)
        measureCounter(benchmark, nodes)
        barrier(benchmark, nodes)
    }

    /// Waits until all nodes are here.
    private func barrier(_ benchmark: Benchmark, _ nodes: Int) {
        benchmark.barriers += 1
        let barriers = benchmark.barriers
        let here = Int(station.number)
        transact(benchmark) { [self] _ in word(Pages.barrier)[here] = barriers }
        var isComplete = false
        while true {
            transact(benchmark) { [self] _ in
                isComplete = true
                for node in 1...nodes where word(Pages.barrier)[node] < barriers { isComplete = false }
            }
            if isComplete { break }
            sleepUntilRead()
        }
        sleepUntilSaved()
    }

    /// n1 writes the number of each page to it.
    private func fill(_ benchmark: Benchmark, _ first: Int, _ count: Int) {
        if station == Self.owner {
            for start in stride(from: first, to: first + count, by: 128) {
                transact(benchmark) { [self] _ in
                    for page in start..<min(start + 128, first + count) { word(page).pointee = UInt64(page) }
                }
                sleepUntilSaved()
            }
        }
        barrier(benchmark, 2)
    }

    // MARK: A remote page

    /// n2 reads cold pages in random order, in turns with raw round trips.
    private func measureFaults(_ benchmark: Benchmark) {
        fill(benchmark, Pages.random, Pages.randomCount)
        if station == Self.reader {
            let short = Samples(capacity: 4000), long = Samples(capacity: 4000)
            let faults = Samples(capacity: Pages.randomCount)
            let frames = Samples(capacity: Pages.randomCount)
            for quarter in 0..<4 {
                measureRaw(benchmark, .shortest, to: Self.owner, rounds: 1000, short)
                measureRaw(benchmark, .page, to: Self.owner, rounds: 1000, long)
                readRandomly(benchmark, Pages.random, Pages.randomCount, quarter * 1024..<quarter * 1024 + 1024, faults,
                             frames: frames)
            }
            short.report("raw_60_to_60") { benchmark.nanoseconds($0) }
            long.report("raw_request_to_page") { benchmark.nanoseconds($0) }
            Benchmark.result("raw_request_to_page", ".last_frame_bytes", UInt64(benchmark.rawBytes))
            faults.report("read_fault") { benchmark.nanoseconds($0) }
            frames.report("read_fault_frames") { $0 }
        }
        barrier(benchmark, 2)
    }

    /// One load a page; the order is a permutation without neighbours. The count of pages is a power of two.
    private func readRandomly(_ benchmark: Benchmark, _ first: Int, _ count: Int, _ places: Range<Int>,
                              _ samples: Samples, frames: Samples? = nil) {
        var wrong = 0
        transact(benchmark) { [self] _ in
            for place in places {
                let page = first + (place &* 1103 &+ 7) & (count - 1)
                let before = frameCount
                let start = Machine.timestamp()
                let value = word(page).pointee
                samples.add(Machine.timestamp() &- start)
                frames?.add(frameCount - before)
                if value != UInt64(page) { wrong += 1 }
            }
        }
        guard wrong == 0 else { Machine.fail("a page arrived with wrong content") }
    }

    /// n2 reads every word of 16 MiB in order.
    private func measureOrderedReading(_ benchmark: Benchmark) {
        fill(benchmark, Pages.ordered, Pages.orderedCount)
        if station == Self.reader {
            var sum: UInt64 = 0
            var ticks: UInt64 = 0
            transact(benchmark) { [self] _ in
                let start = Machine.timestamp()
                for page in Pages.ordered..<Pages.ordered + Pages.orderedCount {
                    let words = word(page)
                    for index in 0..<512 { sum &+= words[index] }
                }
                ticks = Machine.timestamp() &- start
            }
            let last = UInt64(Pages.ordered + Pages.orderedCount - 1)
            guard sum == (UInt64(Pages.ordered) + last) * UInt64(Pages.orderedCount) / 2 else {
                Machine.fail("pages arrived with wrong content")
            }
            let bytes = UInt64(Pages.orderedCount * Limits.pageBytes)
            Benchmark.result("ordered_reading", ".kilobytes_per_second",
                             bytes * 1_000_000 / max(benchmark.nanoseconds(ticks), 1))
        }
        barrier(benchmark, 2)
    }

    /// n2 reads cold pages, and sends raw frames, while n1 sleeps and while its transaction computes.
    private func measureServing(_ benchmark: Benchmark) {
        fill(benchmark, Pages.served, Pages.servedCount)
        if station == Self.reader { serve(benchmark, 0..<256, "served_by_idle", "echo_by_idle") }
        barrier(benchmark, 2)
        if station == Self.owner {
            compute(benchmark, 1_500_000_000)
        } else {
            pause(200_000_000)
            serve(benchmark, 256..<512, "served_by_busy", "echo_by_busy")
        }
        barrier(benchmark, 2)
    }

    private func serve(_ benchmark: Benchmark, _ places: Range<Int>, _ name: StaticString, _ echo: StaticString) {
        let samples = Samples(capacity: places.count), echoes = Samples(capacity: places.count)
        readRandomly(benchmark, Pages.served, Pages.servedCount, places, samples)
        measureRaw(benchmark, .shortest, to: Self.owner, rounds: places.count, echoes)
        samples.report(name) { benchmark.nanoseconds($0) }
        echoes.report(echo) { benchmark.nanoseconds($0) }
    }

    /// A transaction that computes for some nanoseconds without a fault.
    private func compute(_ benchmark: Benchmark, _ nanoseconds: UInt64) {
        let ticks = benchmark.ticks(nanoseconds)
        transact(benchmark) { _ in
            let start = Machine.timestamp()
            while Machine.timestamp() &- start < ticks {}
        }
    }

    private func pause(_ nanoseconds: UInt64) {
        let end = Machine.nanoseconds() + nanoseconds
        wait { Machine.nanoseconds() >= end }
    }

    // MARK: Commits

    /// Frames that n2 sends and receives for a commit that only reads, with the token in hand, and with it on n1.
    private func measureFramesPerCommit(_ benchmark: Benchmark) {
        let reading = Samples(capacity: 100), inHand = Samples(capacity: 100), elsewhere = Samples(capacity: 100)
        for round in 0..<100 {
            if station == Self.reader {
                waitForTurn(benchmark, 2 * round + 1)
                elsewhere.add(frames { transact(benchmark) { [self] _ in word(Pages.turns)[1] &+= 1 } })
                inHand.add(frames { transact(benchmark) { [self] _ in word(Pages.turns)[1] &+= 1 } })
                reading.add(frames { transact(benchmark) { [self] _ in precondition(word(Pages.turns)[1] > 0) } })
                transact(benchmark) { [self] _ in word(Pages.turns)[0] = UInt64(2 * round + 2) }
            } else {
                waitForTurn(benchmark, 2 * round)
                transact(benchmark) { [self] _ in word(Pages.turns)[0] = UInt64(2 * round + 1) }
            }
        }
        reading.report("frames_read_only") { $0 }
        inHand.report("frames_token_in_hand") { $0 }
        elsewhere.report("frames_token_elsewhere") { $0 }
        barrier(benchmark, 2)
    }

    /// How long n2 takes for a commit whose token is on n1, which sleeps or computes meanwhile.
    private func measureHandOver(_ benchmark: Benchmark, isComputing: Bool, _ rounds: Range<Int>,
                                 _ name: StaticString) {
        let samples = Samples(capacity: rounds.count)
        for round in rounds {
            if station == Self.reader {
                waitForTurn(benchmark, 2 * round + 1)
                pause(1_000_000)
                let start = Machine.timestamp()
                transact(benchmark) { [self] _ in word(Pages.turns)[1] &+= 1 }
                samples.add(Machine.timestamp() &- start)
                transact(benchmark) { [self] _ in word(Pages.turns)[0] = UInt64(2 * round + 2) }
            } else {
                waitForTurn(benchmark, 2 * round)
                transact(benchmark) { [self] _ in word(Pages.turns)[0] = UInt64(2 * round + 1) }
                if isComputing { compute(benchmark, 5_000_000) }
            }
        }
        samples.report(name) { benchmark.nanoseconds($0) }
        barrier(benchmark, 2)
    }

    private func waitForTurn(_ benchmark: Benchmark, _ turn: Int) {
        var seen = 0
        while true {
            transact(benchmark) { [self] _ in seen = Int(word(Pages.turns)[0]) }
            if seen == turn { return }
            sleepUntilRead()
        }
    }

    private func frames(_ body: () -> Void) -> UInt64 {
        let before = frameCount
        body()
        return frameCount - before
    }

    /// The nodes add 1 to one number in turn; who waits sleeps until its copy is taken.
    private func measurePingPong(_ benchmark: Benchmark, _ nodes: Int) {
        let rounds = 1500
        let rank = UInt64(station.number - 1)
        barrier(benchmark, nodes)
        let start = Machine.timestamp()
        let frames = frameCount
        for _ in 0..<rounds {
            var isDone = false
            while true {
                transact(benchmark) { [self] _ in
                    let value = word(Pages.pingPong).pointee
                    isDone = value % UInt64(nodes) == rank
                    if isDone { word(Pages.pingPong).pointee = value + 1 }
                }
                if isDone { break }
                sleepUntilRead()
            }
        }
        let ticks = Machine.timestamp() &- start
        Benchmark.result("ping_pong", ".nanoseconds", benchmark.nanoseconds(ticks))
        Benchmark.result("ping_pong", ".operations", UInt64(rounds))
        Benchmark.result("ping_pong", ".frames", frameCount - frames)
        barrier(benchmark, nodes)
    }

    /// All add 1 to one number. Measured by time, without the first and last moments, in which one may be alone.
    private func measureCounter(_ benchmark: Benchmark, _ nodes: Int) {
        barrier(benchmark, nodes)
        let start = Machine.nanoseconds()
        var all: UInt64 = 0
        addUntil(benchmark, start + 200_000_000, &all)
        let before = (all: all, frames: frameCount, aborts: core.counters.aborts, time: Machine.nanoseconds())
        let travelled = addUntil(benchmark, start + 2_200_000_000, &all)
        let after = (all: all, frames: frameCount, aborts: core.counters.aborts, time: Machine.nanoseconds())
        addUntil(benchmark, start + 2_400_000_000, &all)
        barrier(benchmark, nodes)
        var value: UInt64 = 0
        transact(benchmark) { [self] _ in value = word(Pages.counter).pointee }
        Benchmark.result("counter", ".nanoseconds", after.time - before.time)
        Benchmark.result("counter", ".operations", after.all - before.all)
        Benchmark.result("counter", ".travelled", travelled)
        Benchmark.result("counter", ".frames", after.frames - before.frames)
        Benchmark.result("counter", ".aborts", after.aborts - before.aborts)
        Benchmark.result("counter", ".all", all)
        Benchmark.result("counter", ".value", value)
    }

    /// Returns how many additions found the token elsewhere.
    @discardableResult
    private func addUntil(_ benchmark: Benchmark, _ end: UInt64, _ count: inout UInt64) -> UInt64 {
        var travelled: UInt64 = 0
        while Machine.nanoseconds() < end {
            if !core.holdsToken { travelled += 1 }
            transact(benchmark) { [self] _ in word(Pages.counter).pointee += 1 }
            count += 1
        }
        return travelled
    }
}
