import Control
import Glibc
import Protocol
import Wire

/// What a journal says, up to its last complete record.
struct JournalContents {
    var cluster: UInt64
    var state: ArbiterState
    var image: SharedImage
    /// When each node was seen joined, microseconds since 1970; 0 for those that were not.
    var joinedAt = [UInt64](repeating: 0, count: Limits.maximumNodes)
    /// Where the complete records end: the next one is written here.
    var validBytes: Int
    /// Bytes of an unfinished write behind that.
    var tornBytes: Int
    /// Records in the file.
    var sequence: UInt64
}

/// Reads a journal from its beginning.
struct JournalReader {
    private let descriptor: Int32
    private let path: String
    private let fileBytes: Int

    /// One record that was found sound.
    private struct Record {
        var kind: JournalFormat.Kind
        var sequence: UInt64
        /// Head and payload.
        var bytes: [UInt8]

        var payloadBytes: Int { bytes.count - JournalFormat.headBytes }
        func word(_ index: Int) -> UInt64 {
            bytes.span.bytes.load(UInt64.self, at: JournalFormat.headBytes + 8 * index)
        }
    }

    /// Pages that wait for the record that closes their state.
    private struct Unclosed {
        var pages: [(page: UInt32, version: GlobalTime, bytes: [UInt8])] = []
    }

    init(descriptor: Int32, path: String) throws(Failure) {
        self.descriptor = descriptor
        self.path = path
        var facts = stat()
        guard fstat(descriptor, &facts) == 0 else {
            throw Failure(.fault, "cannot look at \(path): \(String(cString: strerror(errno)))")
        }
        fileBytes = Int(facts.st_size)
    }

    /// Nil for a file that has not even its header: nothing was ever recorded.
    ///
    /// - Throws: `.fault` for a file that is damaged, or no journal at all.
    func read() throws(Failure) -> JournalContents? {
        guard fileBytes >= JournalFormat.headerBytes else { return nil }
        let header = try bytes(at: 0, count: JournalFormat.headerBytes)
        let words = (0..<4).map { header.span.bytes.load(UInt64.self, at: 8 * $0) }
        guard words[0] == JournalFormat.magic, words[2] >> 32 == UInt64(Limits.pageBytes),
            words[3] == JournalFormat.checksum(Array(words[..<3]), RawSpan(), from: 0)
        else { throw damaged(at: 0) }
        let sharedPages = Int(UInt32(truncatingIfNeeded: words[2]))
        var contents = JournalContents(
            cluster: words[1], state: ArbiterState(sharedPages: sharedPages),
            image: SharedImage(pageCount: sharedPages), validBytes: JournalFormat.headerBytes, tornBytes: 0,
            sequence: 0)
        try readRecords(&contents)
        return contents
    }

    private func readRecords(_ contents: inout JournalContents) throws(Failure) {
        var unclosed = Unclosed()
        var offset = contents.validBytes
        var sequence = contents.sequence
        while let record = try record(at: offset), record.sequence == sequence {
            guard apply(record, &unclosed, &contents) else { throw damaged(at: offset) }
            offset += record.bytes.count
            sequence += 1
            guard unclosed.pages.isEmpty else { continue }
            contents.validBytes = offset
            contents.sequence = sequence
        }
        if let good = try nextRecord(behind: offset), good > offset { throw damaged(at: offset) }
        contents.tornBytes = fileBytes - contents.validBytes
    }

    /// False for a record that cannot follow those before it.
    private func apply(_ record: Record, _ unclosed: inout Unclosed, _ contents: inout JournalContents) -> Bool {
        if record.kind == .page {
            let page = record.word(0)
            guard record.payloadBytes == JournalFormat.pagePayloadBytes, page < UInt64(contents.image.pageCount)
            else { return false }
            let content = Array(record.bytes[(JournalFormat.headBytes + 16)...])
            unclosed.pages.append((UInt32(page), GlobalTime(raw: record.word(1)), content))
            return true
        }
        if record.kind == .saved {
            let time = GlobalTime(raw: record.word(0))
            guard record.payloadBytes == 16, record.word(1) == UInt64(unclosed.pages.count),
                time >= contents.state.saved, time.epoch <= contents.state.chain[0].epoch,
                unclosed.pages.allSatisfy({ $0.version <= time })
            else { return false }
            for page in unclosed.pages {
                contents.image.set(page.page, to: page.bytes)
                contents.state.imageVersions[Int(page.page)] = page.version
            }
            contents.state.saved = time
            contents.image.close(at: contents.state.saved)
            unclosed.pages.removeAll()
            return true
        }
        guard unclosed.pages.isEmpty else { return false }
        if record.kind == .state { return apply(state: record, to: &contents.state) }
        if record.kind == .joined { return apply(joined: record, &contents) }
        guard let fact = fact(record) else { return false }
        if case .opened(let opening) = fact, !isChain([opening, contents.state.chain[0]]) { return false }
        if case .admitted(let node, _) = fact { contents.joinedAt[node.index] = 0 }
        contents.state.apply(fact)
        return true
    }

    private func apply(joined record: Record, _ contents: inout JournalContents) -> Bool {
        guard record.payloadBytes == 16, (1...UInt64(Limits.maximumNodes)).contains(record.word(0))
        else { return false }
        contents.joinedAt[Int(record.word(0)) - 1] = record.word(1)
        return true
    }

    private func fact(_ record: Record) -> ArbiterFact? {
        guard record.payloadBytes >= 8, let first = number(record.word(0)) else { return nil }
        let node = Station(UInt8(truncatingIfNeeded: first))
        switch (record.kind, record.payloadBytes) {
        case (.incarnation, 8): return .incarnation(first)
        case (.polled, 8): return first <= Limits.maximumEpoch ? .polled(epoch: first) : nil
        case (.opened, 16): return .opened(EpochRecord(epoch: first, opened: GlobalTime(raw: record.word(1))))
        case (.admitted, 16):
            guard node.isNode, let incarnation = number(record.word(1)) else { return nil }
            return .admitted(node, incarnation: incarnation)
        case (.died, 8): return node.isNode ? .died(node) : nil
        default: return nil
        }
    }

    private func apply(state record: Record, to state: inout ArbiterState) -> Bool {
        let words = record.payloadBytes / 8
        guard words >= 4, let chainCount = Int(exactly: record.word(3)), (1...JournalFormat.maximumChain) ~= chainCount,
            words == 4 + 2 * chainCount + Limits.maximumNodes, let incarnation = number(record.word(0)),
            let polled = number(record.word(1)), polled <= Limits.maximumEpoch, let last = number(record.word(2))
        else { return false }
        let chain = (0..<chainCount).map { place in
            EpochRecord(
                epoch: UInt32(truncatingIfNeeded: record.word(4 + 2 * place)),
                opened: GlobalTime(raw: record.word(5 + 2 * place)))
        }
        guard isChain(chain) else { return false }
        state.incarnation = incarnation
        state.polledEpoch = polled
        state.lastIncarnation = last
        state.chain = chain
        state.members = (0..<Limits.maximumNodes).map { place in
            UInt32(truncatingIfNeeded: record.word(4 + 2 * chainCount + place))
        }
        return true
    }

    /// A number that has a successor, as the next arbiter needs one.
    private func number(_ word: UInt64) -> UInt32? { word < UInt64(UInt32.max) ? UInt32(word) : nil }

    /// Whether these epochs, newest first, can have followed each other: each opened at a commit of an earlier one.
    private func isChain(_ records: [EpochRecord]) -> Bool {
        records[0].epoch <= Limits.maximumEpoch && records.allSatisfy { $0.opened.epoch < $0.epoch }
            && zip(records, records.dropFirst()).allSatisfy { $0.epoch > $1.epoch }
    }

    /// The record at an offset; nil when there is no sound one.
    private func record(at offset: Int) throws(Failure) -> Record? {
        guard offset <= fileBytes - JournalFormat.headBytes else { return nil }
        let head = try bytes(at: offset, count: JournalFormat.headBytes)
        let words = (0..<4).map { head.span.bytes.load(UInt64.self, at: 8 * $0) }
        guard words[0] & 0xFFFF_FFFF == UInt64(JournalFormat.mark), words[1] % 8 == 0,
            words[1] <= UInt64(JournalFormat.maximumPayloadBytes),
            offset + JournalFormat.headBytes + Int(words[1]) <= fileBytes,
            let kind = JournalFormat.Kind(rawValue: UInt32(words[0] >> 32))
        else { return nil }
        let all = try bytes(at: offset, count: JournalFormat.headBytes + Int(words[1]))
        let checksum = JournalFormat.checksum(Array(words[..<3]), all.span.bytes, from: JournalFormat.headBytes)
        guard checksum == words[3] else { return nil }
        return Record(kind: kind, sequence: words[2], bytes: all)
    }

    /// Where the first sound record at or behind `start` lies.
    private func nextRecord(behind start: Int) throws(Failure) -> Int? {
        var offset = start
        let step = 64 << 10
        while offset <= fileBytes - JournalFormat.headBytes {
            let chunk = try bytes(at: offset, count: min(step, fileBytes - offset))
            for place in stride(from: 0, through: chunk.count - 8, by: 8)
            where chunk.span.bytes.load(UInt32.self, at: place) == JournalFormat.mark {
                if try record(at: offset + place) != nil { return offset + place }
            }
            offset += step
        }
        return nil
    }

    private func bytes(at offset: Int, count: Int) throws(Failure) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            // Safe: the rest of the array bounds what the system may write.
            let more = result.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress! + done, count - done, off_t(offset + done))
            }
            if more < 0 && errno == EINTR { continue }
            guard more > 0 else {
                throw Failure(.fault, "cannot read \(path): \(String(cString: strerror(errno)))")
            }
            done += more
        }
        return result
    }

    private func damaged(at offset: Int) -> Failure {
        Failure(
            .fault,
            "\(path) is damaged at byte \(offset), and what the cluster saved behind that is not to be trusted",
            advice: "end the cluster with plurix down, and start it anew", at: path)
    }
}

extension SharedImage {
    /// What the arbiter of a cluster has saved so far, read from its journal while it goes on writing.
    ///
    /// - Throws: `.unavailable` when there is no journal yet; `.fault` for a damaged one.
    public static func read(from directory: RunDirectory) throws(Failure) -> SharedImage {
        let path = directory.arbiterJournal
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw Failure(.unavailable, "cannot open \(path): \(String(cString: strerror(errno)))")
        }
        defer { Glibc.close(descriptor) }
        guard let contents = try JournalReader(descriptor: descriptor, path: path).read() else {
            throw Failure(.unavailable, "\(path) is still empty")
        }
        return contents.image
    }
}

extension RunDirectory {
    /// What the arbiter finds again after a kill.
    public var arbiterJournal: String { path + "/arbiter.journal" }
    /// What a person should know of the arbiter's decisions, a line each.
    var noticesFile: String { path + "/arbiter.notices" }
}
