import Store
import Wire

/// A disk in memory whose power can be cut: what was not flushed is then there wholly, in parts or not at all, each
/// write and each name by itself.
///
/// It remembers what it was like after each operation, so one run gives all places where power may fail.
struct SimulatedDisk: Disk {
    /// What happened to a file or a name since that was last flushed.
    enum Change {
        case write(file: Int, offset: Int, bytes: [UInt8])
        case named(DiskFile, file: Int)
        case removed(DiskFile)
    }

    /// What a power cut does to a change.
    enum Fate {
        case lost
        case whole
        /// Of a write, only these pieces of `unit` bytes, one bit each from the lowest; the last bit goes for the rest.
        case pieces(UInt64, unit: Int)
    }

    /// The disk at one moment.
    struct Moment {
        /// Of each file: what a reader sees, and what a power cut leaves for certain.
        var cached: [[UInt8]] = []
        var durable: [[UInt8]] = []
        var names: [(name: DiskFile, file: Int)] = []
        var durableNames: [(name: DiskFile, file: Int)] = []
        var pending: [Change] = []
    }

    private(set) var now = Moment()
    /// The moments after each operation, the first one before any; empty unless `isRemembering`.
    private(set) var moments: [Moment] = []
    var isRemembering = false
    /// A write is done in parts of this size.
    var longestWrite = Int.max
    /// Of all files together, bytes.
    var capacity = Int.max

    init() {}

    /// A disk as a power cut left it. `order` says in which order the changes reached it.
    init(after moment: Moment, order: [Int], _ fate: (Int) -> Fate) {
        var cut = moment
        for place in order { Self.apply(moment.pending[place], fate(place), &cut) }
        cut.cached = cut.durable
        cut.names = cut.durableNames
        cut.pending = []
        now = cut
    }

    private static func apply(_ change: Change, _ fate: Fate, _ moment: inout Moment) {
        if case .lost = fate { return }
        switch change {
        case .named(let name, let file):
            moment.durableNames.removeAll { $0.name == name }
            moment.durableNames.append((name, file))
        case .removed(let name): moment.durableNames.removeAll { $0.name == name }
        case .write(let file, let offset, let bytes):
            guard case .pieces(let pieces, let unit) = fate else {
                return write(bytes[...], at: offset, to: &moment.durable[file])
            }
            for (index, start) in stride(from: 0, to: bytes.count, by: unit).enumerated()
            where pieces & 1 << UInt64(min(index, 63)) != 0 {
                write(bytes[start..<min(start + unit, bytes.count)], at: offset + start, to: &moment.durable[file])
            }
        }
    }

    private static func write(_ bytes: ArraySlice<UInt8>, at offset: Int, to file: inout [UInt8]) {
        let end = offset + bytes.count
        if file.count < end { file.append(contentsOf: repeatElement(0, count: end - file.count)) }
        file.replaceSubrange(offset..<end, with: bytes)
    }

    // MARK: The disk

    private func place(_ file: DiskFile) throws(DiskError) -> Int {
        guard let found = now.names.first(where: { $0.name == file }) else { throw .missing }
        return found.file
    }

    /// Bytes of all files together.
    var used: Int { now.names.reduce(0) { $0 + now.cached[$1.file].count } }

    private mutating func remember() {
        if isRemembering { moments.append(now) }
    }

    func files() -> [DiskFile] { now.names.map(\.name) }

    func byteCount(of file: DiskFile) throws(DiskError) -> Int { now.cached[try place(file)].count }

    mutating func create(_ file: DiskFile) throws(DiskError) {
        guard !now.names.contains(where: { $0.name == file }) else { throw .exists }
        now.names.append((file, now.cached.count))
        now.pending.append(.named(file, file: now.cached.count))
        now.cached.append([])
        now.durable.append([])
        remember()
    }

    func read(
        _ file: DiskFile, at offset: Int, into bytes: inout MutableRawSpan, from start: Int
    ) throws(DiskError) -> Int {
        let content = now.cached[try place(file)]
        let count = max(0, min(content.count - offset, bytes.byteCount - start))
        bytes.copy(content.span.bytes, from: min(offset, content.count), count: count, to: start)
        return count
    }

    mutating func write(
        _ file: DiskFile, at offset: Int, _ bytes: RawSpan, from start: Int
    ) throws(DiskError) -> Int {
        let target = try place(file)
        let count = min(bytes.byteCount - start, longestWrite)
        let fitting = capacity == .max ? count : min(count, capacity - used + max(0, now.cached[target].count - offset))
        guard fitting > 0 else { throw .full }
        var part = [UInt8](repeating: 0, count: fitting)
        var span = part.mutableSpan
        var raw = span.mutableBytes
        raw.copy(bytes, from: start, count: fitting, to: 0)
        Self.write(part[...], at: offset, to: &now.cached[target])
        now.pending.append(.write(file: target, offset: offset, bytes: part))
        remember()
        return fitting
    }

    mutating func flush(_ file: DiskFile) throws(DiskError) {
        let target = try place(file)
        for change in now.pending {
            guard case .write(target, let offset, let bytes) = change else { continue }
            Self.write(bytes[...], at: offset, to: &now.durable[target])
        }
        now.pending.removeAll { if case .write(target, _, _) = $0 { true } else { false } }
        remember()
    }

    mutating func flushNames() {
        now.durableNames = now.names
        now.pending.removeAll { if case .write = $0 { false } else { true } }
        remember()
    }

    mutating func delete(_ file: DiskFile) throws(DiskError) {
        _ = try place(file)
        now.names.removeAll { $0.name == file }
        now.pending.append(.removed(file))
        remember()
    }

    /// Contents are copied, which nobody can tell: neither side writes to them again.
    mutating func share(_ file: DiskFile, with other: inout SimulatedDisk) throws(DiskError) {
        let content = now.cached[try place(file)]
        try other.create(file)
        other.now.cached[other.now.cached.count - 1] = content
        other.now.durable[other.now.durable.count - 1] = content
        other.remember()
    }

    /// As it is now.
    func reader() -> SimulatedDisk { self }

    // MARK: What a test does to it

    /// The bytes of a file, to be looked at or damaged.
    subscript(file: DiskFile) -> [UInt8] {
        get { (now.names.first { $0.name == file }).map { now.cached[$0.file] } ?? [] }
        set {
            guard let found = now.names.first(where: { $0.name == file }) else { return }
            now.cached[found.file] = newValue
            now.durable[found.file] = newValue
        }
    }

    /// A file vanishes, as if it had never been.
    mutating func lose(_ file: DiskFile) {
        now.names.removeAll { $0.name == file }
        now.durableNames.removeAll { $0.name == file }
    }
}
