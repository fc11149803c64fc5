import Devices
import Machine
import Paging
import Protocol
import Wire

/// The node: composes the rooms. Machine has set up stacks, traps, clock and heaps and calls `nucleusMain`.
///
/// Boot order: who am I (boot module) → network card → the protocol's tables → all remaining memory as page
/// frames → the window of the shared memory → join → live.
enum Node {
    static func start() -> Never {
        let module = readModule()
        let card = findCard(module)
        let limits = MemoryPlan(memoryBytes: Machine.bootInformation.memoryBytes)
        let core = NodeCore(module: module, build: build(), writeLimit: limits.writeLimit,
                            preImageLimit: limits.preImageLimit)
        let memory = makeMemory(pageCount: Int(module.sharedPages), writeLimit: limits.writeLimit)
        let world = NucleusWorld(card: card, memory: consume memory, maximumFrameBytes: Int(module.maximumFrameBytes))
        let made = Nucleus(module: module, core: consume core, world: world)
        nucleus = made
        Machine.announceReady()
        made.live()
    }

    private static func readModule() -> BootModule {
        let information = Machine.bootInformation
        guard information.moduleBytes >= UInt64(BootModule.byteCount) else {
            Machine.fail("no boot module: start the node with the cluster's module (-initrd)")
        }
        // Unsafe: Machine has copied the module behind the image, and it stays there.
        let bytes = UnsafeRawBufferPointer(start: Machine.directMap(information.moduleAddress),
                                           count: Int(information.moduleBytes))
        guard let module = unsafe BootModule.parse(bytes.bytes) else {
            Machine.fail("the boot module is damaged, or of another version of plurix")
        }
        return module
    }

    private static func findCard(_ module: BootModule) -> NetworkCard<MachinePlatform> {
        let line: UInt8 = 5
        var plan = NetworkCardPlan(messageVector: UInt8(InterruptVector.message), interruptLine: line)
        plan.maximumFrameBytes = Limits.maximumFrameBytes
        do throws(DeviceError) {
            let card = try findNetworkCard(MachinePlatform(), plan)
            Machine.openInterruptLine(line)
            return card
        } catch {
            Machine.fail("no usable network card: give the machine an rtl8139 or a virtio-net-pci")
        }
    }

    private static func build() -> BuildIdentifier {
        let bytes = Machine.buildIdentifier
        return BuildIdentifier(low: bytes.load(UInt64.self, at: 0), high: bytes.load(UInt64.self, at: 8))
    }

    /// All memory that is left becomes frames; the window of the shared memory is hooked into the root table.
    private static func makeMemory(pageCount: Int, writeLimit: Int) -> TransactionalMemory<DirectMapHardware> {
        var frames = FramePool(capacityBytes: Machine.bootInformation.memoryBytes)
        let hardware = DirectMapHardware()
        let free = Machine.takeFreeMemory()
        frames.add(free)
        guard let window = PageWindow(hardware, base: MemoryMap.dataWindow.lowerBound, pageCount: pageCount,
                                      rootTable: Machine.rootTable, frames: &frames)
        else { Machine.fail("no memory for the shared memory's tables: use a larger --memory") }
        return TransactionalMemory(hardware, window: consume window, frames: consume frames, writeLimit: writeLimit)
    }
}

/// How a node divides its memory.
struct MemoryPlan {
    /// The most pages that one transaction writes: each needs two frames, and a quarter stays for what it reads.
    let writeLimit: Int
    /// The most unsaved old versions that are kept.
    let preImageLimit: Int

    init(memoryBytes: UInt64) {
        let frames = Int(memoryBytes / FramePool.frameBytes)
        writeLimit = min(frames * 3 / 8, RecordPiece.maximumPages * RecordPiece.maximumPieces)
        preImageLimit = max(64, min(frames / 4, 4096))
    }
}

@c func nucleusMain() { Node.start() }
