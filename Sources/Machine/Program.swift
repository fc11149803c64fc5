import Instructions

/// The program context: the one place where code runs that may fault, be interrupted and be aborted.
extension Machine {
    /// Runs `function(argument)` on the program stack with interrupts on.
    ///
    /// Called by the nucleus. Returns 0 when the function returned, else the code that `abort` was given; either way
    /// on the caller's stack with interrupts off and callee-saved registers as they were. Nothing else is undone:
    /// what the program wrote to memory is Node's business.
    public static func enter(_ function: @convention(c) (UInt64) -> Void, _ argument: UInt64) -> UInt64 {
        precondition(!isInProgram && !isProgramEntered, "one program at a time")
        return machineEnter(function, argument)
    }

    /// Ends the program at once: `enter` returns `code`, which is not 0.
    ///
    /// Works from the program itself, from the hooks (page fault, trap, interrupt) and at any depth below them.
    public static func abort(_ code: UInt64) -> Never {
        precondition(code != 0 && isProgramEntered, "abort ends a program and says why")
        machineAbort(code)
    }

    /// True while program code runs, false while the nucleus does, its hooks included.
    public static var isInProgram: Bool { currentContext() != 0 }

    /// True from `enter` until it returns, also inside the hooks.
    public static var isProgramEntered: Bool { programIsEntered() }

    /// A kernel call: runs `body` as the nucleus, interrupts off, on the program's stack.
    ///
    /// Inside, a page fault or a trap is the nucleus's own and ends the node; memory comes from the nucleus heap.
    /// Called by the nucleus itself it only runs `body`. A program whose stack has no room for the nucleus gets its
    /// stack overflow here.
    public static func callNucleus<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard isInProgram else { return try body() }
        if stackPointer() < programStackBottomAddress() &+ roomForNucleus {
            memoryWrite8(programStackGuardAddress(), 0)
        }
        disableInterrupts()
        setCurrentContext(0)
        defer {
            setCurrentContext(1)
            enableInterrupts()
        }
        return try body()
    }

    /// Bytes of program stack that must be left for a kernel call.
    static var roomForNucleus: UInt64 { 32 << 10 }
}
