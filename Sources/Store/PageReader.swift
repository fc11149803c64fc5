import Wire

/// Reads the pages of a store's newest state, as it was when this was made, while the store's user writes on.
///
/// Nothing is written over in a segment, and what a record holds is checked: so a page is found as it was, or not at
/// all, as when it was moved since, and its segment deleted. Then the store has to be asked for it.
public struct PageReader<Medium: Disk & ~Copyable>: ~Copyable {
    private struct Place {
        var page: UInt32
        var version: PageIndex.Version
    }

    private var disk: Medium
    /// In the order in which they lie on the disk.
    private var places: [Place] = []
    /// Where a page is among them; -1 for one that was never written.
    private var indices: [Int32]
    private let superblock: Superblock
    private let segments: SegmentTable

    init(_ disk: consuming Medium, _ superblock: Superblock, _ state: LogState) {
        self.disk = disk
        self.superblock = superblock
        segments = state.segments
        indices = [Int32](repeating: -1, count: state.index.pageCount)
        let time = state.newest?.time ?? .zero
        for page in 0..<UInt32(state.index.pageCount) {
            if let version = state.index.find(page, at: time) { places.append(Place(page: page, version: version)) }
        }
        places.sort { ($0.version.segment, $0.version.offset) < ($1.version.segment, $1.version.offset) }
        for (index, place) in places.enumerated() { indices[Int(place.page)] = Int32(index) }
    }

    /// Pages that were ever written.
    public var count: Int { places.count }

    /// The version that a page had; zero when it was never written.
    public func version(of page: UInt32) -> GlobalTime {
        let index = indices[Int(page)]
        return index < 0 ? .zero : places[Int(index)].version.version
    }

    /// The bytes of a page that was written; nil when they are not where they were.
    public mutating func read(_ page: UInt32) -> [UInt8]? {
        let index = Int(indices[Int(page)])
        guard index >= 0 else { return nil }
        var found: [UInt8]?
        _ = readRun(from: index, most: 1) { _, bytes in found = bytes }
        return found
    }

    /// Reads pages that lie behind each other.
    ///
    /// - Parameters:
    ///   - first: Place of the first one, below `count`, in the order in which they lie on the disk.
    ///   - most: Pages.
    ///   - body: Gets each of them, and its bytes, or nil when they are not where they were.
    /// - Returns: The place behind the last one.
    public mutating func readRun(from first: Int, most: Int, _ body: (UInt32, [UInt8]?) -> Void) -> Int {
        let start = places[first].version
        var end = first + 1
        while end < places.count, end - first < most, places[end].version.segment == start.segment,
            Int(places[end].version.offset) == Int(places[end - 1].version.offset) + recordBytes { end += 1 }
        let bytes = try? disk.bytes(
            of: .segment(start.segment), at: Int(start.offset), count: (end - first) * recordBytes)
        for index in first..<end {
            body(places[index].page, bytes.flatMap { page(places[index], in: $0, from: (index - first) * recordBytes) })
        }
        return end
    }

    private var recordBytes: Int { RecordHead.byteCount + superblock.geometry.pageBytes }

    private func page(_ place: Place, in bytes: [UInt8], from start: Int) -> [UInt8]? {
        let version = place.version
        let home = superblock.place(in: version.segment, of: segments)
        guard (try? home.isPage(place.page, version, superblock.geometry, bytes.span.bytes, from: start)) == true
        else { return nil }
        let payload = start + RecordHead.byteCount
        return Array(bytes[payload..<payload + superblock.geometry.pageBytes])
    }
}

extension PageReader: Sendable where Medium: Sendable, Medium: ~Copyable {}

extension Store where Medium: ~Copyable {
    /// Reads what is the newest state now.
    ///
    /// - Throws: `.disk` when the disk has no room for another user.
    public func makeReader() throws(StoreError) -> PageReader<Medium> {
        do throws(DiskError) { return PageReader(try disk.reader(), superblock, state) } catch {
            throw .disk(error, .superblock(0))
        }
    }
}
