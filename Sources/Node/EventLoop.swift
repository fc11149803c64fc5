import Devices
import Machine
import Paging
import Protocol
import Wire

extension Nucleus {
    /// Looks at the card and the clock, once: what has arrived is handled, what is due is done. Of a flood (a page
    /// server that asks for all of the memory) only a part: whoever waits or computes looks after itself in between.
    /// The clock is read after each frame: one may ask for a train of pages, which an RTL8139 sends in this processor.
    func poll() {
        keepReserve()
        world.card.acknowledgeInterrupt()
        var now = Machine.nanoseconds()
        let end = now + Self.longestPoll
        repeat {
            isBehind = receiveOne()
            now = Machine.nanoseconds()
            if now >= core.deadline { core.tick(now: now, &world) }
        } while isBehind && now < end
    }

    /// A program was interrupted. Of a flood it suffers no more than leaves it half of the processor: it goes on for as
    /// long as what was handled took.
    ///
    /// A step that is over ends here, at whatever instruction it is: it may never touch the memory again. What it has
    /// changed until then lies in the window, on its stack and in its arena, and all of that goes. The state and the
    /// heap of the nucleus change with interrupts off only, so it is never in the middle of that. What a benchmark
    /// measures writes to the heap of the nucleus, and so it ends at a page fault or at its commit.
    func interrupt() {
        let begin = Machine.nanoseconds()
        if isBehind && begin < programUntil {
            world.card.acknowledgeInterrupt()
        } else {
            poll()
            let end = Machine.nanoseconds()
            if isBehind { programUntil = end + min(max(end - begin, Self.leastShare), Self.mostShare) }
        }
        armTimer()
        if body == .step { abortIfOver() }
    }

    private static let longestPoll: UInt64 = 200_000
    private static let leastShare: UInt64 = 100_000
    /// The host may take the processor away while frames are handled: that is nobody's due.
    private static let mostShare: UInt64 = 400_000

    /// Handles one frame. It is copied out of the ring first: answering it needs the card.
    func receiveOne() -> Bool {
        var count = 0
        let isReceived = world.card.receive { bytes in
            guard bytes.byteCount <= Limits.maximumFrameBytes else { return }
            count = bytes.byteCount
            frame.withBytes { $0.copy(bytes, from: 0, count: count, to: 0) }
        }
        if count > 0, !takesRawFrame(count) {
            frame.withFirst(count) { core.receive($0, now: Machine.nanoseconds(), &world) }
        }
        return isReceived
    }

    /// Sleeps until something has happened, and handles it.
    func waitForEvent() {
        guard !isBehind else { return poll() }
        armTimer()
        let asleep = Machine.timestamp()
        Machine.waitForInterrupt()
        idleTicks &+= Machine.timestamp() &- asleep
        poll()
    }

    /// Handles events until a condition holds.
    func wait(until condition: () -> Bool) {
        while !condition() { waitForEvent() }
    }

    /// Makes the timer interrupt when the core next wants it, but not in a storm.
    func armTimer() {
        let now = Machine.nanoseconds()
        let deadline = max(isBehind ? programUntil : core.deadline, now + Self.shortestSleep)
        guard timerAt <= now || deadline < timerAt else { return }
        let next = min(deadline, now + Self.longestSleep)
        timerAt = next
        Machine.armTimer(after: next - now)
    }

    static let shortestSleep: UInt64 = 100_000
    static let longestSleep: UInt64 = 1_000_000_000

    /// Frames that must be free for arriving pages: one for each request that may be under way, and some for tables.
    static let frameReserve = 48

    func keepReserve() {
        if world.memory.frames.count < Self.frameReserve { _ = freeFrames(Self.frameReserve) }
    }

    /// Makes that many frames free, by dropping copies that others can produce; false when it cannot.
    func freeFrames(_ wanted: Int) -> Bool {
        while world.memory.frames.count < wanted {
            guard let page = world.memory.nextVictim({ core.canEvict(PageNumber(UInt32($0))) }) else { return false }
            core.evicted(PageNumber(UInt32(page)))
            world.memory.discard(world.memory.remove(page))
        }
        return true
    }
}
