import Heap
import Kernel

/// Each node reads and writes a few shared registers, each on a page of its own, for checkers of
/// histories.
///
/// A transaction reads two registers and writes one of them, with a value that no other transaction
/// writes: node × 2^32 + its number on that node. It prints one line, "READ=VALUE WRITTEN:OLD>NEW".
/// With OLD the checker knows the order of the versions of every register. With `--strict` each transaction first makes
/// sure that it reads all that had left the cluster when it began.
public struct Register: Program {
    public static let name: StaticString = "register"
    public static let usage: StaticString = "[--registers N] [--transactions N] [--strict]"
    public static let summary: StaticString =
        "unique values into shared registers, and a history for checkers"

    let registerCount: UInt64
    /// Transactions of each node.
    let transactions: UInt64
    let isStrict: Bool

    public init(_ arguments: inout Arguments) throws(ArgumentError) {
        registerCount = try arguments.option("--registers", default: 4, in: 2...64)
        transactions = try arguments.option("--transactions", default: 200, in: 1...1_000_000)
        isStrict = arguments.flag("--strict")
    }

    public func prepare(_ context: Context) throws(HeapError) -> Step {
        let start = try context.allocator.allocatePages(UInt32(registerCount))
        let registers = SharedArray<UInt64>(start: start, count: registerCount, stride: pageByteCount)
        for index in 0..<registerCount { context.memory[registers[index]] = 0 }
        context.memory[context.common()] = registers
        return .done
    }

    public func step(_ context: Context) throws(HeapError) -> Step {
        guard !isStrict || context.isStrict else { return .strictly }
        let memory = context.memory, done = context.own(UInt64.self)
        let registers = memory[context.common(SharedArray<UInt64>.self)]
        let read = context.random(below: registerCount)
        let written = (read + 1 + context.random(below: registerCount - 1)) % registerCount
        let old = memory[registers[written]]
        memory[done] += 1
        let new = UInt64(context.node) << 32 + memory[done]
        try printLine(context.output, read, memory[registers[read]], written, old, new)
        memory[registers[written]] = new
        return memory[done] < transactions ? .again : .done
    }

    public func finish(_ context: Context) throws(HeapError) -> Step {
        var total: UInt64 = 0
        for rank in 0..<context.count { total += context.own(of: rank, UInt64.self) ?? 0 }
        let result = context.result
        try result.beginObject()
        try result.field("registers", registerCount)
        try result.field("reads", 2 * total)
        try result.field("writes", total)
        try result.name("values")
        try writeValues(context, result)
        try result.endObject()
        return .done
    }

    private func printLine(
        _ output: OutputStream, _ read: UInt64, _ value: UInt64, _ written: UInt64, _ old: UInt64,
        _ new: UInt64
    ) throws(HeapError) {
        try output.write(read)
        try output.write("=")
        try output.write(value)
        try output.write(" ")
        try output.write(written)
        try output.write(":")
        try output.write(old)
        try output.write(">")
        try output.write(new)
        try output.write("\n")
    }

    private func writeValues(_ context: Context, _ result: JSONWriter) throws(HeapError) {
        let registers = context.memory[context.common(SharedArray<UInt64>.self)]
        try result.beginArray()
        for index in 0..<registerCount { try result.number(context.memory[registers[index]]) }
        try result.endArray()
    }
}
