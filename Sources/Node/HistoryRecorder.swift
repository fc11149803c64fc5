import Machine
import Paging
import Protocol
import Wire

/// Records what every transaction of this node has read and written, for a checker outside.
///
/// What a transaction touched is collected at the one moment at which it must be consistent: when it wants to commit,
/// gives up, or is doomed. Records go to the debug port, one a transaction (``TransactionRecord`` has the format).
struct HistoryRecorder {
    /// Version of each page that is here.
    private var versions: [GlobalTime]
    private var reads: [TransactionRead]
    private var writes: [TransactionWrite]
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
        versions = [GlobalTime](repeating: .zero, count: pageCount)
        let nothing = TransactionRead(page: 0, version: .zero, digest: 0)
        reads = [TransactionRead](repeating: nothing, count: Self.limit)
        writes = [TransactionWrite](repeating: TransactionWrite(page: 0, digest: 0), count: Self.limit)
        offset = hostClock &- now
    }

    /// The host has told its clock again. A command can only come late, so the larger difference is the better one; a
    /// machine that was paused is late too.
    mutating func adjust(hostClock: UInt64, now: UInt64) { offset = max(offset, hostClock &- now) }

    /// The copy of a page that is here was made by the commit at `version`.
    mutating func note(_ page: PageNumber, _ version: GlobalTime) { versions[Int(page.index)] = version }

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
            reads[readCount] = TransactionRead(
                page: UInt32(page), version: versions[page], digest: Self.digest(committed))
            readCount += 1
            guard let written else { return }
            writes[writeCount] = TransactionWrite(page: UInt32(page), digest: Self.digest(written))
            writeCount += 1
        }
    }

    /// The transaction committed: the pages it wrote have a new version.
    mutating func committed(_ time: GlobalTime, now: UInt64) {
        for place in 0..<writeCount { versions[Int(writes[place].page)] = time }
        emit(TransactionRecord.committed, time, now)
    }

    mutating func aborted(applied: GlobalTime, now: UInt64) { emit(TransactionRecord.aborted, applied, now) }

    private mutating func emit(_ outcome: UInt8, _ time: GlobalTime, _ now: UInt64) {
        number += 1
        let head = TransactionRecord(
            outcome: outcome, reads: UInt16(readCount), writes: UInt16(writeCount), node: station.number,
            flags: isCut ? 1 : 0, number: number, time: time, begin: begin &+ offset, end: now &+ offset)
        head.emit { Machine.write(debug: $0, count: $1) }
        for place in 0..<readCount { reads[place].emit { Machine.write(debug: $0, count: $1) } }
        for place in 0..<writeCount { writes[place].emit { Machine.write(debug: $0, count: $1) } }
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
