import Devices
import Machine
import Paging
import Protocol
import Wire

/// The world of the protocol core in the image: the network card, the page tables, the commands of the host.
struct NucleusWorld: NodeWorld, ~Copyable {
    var card: NetworkCard<MachinePlatform>
    var memory: TransactionalMemory<DirectMapHardware>
    var commands = CommandQueue()
    var recorder = FlightRecorder()
    /// Records transactions for a checker, when the host has asked for it.
    var history: HistoryRecorder? = nil
    /// The largest frame on this segment, bytes.
    let maximumFrameBytes: Int
    /// A segment of jumbo frames takes long ones too, if they are for the host.
    let trainPages: Int

    init(card: consuming NetworkCard<MachinePlatform>, memory: consuming TransactionalMemory<DirectMapHardware>,
         maximumFrameBytes: Int) {
        let frameBytes = min(maximumFrameBytes, card.maximumFrameBytes)
        self.maximumFrameBytes = frameBytes
        let isJumbo = frameBytes == Limits.maximumFrameBytes && card.maximumTransmitBytes >= Limits.trainFrameBytes
        trainPages = isJumbo ? Limits.trainPages : 0
        self.card = card
        self.memory = memory
    }

    mutating func transmit(_ byteCount: Int, _ fill: (inout MutableRawSpan) -> Void) -> Bool {
        card.transmit(byteCount, fill)
    }

    mutating func transmit(_ byteCount: Int, _ content: PageContent, at target: Int,
                           _ fill: (inout MutableRawSpan) -> Void) -> Bool {
        let frame = content.handle.map(Self.frame) ?? memory.committedFrame(Int(content.page.index))
        let hardware = DirectMapHardware()
        return card.transmit(byteCount) { bytes in
            hardware.read(frame + UInt64(content.offset), count: content.count, into: &bytes, at: target)
            fill(&bytes)
        }
    }

    mutating func transmit(_ run: PageRun, _ writer: inout TrainWriter) -> Bool {
        // Once: else it is copied for each page.
        let memory = memory
        let frames = Limits.PerTrainPage<UInt64> { place in
            guard place < run.count else { return 0 }
            let page = run[place]
            return page.handle.map(Self.frame) ?? memory.committedFrame(Int(page.page.index))
        }
        let hardware = DirectMapHardware()
        return card.transmit(writer.byteCount) { bytes in
            writer.begin(&bytes)
            for place in 0..<run.count {
                hardware.withFrame(frames.span[place]) { writer.append(run[place].page, $0, to: &bytes) }
            }
            writer.finish(&bytes)
        }
    }

    // Frames are named by their numbers.
    private static func frame(_ handle: FrameHandle) -> UInt64 { UInt64(handle.number) * FramePool.frameBytes }
    private static func handle(_ frame: UInt64) -> FrameHandle {
        FrameHandle(UInt32(truncatingIfNeeded: frame / FramePool.frameBytes))
    }

    func isAccessed(_ page: PageNumber) -> Bool { memory.isAccessed(Int(page.index)) }
    mutating func doom() {
        history?.collect(memory)
        memory.doom()
    }

    mutating func stage(for page: PageNumber) -> FrameHandle? { memory.stage(for: Int(page.index)).map(Self.handle) }

    mutating func fill(_ handle: FrameHandle, at offset: Int, with bytes: RawSpan, from start: Int, count: Int) {
        memory.fill(Self.frame(handle), at: offset, bytes, from: start, count: count)
    }

    mutating func clear(_ handle: FrameHandle, at offset: Int, count: Int) {
        precondition(offset == 0 && count == Limits.pageBytes, "whole frames are cleared")
        memory.clear(Self.frame(handle))
    }

    mutating func install(_ handle: FrameHandle, as page: PageNumber) {
        memory.install(Self.frame(handle), as: Int(page.index))
    }

    mutating func discard(_ handle: FrameHandle) { memory.discard(Self.frame(handle)) }
    mutating func drop(_ page: PageNumber) { memory.discard(memory.remove(Int(page.index))) }
    mutating func retain(_ page: PageNumber) -> FrameHandle { Self.handle(memory.remove(Int(page.index))) }
    mutating func publish(_ page: PageNumber) -> FrameHandle { Self.handle(memory.publish(Int(page.index))) }

    /// Nothing here is ahead of what is saved: what programs say waits in the shared memory for the host to collect,
    /// and the card has no state that a transaction made.
    mutating func rollback(to time: GlobalTime) {}

    mutating func accept(_ command: Wire.Command, from frame: RawSpan) { commands.append(command, from: frame) }

    mutating func record(_ event: ProtocolEvent) {
        recorder.record(event, at: Machine.nanoseconds())
        if case .installed(let page, let version) = event { history?.note(page, version) }
        Console.announce(event)
    }
}
