import Wire

/// A whole store as one stream of bytes with one tag over all of it.
///
/// | offset | bytes | |
/// |---|---|---|
/// | 0 | 8 | magic "PLURIXAR" |
/// | 8 | 8 | format of the stream, 1 |
/// | 16 | 8 | n, segments in the stream |
/// | 24 | 128 | superblock, as number 0 |
/// | 152 | 16 × n | of each segment: number, bytes |
/// | | | the bytes of the segments, in this order |
/// | end | 16 | tag of all bytes before |
enum Archive {
    static let magic: UInt64 = 0x5241_5849_5255_4C50
    static let format: UInt64 = 1
    static let fixedBytes = 24 + Superblock.byteCount
    static let tagBytes = 16

    /// The running tag; it takes whole words only.
    static var hash: SipHash { SipHash(key: SipHash.Key(low: 0x504c_5552_4958, high: 0x4152_4348_4956)) }
}

/// An export under way; `Store.next` gives its bytes.
public struct Export {
    fileprivate var pending: [UInt8]
    fileprivate let segments: [(number: UInt64, length: Int)]
    fileprivate var segment = 0
    fileprivate var offset = 0
    fileprivate var hash = Archive.hash
    fileprivate var isDone = false
    /// Bytes that the whole stream has.
    public let byteCount: Int
}

extension Store where Medium: ~Copyable {
    /// Begins an export of everything that was appended so far. What is appended later is not part of it; nothing may
    /// be cleaned meanwhile.
    public mutating func beginExport() throws(StoreError) -> Export {
        // A store that was opened to be read has no head, and nothing to settle.
        if stopped == nil {
            try attempt { store throws(StoreError) in
                if store.state.head != 0 { try store.closeHead() }
                try store.settle()
            }
        }
        var block = superblock
        block.floor = log.position
        block.generation = 0
        // Those that hold nothing any more too, as long as the summary with which a reader begins names them.
        let named = leftovers.filter { $0.segment < log.position.segment && $0.namedUpTo >= log.position.segment }
        let segments = (state.segments.all.map { ($0.number, $0.length) }
            + named.map { ($0.segment, $0.byteCount) }.filter { $0.1 > 0 && $0.1 % 8 == 0 }).sorted { $0.0 < $1.0 }
        var head = WordWriter()
        for word in [Archive.magic, Archive.format, UInt64(segments.count)] { head.append(word) }
        var list = WordWriter()
        for (number, length) in segments {
            list.append(number)
            list.append(UInt64(length))
        }
        let bytes = head.bytes + block.bytes(slot: 0) + list.bytes
        let content = segments.reduce(0) { $0 + $1.1 }
        return Export(pending: bytes, segments: segments, byteCount: bytes.count + content + Archive.tagBytes)
    }

    /// The next bytes of an export, a mebibyte at most; nil behind the last.
    public mutating func next(of export: inout Export) throws(StoreError) -> [UInt8]? {
        if export.isDone { return nil }
        if export.pending.isEmpty && export.segment == export.segments.count {
            var tag = WordWriter()
            let value = export.hash.finish(RawSpan(), from: 0)
            tag.append(value.low)
            tag.append(value.high)
            export.isDone = true
            return tag.bytes
        }
        var bytes = export.pending
        export.pending = []
        if bytes.isEmpty {
            let (number, length) = export.segments[export.segment]
            let count = min(1 << 20, length - export.offset)
            bytes = try diskBytes(of: .segment(number), at: export.offset, count: count)
            guard bytes.count == count else { throw .damaged(.segment(number), offset: export.offset + bytes.count) }
            export.offset += count
            if export.offset == length {
                export.segment += 1
                export.offset = 0
            }
        }
        let span = bytes.span.bytes
        for offset in stride(from: 0, to: span.byteCount, by: 8) {
            export.hash.absorb(span.load(UInt64.self, at: offset))
        }
        return bytes
    }
}

/// Makes a store out of the bytes of an export. It becomes one only with its last step, when all of them were right.
public struct Import<Medium: Disk & ~Copyable>: ~Copyable {
    private var disk: Medium
    private var pending: [UInt8] = []
    private var superblock: Superblock?
    private var segmentCount: Int?
    private var segments: [(number: UInt64, length: Int)] = []
    private var segment = 0
    private var offset = 0
    private var hash = Archive.hash

    /// - Throws: `.exists` when anything of a store is there.
    public init(into disk: consuming Medium) throws(StoreError) {
        do throws(DiskError) {
            guard try disk.files().isEmpty else { throw DiskError.exists }
        } catch {
            throw error == .exists ? .exists : .disk(error, .superblock(0))
        }
        self.disk = disk
    }

    /// Takes the next bytes of the stream, however many.
    public mutating func append(_ bytes: [UInt8]) throws(StoreError) {
        pending += bytes
        if superblock == nil { try readHead() }
        if superblock != nil { try readList() }
        try readSegments()
    }

    /// Behind the last bytes: makes it a store, and opens that.
    public consuming func finish() throws(StoreError) -> Store<Medium> {
        guard isComplete(), var superblock else { throw .badArchive }
        superblock.generation = 0
        var store = Store(disk, superblock, LogState(pageCount: 0), LogWriter())
        for one in segments { try store.diskFlush(.segment(one.number)) }
        try store.writeBothSuperblocks()
        return try .open(store.disk)
    }

    private mutating func isComplete() -> Bool {
        guard segments.count == segmentCount, segment == segments.count, pending.count == Archive.tagBytes
        else { return false }
        let tag = hash.finish(RawSpan(), from: 0)
        let span = pending.span.bytes
        return span.load(UInt64.self, at: 0) == tag.low && span.load(UInt64.self, at: 8) == tag.high
    }

    private mutating func take(_ count: Int) -> [UInt8] {
        let bytes = Array(pending[..<count])
        pending.removeFirst(count)
        let span = bytes.span.bytes
        for offset in stride(from: 0, to: count, by: 8) { hash.absorb(span.load(UInt64.self, at: offset)) }
        return bytes
    }

    private mutating func readHead() throws(StoreError) {
        guard pending.count >= Archive.fixedBytes else { return }
        let bytes = take(Archive.fixedBytes)
        let span = bytes.span.bytes
        guard span.load(UInt64.self, at: 0) == Archive.magic else { throw .badArchive }
        let format = span.load(UInt64.self, at: 8)
        guard format == Archive.format else { throw .newerFormat(UInt32(clamping: format)) }
        guard let block = try Superblock.parse(Array(bytes[24...]), slot: 0) else { throw .badArchive }
        superblock = block
        segmentCount = Int(exactly: span.load(UInt64.self, at: 16)).map { min($0, 1 << 32) }
    }

    private mutating func readList() throws(StoreError) {
        while let count = segmentCount, segments.count < count, pending.count >= 16 {
            let bytes = take(16)
            let span = bytes.span.bytes
            let number = span.load(UInt64.self, at: 0)
            let length = span.load(UInt64.self, at: 8)
            guard number > segments.last?.number ?? 0, length > 0, length % 8 == 0, length < 1 << 31
            else { throw .badArchive }
            segments.append((number, Int(length)))
        }
    }

    private mutating func readSegments() throws(StoreError) {
        while segments.count == segmentCount, segment < segments.count {
            let (number, length) = segments[segment]
            let count = min(pending.count & ~7, length - offset)
            guard count > 0 else { return }
            let file = DiskFile.segment(number)
            let bytes = take(count)
            do throws(DiskError) {
                if offset == 0 { try disk.create(file) }
                try disk.writeAll(bytes, to: file, at: offset)
            } catch {
                throw .disk(error, file)
            }
            offset += count
            if offset == length {
                segment += 1
                offset = 0
            }
        }
    }
}
