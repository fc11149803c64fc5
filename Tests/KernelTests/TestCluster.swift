import Heap

@testable import Kernel

/// A shared memory over an ordinary buffer, and nodes that run steps on it one at a time.
final class TestCluster {
    private let buffer: UnsafeMutableRawBufferPointer
    let memory: SharedMemory
    private var readings = [UInt32: NodeReadings]()

    init(pageCount: UInt32 = 256) {
        buffer = .allocate(byteCount: Int(pageCount) * Int(pageByteCount), alignment: Int(pageByteCount))
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
        memory = SharedMemory(base: UInt(bitPattern: buffer.baseAddress), pageCount: pageCount)
        SystemLayout.initialise(memory)
    }

    deinit { buffer.deallocate() }

    func copy(of page: UInt32) -> PageCopy {
        let start = Int(page) * Int(pageByteCount)
        return PageCopy(page: page, bytes: Array(buffer[start..<start + Int(pageByteCount)]))!
    }

    func perform(_ command: Command) throws {
        try Command.perform(command.encode().span.bytes, on: memory)
    }

    /// Starts a job on nodes 1...nodeCount.
    func start(_ program: String, _ arguments: [String] = [], number: UInt64 = 1, nodes: Int = 3) throws {
        let start = try JobStart(
            number: number, participants: 1 << UInt64(nodes) - 1, programName: Array(program.utf8),
            arguments: arguments.map { Array($0.utf8) }, inputByteCount: 0)
        try perform(.startJob(start))
    }

    /// One step, committed if it is to be, and counted as the node would.
    func step(_ node: UInt32, attempt: UInt64 = 0) -> StepOutcome {
        var counts = readings[node] ?? NodeReadings(commits: 100, aborts: 7, pagesFetched: 50, nanoseconds: 0)
        let outcome = JobRunner<TestPrograms>.runStep(memory, node: node, attempt: attempt, readings: counts)
        counts.commits += 1
        readings[node] = counts
        return outcome
    }

    var job: JobRecord<PageCopy> { JobRecord(copy(of: SystemLayout.jobPage)) }
    func part(_ node: UInt32) -> JobPart<PageCopy> {
        JobPart(of: node, in: copy(of: SystemLayout.partPage(of: node)))
    }

    /// A stream as the host reads it.
    func text(firstPage: UInt32) -> String {
        var bytes: [UInt8] = []
        var page = firstPage
        while page != 0 {
            let block = StreamBlock(copy(of: page))!
            bytes += block.bytes
            page = block.nextPage
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Writes down who was called when: `prepare` twice, `step` N times, `finish` once.
struct Steps: Program {
    static let name: StaticString = "steps"
    static let usage: StaticString = "N"
    static let summary: StaticString = ""

    let count: UInt64

    init(_ arguments: inout Arguments) throws(ArgumentError) {
        count = try arguments.unsigned("N", in: 1...9)
    }

    func prepare(_ context: Context) throws(HeapError) -> Step {
        let prepared = context.common(UInt64.self)
        context.memory[prepared] += 1
        return context.memory[prepared] < 2 ? .again : .done
    }

    func step(_ context: Context) throws(HeapError) -> Step {
        let mine = context.own(UInt64.self)
        context.memory[mine] += 1
        try context.print("step ", context.memory[mine])
        return context.memory[mine] < count ? .again : .done
    }

    func finish(_ context: Context) throws(HeapError) -> Step {
        try context.result.beginArray()
        for rank in 0..<context.count { try context.result.number(context.own(of: rank, UInt64.self) ?? 0) }
        try context.result.endArray()
        return .done
    }
}

/// Answers as its argument says.
struct Answers: Program {
    static let name: StaticString = "answers"
    static let usage: StaticString = "abandon|wait|fail|exhaust"
    static let summary: StaticString = ""

    let kind: Int

    init(_ arguments: inout Arguments) throws(ArgumentError) {
        kind = try arguments.choice("KIND", "abandon", "wait", "fail", "exhaust")
    }

    func step(_ context: Context) throws(HeapError) -> Step {
        switch kind {
        case 0: return context.attempt == 0 ? .abandon : .done
        case 1: return .wait
        case 2: return .failed("on purpose")
        default:
            _ = try context.allocator.allocatePages(1_000_000)
            return .done
        }
    }

    func finish(_ context: Context) throws(HeapError) -> Step { .done }
}

enum TestPrograms: ProgramSet {
    static let count = 2

    static func program(at index: Int) -> ProgramEntry {
        index == 0 ? ProgramEntry(Steps.self) : ProgramEntry(Answers.self)
    }
}
