import Devices
import Heap
import Kernel
import Machine
import Paging
import Protocol
import Wire

/// Everything that can change in the nucleus, in one place. There is one nucleus.
///
/// Its methods run with interrupts off: in the main loop, in the page-fault hook (a program waits for a page) or in the
/// interrupt hook (a program computes). They never touch the shared memory's window; only programs do.
final class Nucleus {
    let station: Station
    let sharedPages: Int
    var core: NodeCore
    var world: NucleusWorld
    var frame = [UInt8](repeating: 0, count: Limits.maximumFrameBytes)
    /// What the running program does, and what came of it.
    var body = ProgramBody.step
    var outcome = StepOutcome.wait
    /// The next step reads strictly.
    var isStrict = false
    var commandError: CommandError? = nil
    var failure = JobFailure("no failure")
    /// What the running program is told of its node.
    var readings = NodeReadings(commits: 0, aborts: 0, pagesFetched: 0, nanoseconds: 0)
    /// How often the current step has abandoned itself.
    var attempt: UInt64 = 0
    /// Steps of programs that were committed: what programs are told as their node's commits.
    var stepCommits: UInt64 = 0
    /// For read-ahead: the page behind those that were asked for last, and how many were asked for beyond the first.
    var nextInOrder = -1
    var ahead = 0
    /// Frames wait in the ring: the last poll came to its end before theirs.
    var isBehind = false
    /// While frames wait, the program computes undisturbed until then.
    var programUntil: UInt64 = 0
    /// When the timer will interrupt.
    var timerAt: UInt64 = 0
    /// Ticks of the time stamp counter that were slept away.
    var idleTicks: UInt64 = 0
    let benchmark = Benchmark(commandLine: Machine.bootInformation.commandLine)
    var registeredIncarnation: UInt32 = 0
    var registeredEpoch: UInt32 = 0

    /// Takes the core over: a second copy of its tables would be copied at the first change.
    init(module: BootModule, core: consuming NodeCore, world: consuming NucleusWorld) {
        station = module.node
        sharedPages = Int(module.sharedPages)
        self.core = core
        self.world = world
    }

    /// The shared memory as programs see it.
    var shared: SharedMemory {
        SharedMemory(base: UInt(MemoryMap.dataWindow.lowerBound), pageCount: UInt32(sharedPages))
    }

    /// Takes the readings that a program is told, before it is entered: the clock belongs to the nucleus.
    func takeReadings(now: UInt64) {
        readings = NodeReadings(commits: stepCommits, aborts: core.counters.aborts,
                                pagesFetched: core.counters.pagesFetched, nanoseconds: now, isStrict: isStrict)
    }
}

/// The nucleus; nil until `Node.start` has made it.
// Unsafe for the compiler only: there is one processor, it is set once before anything else runs, and the nucleus is
// entered with interrupts off.
nonisolated(unsafe) var nucleus: Nucleus? = nil
