import Heap
import Kernel

/// Every node adds 1 to one shared number N times, one transaction an addition.
public struct Counter: Program {
    public static let name: StaticString = "counter"
    public static let usage: StaticString = "N [--continue] [--durable]"
    public static let summary: StaticString = "every node adds 1 to one shared number N times"

    let additions: UInt64
    let continues: Bool
    /// Each addition waits until no crash can undo it.
    let isDurable: Bool

    public init(_ arguments: inout Arguments) throws(ArgumentError) {
        continues = arguments.flag("--continue")
        isDurable = arguments.flag("--durable")
        additions = try arguments.unsigned("N", in: 1...1_000_000_000)
    }

    public func prepare(_ context: Context) throws(HeapError) -> Step {
        let total = try context.named("counter")
        if !continues { context.memory[total] = 0 }
        return .done
    }

    public func step(_ context: Context) throws(HeapError) -> Step {
        let memory = context.memory
        let total = try context.named("counter"), mine = context.own(UInt64.self)
        memory[total] += 1
        memory[mine] += 1
        guard memory[mine] < additions else { return .done }
        return isDurable ? .durably : .again
    }

    public func finish(_ context: Context) throws(HeapError) -> Step {
        try context.result.number(context.memory[context.named("counter")])
        return .done
    }
}
