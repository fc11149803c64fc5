import Paging

/// Physical memory in an array, and a processor that walks page tables as the real one does: it sets accessed bits on
/// every level, keeps translations until they are forgotten, and faults.
final class FakeProcessor: PagingHardware, @unchecked Sendable {
    enum Fault: Error, Equatable { case absent, readOnly }

    private var memory: [UInt8]
    /// Cached translations: page address to frame and whether it may be written.
    private var translations: [UInt64: (frame: UInt64, isWritable: Bool)] = [:]
    let rootTable: UInt64 = 0

    init(frames: Int) { memory = [UInt8](repeating: 0, count: frames * 4096) }

    func load(_ physical: UInt64) -> UInt64 {
        (0..<8).reduce(0) { $0 | UInt64(memory[Int(physical) + $1]) << (8 * UInt64($1)) }
    }
    func store(_ physical: UInt64, _ value: UInt64) {
        for byte in 0..<8 { memory[Int(physical) + byte] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(byte))) }
    }
    func clear(_ frame: UInt64) { for byte in 0..<4096 { memory[Int(frame) + byte] = 0 } }
    func copy(_ source: UInt64, to target: UInt64) {
        for byte in 0..<4096 { memory[Int(target) + byte] = memory[Int(source) + byte] }
    }
    func write(_ physical: UInt64, _ bytes: RawSpan, from start: Int, count: Int) {
        for byte in 0..<count {
            memory[Int(physical) + byte] = bytes.unsafeLoad(fromByteOffset: start + byte, as: UInt8.self)
        }
    }
    func read(_ physical: UInt64, count: Int, into bytes: inout MutableRawSpan, at target: Int) {
        for byte in 0..<count {
            bytes.storeBytes(of: memory[Int(physical) + byte], toByteOffset: target + byte, as: UInt8.self)
        }
    }
    func invalidate(_ address: UInt64) { translations[address & ~4095] = nil }
    func reload() { translations.removeAll() }

    /// What a program's access does.
    func access(_ address: UInt64, isWrite: Bool) throws(Fault) -> UInt64 {
        let page = address & ~4095
        if let known = translations[page], known.isWritable || !isWrite { return known.frame + address % 4096 }
        translations[page] = nil
        var table = rootTable
        for shift in [39, 30, 21, 12] as [UInt64] {
            let slot = table + (address >> shift & 511) * 8
            let entry = PageTableEntry(bits: load(slot))
            guard entry.isPresent else { throw .absent }
            if shift == 12 {
                guard entry.isWritable || !isWrite else { throw .readOnly }
                store(slot, entry.bits | 1 << 5)
                translations[page] = (entry.frame, entry.isWritable)
                return entry.frame + address % 4096
            }
            store(slot, entry.bits | 1 << 5)
            table = entry.frame
        }
        throw .absent
    }
}
