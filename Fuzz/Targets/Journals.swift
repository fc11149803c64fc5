import Control
import Glibc
import Protocol
import Wire

@testable import PageServer

extension Target {
    /// The arbiter's journal: any bytes, and records with sound checksums in an order that nobody wrote.
    static let journal = Target("journal", longest: 4096) { bytes in
        check(bytes)
        var input = Input(bytes)
        check(file(&input))
    }

    private static let pages: UInt32 = 8

    private static func file(_ input: inout Input) -> [UInt8] {
        var file = JournalBuffer.header(cluster: 7, sharedPages: pages)
        var buffer = JournalBuffer(sequence: UInt64(input.byte() >= 0xF8 ? 1 : 0))
        var pending = 0
        while !input.isEmpty {
            let number = UInt32(input.byte())
            let time = GlobalTime(raw: input.byte() < 0xF0 ? UInt64(input.byte()) : input.number())
            switch input.below(10) {
            case 0: buffer.append(.incarnation(number))
            case 1: buffer.append(.polled(epoch: number))
            case 2: buffer.append(.opened(EpochRecord(epoch: number, opened: time)))
            case 3: buffer.append(.admitted(Station(UInt8(number)), incarnation: UInt32(input.byte())))
            case 4: buffer.append(.died(Station(UInt8(number))))
            case 5: buffer.append(joined: Station(UInt8(number)), at: time.raw)
            case 6: buffer.append(state(number, time))
            case 7:
                buffer.append(savedAt: time, pages: input.byte() < 0xE0 ? pending : Int(number))
                pending = 0
            default:
                buffer.append(page: number % (pages + 1), version: time, bytes: content(number))
                pending += 1
            }
        }
        file += buffer.bytes
        file.disturb(&input, most: 2)
        return file
    }

    private static func content(_ number: UInt32) -> [UInt8] {
        [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: Limits.pageBytes)
    }

    private static func state(_ number: UInt32, _ time: GlobalTime) -> ArbiterState {
        var state = ArbiterState(sharedPages: Int(pages))
        state.incarnation = number
        state.polledEpoch = number
        state.lastIncarnation = number
        state.chain = [EpochRecord(epoch: number, opened: time)]
        state.members[Int(number) % state.members.count] = number
        return state
    }

    /// A journal is refused or read; what was read is there again after the next arbiter has gone on with it.
    private static func check(_ bytes: [UInt8]) {
        let path = "/dev/shm/plurix-fuzz-\(getpid()).journal"
        defer { unlink(path) }
        write(bytes, path)
        guard case .some(.some(let contents)) = try? read(path) else { return }
        require(contents.validBytes + contents.tornBytes == bytes.count, "a journal is whole records and a torn end")
        let isOfOthers = contents.cluster != 7 || contents.image.pageCount != Int(pages)
        guard !isOfOthers else { return }
        start(contents)
        do throws(Failure) {
            var (journal, found) = try Journal.open(path, cluster: 7, sharedPages: pages)
            require(isSame(found, contents), "an opened journal says what was read")
            try journal.persist(.incarnation(99))
            try journal.compact(found.state, joinedAt: found.joinedAt, found.image)
            found.state.incarnation = contents.state.incarnation
            guard let compacted = try read(path) else { broken("a compacted journal is there") }
            require(isSame(compacted, found), "a compacted journal says the same")
        } catch {
            broken("a journal that was read can be gone on with: \(error)")
        }
    }

    /// An arbiter starts from it.
    private static func start(_ contents: JournalContents) {
        var arbiter = Arbiter(cluster: 7, key: Target.key, build: FrameForge.build, state: contents.state, nonce: 1,
                              logEntries: 128, logWords: 1024)
        var world = QuietWorld()
        arbiter.start(now: 0, &world)
        for time in 1...4 as ClosedRange<UInt64> { arbiter.tick(now: time * 1_000_000_000, &world) }
    }

    private static func isSame(_ one: JournalContents, _ other: JournalContents) -> Bool {
        one.state.chain == other.state.chain && one.state.members == other.state.members
            && one.state.saved == other.state.saved && one.state.polledEpoch == other.state.polledEpoch
            && one.state.lastIncarnation == other.state.lastIncarnation && one.joinedAt == other.joinedAt
            && one.image.time == other.image.time
            && (0..<pages).allSatisfy {
                one.image.bytes(of: $0) == other.image.bytes(of: $0)
                    && one.state.imageVersions[Int($0)] == other.state.imageVersions[Int($0)]
            }
    }

    private static func read(_ path: String) throws(Failure) -> JournalContents? {
        let descriptor = Glibc.open(path, O_RDONLY)
        defer { close(descriptor) }
        return try JournalReader(descriptor: descriptor, path: path).read()
    }

    private static func write(_ bytes: [UInt8], _ path: String) {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
        defer { close(descriptor) }
        let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        require(count == bytes.count, "the file system has room")
    }
}

/// A world in which nothing arrives.
private struct QuietWorld: ArbiterWorld {
    var maximumFrameBytes: Int { Limits.maximumFrameBytes }
    mutating func transmit(_ byteCount: Int, _ fill: (inout MutableRawSpan) -> Void) -> Bool {
        var frame = [UInt8](repeating: 0, count: byteCount)
        frame.write(fill)
        require(FrameForge.checkPayload(frame), "an arbiter that starts from its journal sends sound frames")
        return true
    }
    mutating func transmit(_ byteCount: Int, _ content: PageContent, at target: Int,
                           _ fill: (inout MutableRawSpan) -> Void) -> Bool { true }
    mutating func stage() -> FrameHandle { FrameHandle(0) }
    mutating func fill(_ handle: FrameHandle, at offset: Int, with bytes: RawSpan, from start: Int, count: Int) {}
    mutating func discard(_ handle: FrameHandle) {}
    mutating func save(_ time: GlobalTime, _ pages: [SavedPage]) {}
    mutating func persist(_ fact: ArbiterFact) {}
    mutating func randomNumber() -> UInt64 { 4 }
    mutating func accept(_ reply: CommandReply, from node: Station) {}
    mutating func accept(_ report: Report, from node: Station) {}
    mutating func notify(_ notice: ArbiterNotice) {}
}
