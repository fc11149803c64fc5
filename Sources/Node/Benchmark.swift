import Heap
import Machine
import Paging
import Protocol
import Wire

/// What a node measures of itself for `make bench`. The word `bench=` of the kernel command line switches it on:
/// `bench=instructions` for a node alone under QEMU's instruction counter (BenchmarkInstructions.swift),
/// `bench=cluster2` to `bench=cluster9` for the nodes n1 to n9 together (BenchmarkCluster.swift), `bench=host` for a
/// node like all others that answers raw frames of the host besides (RawEcho.swift).
///
/// Results go to the serial console as lines `RESULT key=value`; Benchmarks/README.md says what each means.
final class Benchmark {
    enum Plan { case instructions, cluster(nodes: Int), host }

    let plan: Plan
    /// Raw frames of the answer under way that have arrived (RawEcho.swift).
    var rawFrames = 0
    /// Bytes of the last raw frame that arrived.
    var rawBytes = 0
    /// Pages that were sent raw.
    var rawPages: UInt64 = 0
    /// What the measured transaction does; it runs as a program.
    var body: (SharedMemory) -> Void = { _ in }
    /// How often this node has been at the barrier.
    var barriers: UInt64 = 0
    private let startTicks = Machine.timestamp()
    private let startNanoseconds = Machine.nanoseconds()

    // Unsafe: the command line is part of the image and stays readable.

    /// Nil unless the command line has the word.
    init?(commandLine: UnsafeRawBufferPointer) {
        let word: StaticString = "bench="
        guard let rest = Self.find(word, in: commandLine), rest < commandLine.count else { return nil }
        let digit = Self.find("bench=cluster", in: commandLine) ?? commandLine.count
        if digit < commandLine.count, (0x31...0x39).contains(commandLine[digit]) {
            plan = .cluster(nodes: Int(commandLine[digit]) - 0x30)
        } else if Self.find("bench=host", in: commandLine) != nil {
            plan = .host
        } else {
            plan = .instructions
        }
    }

    /// Where the text behind `word` begins.
    private static func find(_ word: StaticString, in line: UnsafeRawBufferPointer) -> Int? {
        let count = word.utf8CodeUnitCount
        guard line.count >= count else { return nil }
        return word.withUTF8Buffer { bytes in
            for start in 0...(line.count - count) {
                var length = 0
                while length < count, bytes[length] == line[start + length] { length += 1 }
                if length == count { return start + count }
            }
            return nil
        }
    }

    /// Ticks of the time stamp counter in nanoseconds, by the clock of known rate since the benchmark began. Good for
    /// some minutes: 20 bits of fraction and 36 of nanoseconds fit a word.
    func nanoseconds(_ ticks: UInt64) -> UInt64 {
        let elapsed = (Machine.nanoseconds() - startNanoseconds) << 20
        return (ticks * (elapsed / max(Machine.timestamp() &- startTicks, 1))) >> 20
    }

    /// Nanoseconds in ticks of the time stamp counter.
    func ticks(_ nanoseconds: UInt64) -> UInt64 {
        let elapsed = (Machine.timestamp() &- startTicks) << 20
        return (nanoseconds * (elapsed / max(Machine.nanoseconds() - startNanoseconds, 1))) >> 20
    }

    static func result(_ name: StaticString, _ detail: StaticString, _ value: UInt64) {
        Machine.write(serial: "RESULT ")
        Machine.write(serial: name)
        Machine.write(serial: detail)
        Machine.write(serial: "=")
        Machine.write(serialDecimal: value)
        Machine.write(serial: "\n")
    }
}

/// Repeated measurements of one thing, in ticks of the time stamp counter.
final class Samples {
    private var values: [UInt64]
    private(set) var count = 0

    init(capacity: Int) { values = [UInt64](repeating: 0, count: capacity) }

    /// Allocates nothing, so programs may call it too.
    func add(_ value: UInt64) {
        values[count] = value
        count += 1
    }

    /// Writes the smallest, the median, the 99th percentile, the largest and the mean, each converted.
    func report(_ name: StaticString, _ convert: (UInt64) -> UInt64) {
        guard count > 0 else { return }
        var sorted = Array(values[0..<count])
        sorted.sort()
        var sum: UInt64 = 0
        for value in sorted { sum += value }
        Benchmark.result(name, ".min", convert(sorted[0]))
        Benchmark.result(name, ".median", convert(sorted[count / 2]))
        Benchmark.result(name, ".p99", convert(sorted[count * 99 / 100]))
        Benchmark.result(name, ".max", convert(sorted[count - 1]))
        Benchmark.result(name, ".mean", convert(sum / UInt64(count)))
        Benchmark.result(name, ".samples", UInt64(count))
    }
}

extension Nucleus {
    /// Measures, if that was asked for, once this node has joined.
    func runBenchmark() {
        guard let benchmark else { return }
        Benchmark.result("joined", ".ticks", Machine.timestamp() &- Machine.bootInformation.entryTimestamp)
        Benchmark.result("joined", ".idle_ticks", idleTicks)
        switch benchmark.plan {
        case .instructions: measureInstructions(benchmark)
        case .cluster(let nodes): measureCluster(benchmark, nodes)
        case .host: break
        }
        Machine.write(serial: "DONE\n")
    }

    /// Runs `body` as a transaction until it commits.
    func transact(_ benchmark: Benchmark, _ body: @escaping (SharedMemory) -> Void) {
        benchmark.body = body
        guard case .committed = run(.measure) else { Machine.fail("a measured transaction failed") }
    }

    /// Sleeps until another node has changed a page that the last transaction read.
    func sleepUntilRead() {
        world.memory.watch()
        core.idle(now: Machine.nanoseconds(), &world)
        wait { world.memory.hasChanged }
    }

    /// Sleeps until the arbiter has copies of everything, and no traffic of its own any more.
    func sleepUntilSaved() {
        core.idle(now: Machine.nanoseconds(), &world)
        wait { core.saved >= core.applied }
    }

    /// Frames that this node has sent and received.
    var frameCount: UInt64 { core.endpoint.sent + core.endpoint.received }

    /// The first word of a page of the window.
    @inline(__always)
    func word(_ page: Int) -> UnsafeMutablePointer<UInt64> {
        // Unsafe: only transactions use it, and the benchmark's pages lie in the window.
        UnsafeMutablePointer(bitPattern: UInt(MemoryMap.dataWindow.lowerBound) + UInt(page) * 4096).unsafelyUnwrapped
    }
}
