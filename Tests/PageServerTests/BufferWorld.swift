import Foundation
import Heap
import Kernel
import Protocol
import Segment
import Wire

/// The link and memory of a `HostNode`.
final class BufferWorld: NodeWorld {
    let maximumFrameBytes: Int
    /// Commands of the host that wait, oldest first.
    var commands: [(head: Wire.Command, payload: [UInt8])] = []
    /// Counts what others have changed here.
    private(set) var changes = 0
    /// There is more to do without waiting for a frame.
    var isBusy = false
    var isRunning = false

    private let station: HostStation
    private let pages: Int
    private let committed: UnsafeMutableRawBufferPointer
    private let working: UnsafeMutableRawBufferPointer
    private let frame = UnsafeMutableRawBufferPointer.allocate(byteCount: Limits.maximumFrameBytes, alignment: 16)
    private var frames: [UInt32: [UInt8]] = [:]
    private var nextFrame: UInt32 = 0

    init(_ station: HostStation, pages: Int, maximumFrameBytes: Int) {
        self.station = station
        self.pages = pages
        self.maximumFrameBytes = maximumFrameBytes
        committed = .allocate(byteCount: pages * Limits.pageBytes, alignment: Limits.pageBytes)
        working = .allocate(byteCount: pages * Limits.pageBytes, alignment: Limits.pageBytes)
        committed.initializeMemory(as: UInt8.self, repeating: 0)
        working.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit {
        committed.deallocate()
        working.deallocate()
        frame.deallocate()
    }

    // MARK: Steps

    var memory: SharedMemory { SharedMemory(base: UInt(bitPattern: working.baseAddress), pageCount: UInt32(pages)) }

    func beginStep() {
        isRunning = true
        working.copyMemory(from: UnsafeRawBufferPointer(committed))
    }

    func writtenPages() -> [PageNumber] {
        (0..<pages).filter { page in
            memcmp(
                committed.baseAddress! + page * Limits.pageBytes, working.baseAddress! + page * Limits.pageBytes,
                Limits.pageBytes) != 0
        }.map { PageNumber(UInt32($0)) }
    }

    // MARK: The link

    func transmit(_ byteCount: Int, _ fill: (inout MutableRawSpan) -> Void) -> Bool {
        let part = UnsafeMutableRawBufferPointer(rebasing: frame[..<byteCount])
        var span = part.mutableBytes
        fill(&span)
        station.send(UnsafeRawBufferPointer(part).bytes)
        return true
    }

    func transmit(
        _ byteCount: Int, _ content: PageContent, at target: Int, _ fill: (inout MutableRawSpan) -> Void
    ) -> Bool {
        let bytes = content.handle.map { frames[$0.number]! } ?? bytes(of: content.page)
        return transmit(byteCount) { span in
            span.copy(bytes.span.bytes, from: content.offset, count: content.count, to: target)
            fill(&span)
        }
    }

    // MARK: Memory

    /// Nothing here is ahead of what is saved.
    func rollback(to time: GlobalTime) {}

    private func range(of page: PageNumber) -> Range<Int> {
        let start = Int(page.index) * Limits.pageBytes
        return start..<start + Limits.pageBytes
    }

    private func bytes(of page: PageNumber) -> [UInt8] { Array(committed[range(of: page)]) }

    private func keep(_ bytes: [UInt8]) -> FrameHandle {
        nextFrame += 1
        frames[nextFrame] = bytes
        return FrameHandle(nextFrame)
    }

    func isAccessed(_ page: PageNumber) -> Bool { isRunning }
    func doom() {}
    func stage(for page: PageNumber) -> FrameHandle? { keep([UInt8](repeating: 0, count: Limits.pageBytes)) }

    func fill(_ handle: FrameHandle, at offset: Int, with bytes: RawSpan, from start: Int, count: Int) {
        frames[handle.number]!.withUnsafeMutableBytes { frame in
            var target = frame.mutableBytes
            target.copy(bytes, from: start, count: count, to: offset)
        }
    }

    func clear(_ handle: FrameHandle, at offset: Int, count: Int) {
        for place in offset..<offset + count { frames[handle.number]![place] = 0 }
    }

    func install(_ handle: FrameHandle, as page: PageNumber) {
        UnsafeMutableRawBufferPointer(rebasing: committed[range(of: page)]).copyBytes(from: frames[handle.number]!)
        frames[handle.number] = nil
    }

    func discard(_ handle: FrameHandle) { frames[handle.number] = nil }
    func drop(_ page: PageNumber) { changes += 1 }

    func retain(_ page: PageNumber) -> FrameHandle {
        changes += 1
        return keep(bytes(of: page))
    }

    func publish(_ page: PageNumber) -> FrameHandle {
        let old = keep(bytes(of: page))
        UnsafeMutableRawBufferPointer(rebasing: committed[range(of: page)])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: working[range(of: page)]))
        return old
    }

    func accept(_ command: Wire.Command, from frame: RawSpan) {
        guard !commands.contains(where: { $0.head.identifier == command.identifier }) else { return }
        let payload = (0..<Int(command.length)).map { frame.load(UInt8.self, at: Wire.Command.dataOffset + $0) }
        commands.append((command, payload))
    }

    func record(_ event: ProtocolEvent) {}
}
