import Heap
import Kernel

/// Goes wrong on purpose, so that tests see what becomes of a program that does.
public struct Fault: Program {
    public static let name: StaticString = "fault"
    public static let usage: StaticString = "trap|overflow|stack|access|wild|loop"
    public static let summary: StaticString = "goes wrong on purpose: ends with an epitaph, or (loop) never"

    enum Kind: Int {
        case trap, overflow, stack, access, wild, loop
    }

    let kind: Kind

    public init(_ arguments: inout Arguments) throws(ArgumentError) {
        let choice = try arguments.choice("KIND", "trap", "overflow", "stack", "access", "wild", "loop")
        kind = Kind(rawValue: choice) ?? .trap
    }

    public func step(_ context: Context) throws(HeapError) -> Step {
        // One node is enough, and keeps the epitaph the same.
        guard context.rank == 0 else { return .done }
        let zero = context.memory[context.own(UInt64.self)]
        switch kind {
        case .trap: faultByTrap(zero)
        case .overflow: context.memory[context.own()] = faultByOverflow(zero)
        case .stack: context.memory[context.own()] = faultByStackOverflow(zero)
        case .access: context.memory[context.own()] = faultByAccess(context.memory)
        case .wild: context.memory[context.own()] = faultByWildAddress()
        case .loop:
            // Seen by nobody, unless a part of a step were committed: `counter --continue` would tell.
            context.memory[try context.named("counter")] += 1
            context.memory[context.own()] = faultByLoop(zero)
        }
        return .done
    }

    public func finish(_ context: Context) throws(HeapError) -> Step {
        .failed("the fault did not happen")
    }
}

/// Stops at a precondition. Its argument must be zero.
@inline(never)
func faultByTrap(_ zero: UInt64) {
    precondition(zero != 0, "a trap on purpose")
}

/// Overflows an addition. Its argument must be zero.
@inline(never)
func faultByOverflow(_ zero: UInt64) -> UInt64 {
    UInt64.max - zero + 1 + zero
}

/// Recurses until the stack ends. Each level needs what the level below returns, in a way that no
/// compiler turns into a loop.
@inline(never)
func faultByStackOverflow(_ depth: UInt64) -> UInt64 {
    guard depth < .max else { return 0 }
    let below = faultByStackOverflow(depth + 1)
    return below ^ (below >> 7) ^ depth
}

/// Reads behind the end of the shared memory.
@inline(never)
func faultByAccess(_ memory: SharedMemory) -> UInt64 {
    memory[Shared(SharedAddress(memory.byteCount))]
}

/// Reads where shared code will lie and nothing is mapped: an address that is nobody's, as a lost pointer has.
@inline(never)
func faultByWildAddress() -> UInt64 {
    SharedMemory(base: 0x4000_0000, pageCount: 1)[Shared(SharedAddress(0))]
}

/// Computes for ever, without touching the shared memory. Its argument must be zero.
@inline(never)
func faultByLoop(_ zero: UInt64) -> UInt64 {
    var value = zero + 1
    // Xorshift (Marsaglia 2003) leads from zero to zero only, so nothing else ever comes there.
    repeat {
        value ^= value << 13
        value ^= value >> 7
        value ^= value << 17
    } while value != zero
    return value
}
