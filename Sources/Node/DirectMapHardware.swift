import Machine
import Paging

/// Physical memory through the direct map: what Paging needs of the machine.
struct DirectMapHardware: PagingHardware {
    @inline(__always)
    func load(_ physical: UInt64) -> UInt64 {
        // Unsafe: page tables are frames of RAM, which is all in the direct map.
        Machine.directMap(physical).load(as: UInt64.self)
    }

    @inline(__always)
    func store(_ physical: UInt64, _ value: UInt64) {
        // Unsafe: as above.
        Machine.directMap(physical).storeBytes(of: value, as: UInt64.self)
    }

    func clear(_ frame: UInt64) {
        // Unsafe: a whole frame of RAM.
        Machine.directMap(frame).initializeMemory(as: UInt8.self, repeating: 0, count: Int(FramePool.frameBytes))
    }

    func copy(_ source: UInt64, to target: UInt64) {
        // Unsafe: two different frames of RAM.
        Machine.directMap(target).copyMemory(from: Machine.directMap(source), byteCount: Int(FramePool.frameBytes))
    }

    func write(_ physical: UInt64, _ bytes: RawSpan, from start: Int, count: Int) {
        precondition(Self.isInOneFrame(physical, count), "a write stays in its frame")
        guard count > 0 else { return }
        let source = bytes.extracting(start..<start + count)
        // Unsafe: inside one frame of RAM, by the check above.
        source.withUnsafeBytes {
            unsafe Machine.directMap(physical).copyMemory(from: $0.baseAddress!, byteCount: count)
        }
    }

    func read(_ physical: UInt64, count: Int, into bytes: inout MutableRawSpan, at target: Int) {
        precondition(Self.isInOneFrame(physical, count), "a read stays in its frame")
        precondition(target >= 0 && target + count <= bytes.byteCount, "a read stays in its target")
        guard count > 0 else { return }
        bytes.withUnsafeMutableBytes {
            // Unsafe: inside one frame and inside the target, by the checks above.
            unsafe $0.baseAddress!.advanced(by: target).copyMemory(from: Machine.directMap(physical), byteCount: count)
        }
    }

    /// Lends the bytes of a whole frame.
    func withFrame(_ physical: UInt64, _ body: (RawSpan) -> Void) {
        precondition(physical % FramePool.frameBytes == 0, "a frame begins at a multiple of its size")
        let bytes = UnsafeRawBufferPointer(start: Machine.directMap(physical), count: Int(FramePool.frameBytes))
        // Unsafe: the direct map has every frame of the pool, and the span ends with this call.
        body(bytes.bytes)
    }

    private static func isInOneFrame(_ physical: UInt64, _ count: Int) -> Bool {
        count >= 0 && physical % FramePool.frameBytes + UInt64(count) <= FramePool.frameBytes
    }

    func invalidate(_ address: UInt64) { Machine.invalidate(page: address) }
    func reload() { Machine.reloadAddressSpace() }
}
