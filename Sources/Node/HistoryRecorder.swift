import Machine
import Paging
import Protocol
import Wire

/// Records what every transaction of this node has read and written, for a checker outside.
///
/// A page is a key, a digest of its content the value, the commit time that made it the version. What a transaction
/// touched is collected at the one moment at which it must be consistent: when it wants to commit, gives up, or is
/// doomed. Records go to the debug port, one a transaction, little-endian:
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 0 | 1 | 0x54 |
/// | 1 | 1 | 1 committed, 2 aborted |
/// | 2 | 2 | reads |
/// | 4 | 2 | writes |
/// | 6 | 1 | the node's number |
/// | 7 | 1 | 1 when more was touched than is listed |
/// | 8 | 8 | number of the transaction on this node, since recording began |
/// | 16 | 8 | applied time at its end, its own time when it committed |
/// | 24 | 8, 8 | begin and end, nanoseconds of the host's clock (late by the command's way to this node) |
/// | 40 | 20 each | reads: page 4, version 8, digest 8; pages that were only written are among them |
/// | | 12 each | writes: page 4, digest 8 |
struct HistoryRecorder {
    private struct Read { var page: UInt32, version: UInt64, digest: UInt64 }
    private struct Written { var page: UInt32, digest: UInt64 }

    /// Version of each page that is here.
    private var versions: [UInt64]
    private var reads: [Read]
    private var writes: [Written]
    private var readCount = 0
    private var writeCount = 0
    private var isCollected = false
    private var isCut = false
    private var number: UInt64 = 0
    private var begin: UInt64 = 0
    /// Host's clock minus this node's.
    private var offset: UInt64
    private let station: Station

    /// Entries of one transaction; what is beyond is cut, and said to be.
    private static let limit = 1024

    /// - Parameter hostClock: the host's clock, nanoseconds, when it sent the command to record.
    init(station: Station, pageCount: Int, hostClock: UInt64, now: UInt64) {
        self.station = station
        versions = [UInt64](repeating: 0, count: pageCount)
        reads = [Read](repeating: Read(page: 0, version: 0, digest: 0), count: Self.limit)
        writes = [Written](repeating: Written(page: 0, digest: 0), count: Self.limit)
        offset = hostClock &- now
    }

    /// The host has told its clock again. A command can only come late, so the larger difference is the better one; a
    /// machine that was paused is late too.
    mutating func adjust(hostClock: UInt64, now: UInt64) { offset = max(offset, hostClock &- now) }

    /// The copy of a page that is here was made by the commit at `version`.
    mutating func note(_ page: PageNumber, _ version: GlobalTime) { versions[Int(page.index)] = version.raw }

    mutating func beginTransaction(now: UInt64) {
        begin = now
        readCount = 0
        writeCount = 0
        isCollected = false
        isCut = false
    }

    /// Collects what the transaction has touched, once.
    mutating func collect(_ memory: borrowing TransactionalMemory<DirectMapHardware>) {
        guard !isCollected else { return }
        isCollected = true
        memory.forEachAccessed { page, committed, written in
            guard readCount < Self.limit, writeCount < Self.limit else {
                isCut = true
                return
            }
            reads[readCount] = Read(page: UInt32(page), version: versions[page], digest: Self.digest(committed))
            readCount += 1
            guard let written else { return }
            writes[writeCount] = Written(page: UInt32(page), digest: Self.digest(written))
            writeCount += 1
        }
    }

    /// The transaction committed: the pages it wrote have a new version.
    mutating func committed(_ time: GlobalTime, now: UInt64) {
        for place in 0..<writeCount { versions[Int(writes[place].page)] = time.raw }
        emit(1, time, now)
    }

    mutating func aborted(applied: GlobalTime, now: UInt64) { emit(2, applied, now) }

    private mutating func emit(_ kind: UInt64, _ time: GlobalTime, _ now: UInt64) {
        number += 1
        Machine.write(debug: 0x54 | kind << 8 | UInt64(readCount) << 16 | UInt64(writeCount) << 32
            | UInt64(station.number) << 48 | (isCut ? 1 : 0) << 56, count: 8)
        Machine.write(debug: number, count: 8)
        Machine.write(debug: time.raw, count: 8)
        Machine.write(debug: begin &+ offset, count: 8)
        Machine.write(debug: now &+ offset, count: 8)
        for place in 0..<readCount {
            Machine.write(debug: UInt64(reads[place].page), count: 4)
            Machine.write(debug: reads[place].version, count: 8)
            Machine.write(debug: reads[place].digest, count: 8)
        }
        for place in 0..<writeCount {
            Machine.write(debug: UInt64(writes[place].page), count: 4)
            Machine.write(debug: writes[place].digest, count: 8)
        }
    }

    /// A digest of a page's content: not secret, only unlikely to be equal for different contents.
    private static func digest(_ frame: UInt64) -> UInt64 {
        let hardware = DirectMapHardware()
        var digest: UInt64 = 0xCBF2_9CE4_8422_2325
        var offset: UInt64 = 0
        while offset < FramePool.frameBytes {
            digest = (digest ^ hardware.load(frame + offset)) &* 0x9E37_79B9_7F4A_7C15
            digest ^= digest >> 29
            offset += 8
        }
        return digest
    }
}
