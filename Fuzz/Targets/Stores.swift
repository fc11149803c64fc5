import Wire

@testable import Store

extension Target {
    /// A store of which somebody has changed records, headers and superblocks, their tags made to fit, or just bytes.
    static let store = Target("store", longest: 512) { bytes in
        var input = Input(bytes)
        var forge = StoreForge(&input)
        for _ in 0...input.below(4) { forge.disturb(&input) }
        checkStore(forge.disk, isForged: forge.isForged, &input)
    }

    /// An exported store that somebody has changed, its tag made to fit or not, taken in pieces of any size.
    static let archive = Target("archive", longest: 512) { bytes in
        var input = Input(bytes)
        let forge = StoreForge(&input)
        guard var stream = export(forge.disk) else { broken("a sound store is exported") }
        for _ in 0..<input.below(4) { disturb(&stream, &input) }
        if input.flag() { retag(&stream) }
        take(stream, &input)
    }

    // MARK: Stores

    /// It is opened or refused. What is opened can be gone on with, and says the same when it is opened again, unless
    /// somebody has forged what it says.
    private static func checkStore(_ disk: SimulatedDisk, isForged: Bool, _ input: inout Input) {
        do throws(StoreError) {
            var examined = try Store.examine(disk, isLossAccepted: input.flag())
            _ = try examined.verify()
            _ = read(&examined)
        } catch { return }
        guard var store = try? Store.open(disk, isLossAccepted: true) else { return }
        let before = read(&store)
        let first = (try? use(&store, &input)) != nil
        guard first, (try? store.settle()) != nil else { return }
        let after = read(&store)
        require(before.count == after.count, "a store keeps its size")
        do throws(StoreError) {
            var again = try Store.open(store.disk)
            require(read(&again) == after || isForged, "a store that was opened again says the same")
        } catch {
            require(isForged, "a store that was settled can be opened: \(error)")
        }
    }

    /// What the newest checkpoint says of each page; nil where that cannot be read.
    private static func read(_ store: inout Store<SimulatedDisk>) -> [[UInt8]?] {
        let pageBytes = store.geometry.pageBytes
        let pages: [[UInt8]?] = (0..<UInt32(min(store.geometry.pageCount, 16))).map { page in
            var bytes = [UInt8](repeating: 0, count: pageBytes)
            var span = bytes.mutableSpan
            var raw = span.mutableBytes
            return (try? store.read(page, into: &raw)) == nil ? nil : bytes
        }
        checkReader(of: store, against: pages)
        return pages
    }

    /// Who reads beside the store finds the same, or misses it.
    private static func checkReader(of store: borrowing Store<SimulatedDisk>, against pages: [[UInt8]?]) {
        guard var reader = try? store.makeReader() else { return }
        var next = 0
        while next < min(reader.count, 64) {
            next = reader.readRun(from: next, most: 8) { page, bytes in
                require(bytes == nil || page >= pages.count || bytes == pages[Int(page)], "a page is what it was")
            }
        }
        for (page, bytes) in pages.enumerated() {
            let found = reader.read(UInt32(page))
            require(found == nil || found == bytes, "a page is what it was")
        }
    }

    private static func use(_ store: inout Store<SimulatedDisk>, _ input: inout Input) throws(StoreError) {
        let newest = store.checkpoints.last?.time ?? .zero
        guard newest.counter < 1 << 40, newest.epoch < 1000, store.geometry.pageCount > 0 else { throw .readOnly }
        for round in 1...3 as ClosedRange<UInt64> {
            let time = GlobalTime(epoch: newest.epoch, counter: newest.counter + round)
            let page = [UInt8](repeating: UInt8(round), count: store.geometry.pageBytes)
            try store.put(UInt32(input.below(256) % store.geometry.pageCount), version: time, page.span.bytes)
            try store.commitCheckpoint(Checkpoint(time: time, created: round, isKept: input.flag()))
            _ = try store.expire(now: .max)
            for _ in 0..<input.below(20) { _ = try store.clean(budget: 1 << 12) }
        }
    }

    // MARK: Archives

    private static func export(_ disk: SimulatedDisk) -> [UInt8]? {
        guard var store = try? Store.open(disk), var export = try? store.beginExport() else { return nil }
        var stream: [UInt8] = []
        do throws(StoreError) {
            while let bytes = try store.next(of: &export) { stream += bytes }
        } catch { return nil }
        return stream
    }

    private static func disturb(_ stream: inout [UInt8], _ input: inout Input) {
        guard !stream.isEmpty else { return }
        switch input.below(4) {
        case 0: stream.removeLast(min(stream.count, 1 + Int(input.number(UInt16.self))))
        case 1: stream += input.take(1 + input.below(16))
        case 2:
            // A word of the head or the list.
            let place = 8 * (Int(input.byte()) % max(1, min(stream.count / 8, 32)))
            guard place + 8 <= stream.count else { return }
            var word = WordWriter()
            word.append(input.flag() ? input.number() : UInt64(input.byte()))
            stream.replaceSubrange(place..<place + 8, with: word.bytes)
        default: stream.disturb(&input, most: 4)
        }
    }

    private static func retag(_ stream: inout [UInt8]) {
        guard stream.count >= Archive.tagBytes, stream.count % 8 == 0 else { return }
        stream.removeLast(Archive.tagBytes)
        var hash = Archive.hash
        for place in stride(from: 0, to: stream.count, by: 8) {
            hash.absorb(stream.span.bytes.load(UInt64.self, at: place))
        }
        var tag = WordWriter()
        let value = hash.finish(RawSpan(), from: 0)
        tag.append(value.low)
        tag.append(value.high)
        stream += tag.bytes
    }

    private static func take(_ stream: [UInt8], _ input: inout Input) {
        do throws(StoreError) {
            var copy = try Import(into: SimulatedDisk())
            let piece = 1 + Int(input.number(UInt16.self) % 4096)
            for start in stride(from: 0, to: stream.count, by: piece) {
                try copy.append(Array(stream[start..<min(start + piece, stream.count)]))
            }
            let store = try copy.finish()
            checkStore(store.disk, isForged: true, &input)
        } catch { return }
    }
}

/// Stores whose files are then changed, by somebody who knows how tags are made.
struct StoreForge {
    private(set) var disk = SimulatedDisk()
    /// Something was changed whose tag fits.
    private(set) var isForged = false
    private static let key = SipHash.Key(low: 1, high: 2)
    private static let identity: UInt64 = 3
    private static let geometry = Geometry(pageBytes: 64, pageCount: 8, segmentBytes: 4096, reserveBytes: 0)

    /// A sound store with a history that the input draws.
    init(_ input: inout Input) {
        do throws(StoreError) {
            var store = try Store.create(
                on: SimulatedDisk(), cluster: 7, identity: Self.identity, key: Self.key, Self.geometry)
            for counter in 1...UInt64(2 + input.below(40)) {
                do throws(StoreError) { try Self.step(&store, counter, &input) } catch {
                    guard error == .tooLarge else { throw error }
                }
            }
            try store.settle()
            disk = store.disk
        } catch {
            broken("a store on a sound disk works: \(error)")
        }
    }

    private static func step(
        _ store: inout Store<SimulatedDisk>, _ counter: UInt64, _ input: inout Input
    ) throws(StoreError) {
        let time = GlobalTime(epoch: 1, counter: counter)
        let draw = input.byte()
        switch draw % 8 {
        case 0: try store.set([(UInt64(draw / 8), [UInt8](repeating: draw, count: Int(draw)))])
        case 1: store.abandonCheckpoint()
        case 2: _ = try store.clean(budget: 4096)
        case 3 where store.checkpoints.count > 1: try store.forget([store.checkpoints[0].time])
        case 4: try store.settle()
        default:
            let page = [UInt8](repeating: draw, count: geometry.pageBytes)
            for number in 0...UInt32(draw / 64) { try store.put(number * 3 % 8, version: time, page.span.bytes) }
            if draw & 8 != 0 {
                let label = draw & 32 == 0 ? "" : "label"
                try store.endCheckpoint(Checkpoint(time: time, created: counter, label: label, isKept: draw & 16 != 0))
            }
        }
    }

    mutating func disturb(_ input: inout Input) {
        let files = disk.files()
        guard !files.isEmpty else { return }
        let file = files[input.below(files.count)]
        switch input.below(8) {
        case 0: disk.lose(file)
        case 1: disk[file].removeLast(min(disk[file].count, Int(input.number(UInt16.self))))
        case 2: disk[file] += input.take(input.below(64))
        case 3: disk[file].disturb(&input, most: 4)
        default:
            isForged = true
            switch file {
            case .superblock(let slot): changeSuperblock(slot, &input)
            case .segment(let number): changeSegment(number, &input)
            case .reserve: return
            }
        }
    }

    /// A word of it is another one.
    private mutating func changeSuperblock(_ slot: Int, _ input: inout Input) {
        guard disk[.superblock(slot)].count == Superblock.byteCount else { return }
        var words = (0..<15).map { disk[.superblock(slot)].span.bytes.load(UInt64.self, at: 8 * $0) }
        let place = input.below(15)
        words[place] = Self.other(words[place], &input)
        var writer = WordWriter()
        for word in words { writer.append(word) }
        writer.append(Superblock.tag(writer.bytes.span.bytes, slot: slot))
        disk[.superblock(slot)] = writer.bytes
    }

    private static func other(_ word: UInt64, _ input: inout Input) -> UInt64 {
        switch input.below(4) {
        case 0: word &+ UInt64(input.byte()) &- 128
        case 1: UInt64(input.byte())
        case 2: .max - UInt64(input.byte())
        default: input.number()
        }
    }

    /// A word of the header, or of a record's head or payload, is another one, and the tag fits.
    private mutating func changeSegment(_ number: UInt64, _ input: inout Input) {
        var bytes = disk[.segment(number)]
        guard bytes.count >= SegmentHeader.byteCount else { return }
        let key = LogKey(hash: Self.key, format: Superblock.format)
        let place = RecordPlace(key: key, identity: Self.identity, segment: number)
        var parts = [0..<SegmentHeader.byteCount]
        while let end = parts.last?.upperBound, let head = try? place.parse(bytes.span.bytes, from: end, at: end) {
            parts.append(end..<end + head.byteCount)
        }
        let chosen = input.below(parts.count)
        let part = parts[chosen]
        let word = part.lowerBound + 8 * (Int(input.byte()) % (part.count / 8))
        let value = Self.other(bytes.span.bytes.load(UInt64.self, at: word), &input)
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        raw.store(value, at: word)
        if chosen == 0 {
            var hash = SipHash(key: Self.key)
            let tag = hash.finish(raw.bytes.extracting(0..<56), from: 0).low
            raw.store(tag, at: 56)
        } else {
            let tag = place.tag(raw.bytes.extracting(part), at: part.lowerBound)
            raw.store(tag, at: part.lowerBound + 40)
        }
        disk[.segment(number)] = bytes
    }
}
