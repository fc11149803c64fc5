import Heap
import Kernel

/// Computes in one transaction without touching the memory, so that tests see whether a node that
/// computes still serves the others.
public struct Spin: Program {
    public static let name: StaticString = "spin"
    public static let usage: StaticString = "ITERATIONS"
    public static let summary: StaticString = "computes without touching the shared memory"

    let iterations: UInt64

    public init(_ arguments: inout Arguments) throws(ArgumentError) {
        iterations = try arguments.unsigned("ITERATIONS", in: 1...1_000_000_000_000)
    }

    public func step(_ context: Context) throws(HeapError) -> Step {
        // Xorshift (Marsaglia 2003): each value needs the one before, so the loop stays a loop.
        var value = UInt64(context.node)
        for _ in 0..<iterations {
            value ^= value << 13
            value ^= value >> 7
            value ^= value << 17
        }
        context.memory[context.own()] = value
        return .done
    }

    public func finish(_ context: Context) throws(HeapError) -> Step {
        try context.result.number(iterations)
        return .done
    }
}
