import Devices
import Machine
import Paging
import Protocol
import Wire

/// What the network alone costs: a frame and its echo, of the sizes of a page request and its answer, past the protocol
/// and without authentication. Only while benchmarks are on.
enum RawEcho {
    static let etherType: UInt16 = 0x88B6
    /// Where a frame says what is wanted.
    static let kindOffset = 14
    static let shortestFrameBytes = 60
    static let requestBytes = Limits.headerBytes + 40

    enum Kind: UInt8 {
        /// This is an answer.
        case answer = 0
        /// One frame of the shortest length is wanted.
        case shortest = 1
        /// As many bytes, in as many frames, as a page takes.
        case page = 2
        /// Like `page`, for as many pages as the byte behind says, one after the other.
        case pages = 3
    }
    static let countOffset = 15
    /// Pages of memory whose bytes travel in turn, from the second megabyte on.
    static let pageCount: UInt64 = 4096
}

extension Nucleus {
    /// Whether the frame that has just arrived is a raw one; it is then dealt with.
    func takesRawFrame(_ count: Int) -> Bool {
        guard let benchmark, count > RawEcho.kindOffset, frame[12] == UInt8(RawEcho.etherType >> 8),
            frame[13] == UInt8(RawEcho.etherType & 0xFF)
        else { return false }
        switch RawEcho.Kind(rawValue: frame[RawEcho.kindOffset]) {
        case .answer:
            benchmark.rawFrames += 1
            benchmark.rawBytes = count
        case .shortest: sendRaw(.answer, RawEcho.shortestFrameBytes, to: Station(frame[11]))
        case .page: answerLikePage(to: Station(frame[11]))
        case .pages:
            let target = Station(frame[11])
            for _ in 0..<frame[RawEcho.countOffset] { answerLikePage(to: target) }
        case nil: break
        }
        return true
    }

    private func answerLikePage(to target: Station) {
        let most = PageReply.pieceBytes(maximumFrame: world.maximumFrameBytes)
        benchmark?.rawPages &+= 1
        let page = 0x10_0000 + (benchmark?.rawPages ?? 0) % RawEcho.pageCount * UInt64(Limits.pageBytes)
        for offset in stride(from: 0, to: Limits.pageBytes, by: most) {
            let length = min(most, Limits.pageBytes - offset)
            sendRaw(.answer, PageReply.dataOffset + length, to: target, data: length, from: page + UInt64(offset))
        }
    }

    /// - Parameters:
    ///   - data: bytes at the end that are copied from memory, as those of a page are.
    ///   - source: the physical address that they come from.
    private func sendRaw(
        _ kind: RawEcho.Kind, _ byteCount: Int, to target: Station, data: Int = 0, from source: UInt64 = 0x10_0000
    ) {
        let from = station.address
        let hardware = DirectMapHardware()
        _ = world.card.transmit(byteCount) { frame in
            hardware.read(source, count: data, into: &frame, at: byteCount - data)
            frame.store(UInt16(truncatingIfNeeded: target.address >> 32).byteSwapped, at: 0)
            frame.store(UInt32(truncatingIfNeeded: target.address).byteSwapped, at: 2)
            frame.store(UInt16(truncatingIfNeeded: from >> 32).byteSwapped, at: 6)
            frame.store(UInt32(truncatingIfNeeded: from).byteSwapped, at: 8)
            frame.store(RawEcho.etherType.byteSwapped, at: 12)
            frame.store(kind.rawValue, at: RawEcho.kindOffset)
        }
    }

    /// Measures round trips to `target`: sleeps for each answer, and looks at nothing but the card.
    func measureRaw(_ benchmark: Benchmark, _ kind: RawEcho.Kind, to target: Station, rounds: Int, _ samples: Samples) {
        let expected = kind == .page ? PageReply.pieces(maximumFrame: world.maximumFrameBytes) : 1
        let byteCount = kind == .page ? RawEcho.requestBytes : RawEcho.shortestFrameBytes
        armTimer()
        for _ in 0..<rounds {
            benchmark.rawFrames = 0
            let start = Machine.timestamp()
            sendRaw(kind, byteCount, to: target)
            while benchmark.rawFrames < expected {
                Machine.waitForInterrupt()
                world.card.acknowledgeInterrupt()
                while receiveOne() {}
                if timerAt <= Machine.nanoseconds() { armTimer() }
            }
            samples.add(Machine.timestamp() &- start)
        }
        poll()
    }
}
