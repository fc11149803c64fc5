import Protocol
import Wire

/// The arbiter's journal: what a killed arbiter must find again (PROTOCOL 7, 8, 15), in the order in which it happened.
///
/// All numbers are little-endian. The file begins with a header:
///
/// | offset | bytes | header |
/// |---|---|---|
/// | 0 | 8 | magic "PLURIXJ1" |
/// | 8 | 8 | cluster |
/// | 16 | 4 | pages of the shared memory |
/// | 20 | 4 | bytes of a page |
/// | 24 | 8 | checksum over bytes 0…23 |
///
/// Behind it lie records without gaps, each a multiple of eight bytes:
///
/// | offset | bytes | record |
/// |---|---|---|
/// | 0 | 4 | mark "PJRC" |
/// | 4 | 4 | kind |
/// | 8 | 8 | bytes of the payload |
/// | 16 | 8 | number of the record in this file, from 0 |
/// | 24 | 8 | checksum over bytes 0…23 and the payload |
/// | 32 | | payload |
///
/// | kind | payload, in numbers of eight bytes unless said otherwise |
/// |---|---|
/// | 1 incarnation | incarnation |
/// | 2 polled | epoch |
/// | 3 opened | epoch, commit time |
/// | 4 admitted | node, incarnation |
/// | 5 died | node |
/// | 6 page | page (4 bytes), zero (4 bytes), version, the page's bytes |
/// | 7 saved | commit time, how many page records directly before this one belong to the state at that time |
/// | 8 state | incarnation, polled epoch, last incarnation issued, n, n × (epoch, commit time), 64 × incarnation |
/// | 9 joined | node, when it was seen joined: microseconds since 1970 |
///
/// Page records count only once their `saved` record is there, so a state is saved as a whole or not at all. A file
/// that was compacted begins with `state`, `joined`, the pages and their `saved`.
///
/// A killed writer leaves a prefix of what it was writing: an incomplete tail. That is cut off. A bad record with good
/// ones behind it is no tail but damage, and such a file is refused. (A flipped bit in the very last record looks like
/// a tail and is cut off too.) Nothing is flushed to the disk: a crash of the whole machine ends the nodes as well.
enum JournalFormat {
    static let magic: UInt64 = 0x314A_5849_5255_4C50
    static let headerBytes = 32
    static let mark: UInt32 = 0x4352_4A50
    /// Bytes in front of a record's payload.
    static let headBytes = 32
    /// The largest payload is a `state` with the longest chain: 32 + 16 × 256 + 8 × 64 bytes.
    static let maximumPayloadBytes = 32 + 16 * maximumChain + 8 * Limits.maximumNodes
    /// Openings that are kept, newest first; four times what an Open frame names.
    static let maximumChain = 4 * Limits.maximumChain
    static let pagePayloadBytes = 16 + Limits.pageBytes

    enum Kind: UInt32 {
        case incarnation = 1, polled, opened, admitted, died, page, saved, state, joined
    }

    /// Checksums need no secret: the half of a SipHash-2-4-128 with a fixed key.
    static func checksum(_ head: [UInt64], _ payload: RawSpan, from start: Int) -> UInt64 {
        var hash = SipHash(key: SipHash.Key(low: 0x506c_7572_6978, high: 0x6a6f_7572_6e61_6c))
        for word in head { hash.absorb(word) }
        return hash.finish(payload, from: start).low
    }
}

/// Puts records together, to be written with one call.
struct JournalBuffer {
    private(set) var bytes: [UInt8] = []
    /// The number of the next record.
    private(set) var sequence: UInt64

    init(sequence: UInt64) {
        self.sequence = sequence
    }

    static func header(cluster: UInt64, sharedPages: UInt32) -> [UInt8] {
        let words = [JournalFormat.magic, cluster, UInt64(sharedPages) | UInt64(Limits.pageBytes) << 32]
        var buffer = JournalBuffer(sequence: 0)
        for word in words { buffer.append(word) }
        buffer.append(JournalFormat.checksum(words, RawSpan(), from: 0))
        return buffer.bytes
    }

    mutating func append(_ fact: ArbiterFact) {
        switch fact {
        case .incarnation(let number): record(.incarnation, [UInt64(number)])
        case .polled(let epoch): record(.polled, [UInt64(epoch)])
        case .opened(let opening): record(.opened, [UInt64(opening.epoch), opening.opened.raw])
        case .admitted(let node, let incarnation): record(.admitted, [UInt64(node.number), UInt64(incarnation)])
        case .died(let node): record(.died, [UInt64(node.number)])
        }
    }

    mutating func append(joined node: Station, at microseconds: UInt64) {
        record(.joined, [UInt64(node.number), microseconds])
    }

    mutating func append(page: UInt32, version: GlobalTime, bytes content: [UInt8]) {
        record(.page, [UInt64(page), version.raw], content)
    }

    mutating func append(savedAt time: GlobalTime, pages: Int) {
        record(.saved, [time.raw, UInt64(pages)])
    }

    mutating func append(_ state: ArbiterState) {
        var words = [UInt64(state.incarnation), UInt64(state.polledEpoch), UInt64(state.lastIncarnation)]
        let chain = state.chain.prefix(JournalFormat.maximumChain)
        words.append(UInt64(chain.count))
        for opening in chain { words += [UInt64(opening.epoch), opening.opened.raw] }
        words += state.members.map { UInt64($0) }
        record(.state, words)
    }

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
    }

    private mutating func record(_ kind: JournalFormat.Kind, _ words: [UInt64], _ content: [UInt8] = []) {
        let length = 8 * words.count + content.count
        precondition(length % 8 == 0 && length <= JournalFormat.maximumPayloadBytes, "impossible length of a record")
        let head = [UInt64(JournalFormat.mark) | UInt64(kind.rawValue) << 32, UInt64(length), sequence]
        for word in head { append(word) }
        let checksumPlace = bytes.count
        append(UInt64(0))
        for word in words { append(word) }
        bytes.append(contentsOf: content)
        let checksum = JournalFormat.checksum(head, bytes.span.bytes, from: checksumPlace + 8)
        for index in 0..<8 { bytes[checksumPlace + index] = UInt8(truncatingIfNeeded: checksum >> UInt64(8 * index)) }
        sequence += 1
    }

    private mutating func append(_ word: UInt64) {
        for shift in stride(from: UInt64(0), to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
    }
}

extension ArbiterState {
    /// What a fact changes.
    mutating func apply(_ fact: ArbiterFact) {
        switch fact {
        case .incarnation(let number): incarnation = number
        case .polled(let epoch): polledEpoch = epoch
        case .opened(let opening):
            chain.insert(opening, at: 0)
            if chain.count > JournalFormat.maximumChain { chain.removeLast() }
        case .admitted(let node, let number):
            lastIncarnation = max(lastIncarnation, number)
            members[node.index] = number
        case .died(let node): members[node.index] = 0
        }
    }
}
