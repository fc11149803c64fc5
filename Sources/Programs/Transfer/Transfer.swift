import Heap
import Kernel

/// Two shared files exchange their contents again and again, with a failure injected in the middle: the
/// `Transfer(file1, file2, k)` of the KDSM slides (speculations and fault tolerance).
///
/// There, undoing the first write by hand takes a page of code that is easily wrong. Here, a transfer
/// that fails between its two writes is abandoned, and neither was ever there. Every step first checks
/// that no earlier one left the files half exchanged, which would make both equal.
public struct Transfer: Program {
    public static let name: StaticString = "transfer"
    public static let usage: StaticString = "[--transfers N] [--fail-every N]"
    public static let summary: StaticString = "two files exchange contents, with failures in the middle"

    /// Bytes that are exchanged: the files are a page each.
    private static let fileByteCount = pageByteCount
    private static let firstContent = UInt8(ascii: "1")
    private static let secondContent = UInt8(ascii: "2")

    /// What one node did.
    struct Counts: BitwiseCopyable {
        var transfers: UInt64
        /// Transfers whose first attempt failed in the middle.
        var failures: UInt64
        /// Files that were found half exchanged.
        var violations: UInt64
    }

    struct Files: BitwiseCopyable {
        var first: SharedBytes
        var second: SharedBytes
        var resultIsWritten: Bool
    }

    /// Transfers of each node.
    let transfers: UInt64
    let failureInterval: UInt64

    public init(_ arguments: inout Arguments) throws(ArgumentError) {
        transfers = try arguments.option("--transfers", default: 100, in: 1...1_000_000)
        failureInterval = try arguments.option("--fail-every", default: 3, in: 1...1_000_000)
    }

    public func prepare(_ context: Context) throws(HeapError) -> Step {
        let files = Files(
            first: SharedBytes(start: try context.allocator.allocatePages(1), count: Self.fileByteCount),
            second: SharedBytes(start: try context.allocator.allocatePages(1), count: Self.fileByteCount),
            resultIsWritten: false)
        fill(files.first, Self.firstContent, context.memory)
        fill(files.second, Self.secondContent, context.memory)
        context.memory[context.common()] = files
        return .done
    }

    public func step(_ context: Context) throws(HeapError) -> Step {
        let memory = context.memory, mine = context.own(Counts.self)
        let files = memory[context.common(Files.self)]
        var counts = memory[mine]
        if !isWhole(files, memory) { counts.violations += 1 }

        let one = memory[files.first[0]], other = memory[files.second[0]]
        let isToFail = counts.transfers % failureInterval == failureInterval - 1
        fill(files.first, other, memory)
        if isToFail && context.attempt == 0 { return .abandon }
        fill(files.second, one, memory)

        counts.transfers += 1
        if isToFail { counts.failures += 1 }
        memory[mine] = counts
        return counts.transfers < transfers ? .again : .done
    }

    public func finish(_ context: Context) throws(HeapError) -> Step {
        let memory = context.memory
        var files = memory[context.common(Files.self)]
        let total = sumOfCounts(context)
        let isExpected = isWhole(files, memory) && isExchanged(files, memory) == (total.transfers % 2 == 1)
        if files.resultIsWritten {
            return isExpected && total.violations == 0 ? .done : .failed("a transfer was half done")
        }
        try write(total, to: context.result)
        files.resultIsWritten = true
        memory[context.common()] = files
        return .again
    }

    private func fill(_ file: SharedBytes, _ content: UInt8, _ memory: SharedMemory) {
        for index in 0..<file.count { memory[file[index]] = content }
    }

    /// Does each file hold one content throughout, and not both the same?
    private func isWhole(_ files: Files, _ memory: SharedMemory) -> Bool {
        let one = memory[files.first[0]], other = memory[files.second[0]]
        for index in 0..<Self.fileByteCount
        where memory[files.first[index]] != one || memory[files.second[index]] != other {
            return false
        }
        return one != other
    }

    private func isExchanged(_ files: Files, _ memory: SharedMemory) -> Bool {
        memory[files.first[0]] == Self.secondContent
    }

    private func sumOfCounts(_ context: Context) -> Counts {
        var total = Counts(transfers: 0, failures: 0, violations: 0)
        for rank in 0..<context.count {
            guard let counts = context.own(of: rank, Counts.self) else { continue }
            total.transfers += counts.transfers
            total.failures += counts.failures
            total.violations += counts.violations
        }
        return total
    }

    private func write(_ total: Counts, to result: JSONWriter) throws(HeapError) {
        try result.beginObject()
        try result.field("transfers", total.transfers)
        try result.field("injectedFailures", total.failures)
        try result.field("violations", total.violations)
        try result.endObject()
    }
}
