import Kernel
import Machine
import Paging
import Protocol
import Wire

/// Why a program was aborted: the code that `Machine.enter` returns.
enum AbortCode {
    static let conflict: UInt64 = 1
    static let trap: UInt64 = 2
    static let tooLarge: UInt64 = 3
    static let calledOff: UInt64 = 4
}

// Unsafe pointers to trap frames: Machine lends each to its hook for the time of the call, and they go no further.

extension Nucleus {
    /// A program has touched a page of the window that is not here, is read-only, or was taken from it because its
    /// transaction is doomed. Returns when the access can be repeated.
    func pageFault(_ address: UInt64, _ errorCode: UInt64, _ frame: UnsafeMutablePointer<TrapFrame>) {
        guard MemoryMap.dataWindow.contains(address) else { programTrap(frame) }
        let page = Int((address - MemoryMap.dataWindow.lowerBound) / FramePool.frameBytes)
        guard page < sharedPages else { programTrap(frame) }
        let isWrite = errorCode & PageFaultBits.write != 0
        while true {
            abortIfOver()
            switch world.memory.fault(page, isWrite: isWrite) {
            case .ready: return
            case .written:
                guard core.recordWrite(PageNumber(UInt32(page))) else { Machine.abort(AbortCode.tooLarge) }
                return
            case .absent: fetch(page)
            case .outOfFrames: waitForFrames()
            }
        }
    }

    /// Brings a page, with more behind it when pages were asked for in order.
    private func fetch(_ page: Int) {
        let number = PageNumber(UInt32(page))
        // A program that reads faster than pages come faults on those that are under way; that breaks no order.
        if !core.isUnderWay(number) {
            ahead = page == nextInOrder ? min(max(2 * ahead, 1), Limits.maximumRequestPages - 1) : 0
            nextInOrder = page + ahead + 1
        }
        while !core.isPresent(number) && !isOver {
            if world.memory.frames.count < Self.fewestFrames { waitForFrames() }
            core.fetch(number, ahead: ahead, now: Machine.nanoseconds(), &world)
            if !core.isPresent(number) { waitForEvent() }
        }
    }

    /// Makes room for a shadow. What is here but not saved goes when the arbiter has it; a transaction that fills the
    /// node all by itself is too large.
    private func waitForFrames() {
        if world.memory.writeCount == world.memory.writeLimit { Machine.abort(AbortCode.tooLarge) }
        let end = Machine.nanoseconds() + Self.memoryPatience
        while !freeFrames(Self.frameReserve) {
            if isOver { return }
            // While the arbiter is away the node stands still rather than lose what is not saved.
            let isOwnFault = core.saved >= core.applied || world.memory.writeCount > world.memory.writeLimit / 2
            guard Machine.nanoseconds() < end || !isOwnFault else { Machine.abort(AbortCode.tooLarge) }
            waitForEvent()
        }
    }

    /// Fewer free frames than this do not suffice for a page and the tables above it.
    private static let fewestFrames = 8

    /// How long the arbiter's saving is waited for when memory is short.
    private static let memoryPatience: UInt64 = 2_000_000_000

    // Unsafe: Machine lends the frame for this call.

    /// The program trapped, or touched what is nobody's: its run ends, the node lives.
    func programTrap(_ frame: UnsafeMutablePointer<TrapFrame>) -> Never {
        if core.isDoomed { Machine.abort(AbortCode.conflict) }
        Machine.writeTrap(frame)
        let message: StaticString =
            Machine.isStackOverflow(frame) ? "stack overflow" : Exception.name(frame.pointee.vector)
        failure = JobFailure(vector: frame.pointee.vector, instruction: frame.pointee.rip,
                             address: frame.pointee.faultAddress, message: message)
        Machine.abort(AbortCode.trap)
    }
}

@c func nucleusPageFault(_ address: UInt64, _ errorCode: UInt64, _ frame: UnsafeMutablePointer<TrapFrame>) {
    nucleus?.pageFault(address, errorCode, frame)
}

@c func nucleusInterrupt(_ vector: UInt64) {
    nucleus?.interrupt()
}

@c func nucleusTrap(_ frame: UnsafeMutablePointer<TrapFrame>) {
    nucleus?.programTrap(frame)
}

@c func nucleusEpitaph() {
    nucleus?.world.recorder.write()
}
