import Heap
import Kernel

/// Every node throws a die N times; all count into one shared table.
public struct Dice: Program {
    public static let name: StaticString = "dice"
    public static let usage: StaticString = "N"
    public static let summary: StaticString = "every node throws a die N times"

    let throwCount: UInt64

    public init(_ arguments: inout Arguments) throws(ArgumentError) {
        throwCount = try arguments.unsigned("N", in: 1...1_000_000)
    }

    /// One node does this, before any other takes a step.
    public func prepare(_ context: Context) throws(HeapError) -> Step {
        // A page for each number: nodes that throw different ones do not conflict.
        let start = try context.allocator.allocatePages(6)
        let counts = SharedArray<UInt64>(start: start, count: 6, stride: pageByteCount)
        for number in 0..<counts.count { context.memory[counts[number]] = 0 }
        context.memory[context.common()] = counts
        return .done
    }

    /// One transaction of a node.
    public func step(_ context: Context) throws(HeapError) -> Step {
        let memory = context.memory, mine = context.own(UInt64.self)
        let counts = memory[context.common(SharedArray<UInt64>.self)]
        memory[counts[context.random(below: 6)]] += 1
        memory[mine] += 1
        guard memory[mine] == throwCount else { return .again }
        try context.print("throws: ", memory[mine])
        return .done
    }

    /// One node does this, when all are done.
    public func finish(_ context: Context) throws(HeapError) -> Step {
        let counts = context.memory[context.common(SharedArray<UInt64>.self)]
        try context.result.beginArray()
        for number in 0..<counts.count { try context.result.number(context.memory[counts[number]]) }
        try context.result.endArray()
        return .done
    }
}
