import Store
import Wire

/// The disk of the arbiter's host: it outlives the processes that use it, and the power that it is run with.
final class HostDisk {
    var contents: FaultyDisk<SimulatedDisk>
    /// So many more changes by the process that uses it, then that is killed, or the power fails, in the middle of one.
    var callsUntilDeath: Int?
    /// It is the power that fails then.
    var diesOfPower = false
    /// What is written at that moment may be there in part.
    let tearsLastWrite: Bool
    private(set) var isProcessDead = false
    private var random: Generator

    init(_ contents: SimulatedDisk = SimulatedDisk(), tearsLastWrite: Bool, random: Generator) {
        self.contents = FaultyDisk(contents)
        self.tearsLastWrite = tearsLastWrite
        self.random = random
    }

    /// The same disk, whose fate is another from now on.
    func copy(_ random: Generator) -> HostDisk {
        HostDisk(contents.base, tearsLastWrite: tearsLastWrite, random: random)
    }

    /// Another process uses it from now on.
    func beginProcess() {
        isProcessDead = false
        callsUntilDeath = nil
        diesOfPower = false
        contents.fault = nil
    }

    /// Of what was not flushed, anything may be there: each change wholly, in parts or not at all, in any order.
    func cutPower() {
        let moment = contents.base.now
        var order = Array(moment.pending.indices)
        for place in order.indices.dropFirst() { order.swapAt(place, random.below(place + 1)) }
        // A cut mostly finds much written or little of it.
        let lossPerMille = [100, 500, 900][random.below(3)]
        let fates = moment.pending.map { _ -> SimulatedDisk.Fate in
            if random.chance(200) { return .pieces(random.next(), unit: [8, 64, 512][random.below(3)]) }
            return random.chance(lossPerMille) ? .lost : .whole
        }
        var cut = SimulatedDisk(after: moment, order: order) { fates[$0] }
        cut.capacity = contents.base.capacity
        contents = FaultyDisk(cut)
    }

    /// The process that uses it is killed.
    func killProcess() { isProcessDead = true }

    func chance(_ perMille: Int) -> Bool { random.chance(perMille) }
    func between(_ low: UInt64, _ high: UInt64) -> UInt64 { random.between(low, high) }

    /// What comes of a change.
    fileprivate enum Fate { case happens, isTheLast, fails }

    fileprivate func beginChange() -> Fate {
        guard !isProcessDead else { return .fails }
        guard let left = callsUntilDeath else { return .happens }
        callsUntilDeath = left - 1
        guard left <= 0 else { return .happens }
        isProcessDead = true
        return .isTheLast
    }

    /// How much of a last write is there.
    fileprivate func torn(_ count: Int) -> Int { tearsLastWrite ? random.below(count + 1) : 0 }
}

/// What a process sees of the disk.
struct DiskAccess: Disk {
    let host: HostDisk

    private static var dead: DiskError { .failed(0) }

    private func change() throws(DiskError) {
        guard host.beginChange() == .happens else { throw Self.dead }
    }

    func files() throws(DiskError) -> [DiskFile] { try host.contents.files() }
    func byteCount(of file: DiskFile) throws(DiskError) -> Int { try host.contents.byteCount(of: file) }

    func create(_ file: DiskFile) throws(DiskError) {
        try change()
        try host.contents.create(file)
    }

    func read(
        _ file: DiskFile, at offset: Int, into bytes: inout MutableRawSpan, from start: Int
    ) throws(DiskError) -> Int {
        try host.contents.read(file, at: offset, into: &bytes, from: start)
    }

    func write(_ file: DiskFile, at offset: Int, _ bytes: RawSpan, from start: Int) throws(DiskError) -> Int {
        switch host.beginChange() {
        case .happens: return try host.contents.write(file, at: offset, bytes, from: start)
        case .fails: throw Self.dead
        case .isTheLast:
            let end = start + host.torn(bytes.byteCount - start)
            if end > start { _ = try host.contents.write(file, at: offset, bytes.extracting(0..<end), from: start) }
            throw Self.dead
        }
    }

    func flush(_ file: DiskFile) throws(DiskError) {
        try change()
        try host.contents.flush(file)
    }

    func flushNames() throws(DiskError) {
        try change()
        try host.contents.flushNames()
    }

    func delete(_ file: DiskFile) throws(DiskError) {
        try change()
        try host.contents.delete(file)
    }

    func share(_ file: DiskFile, with other: inout DiskAccess) throws(DiskError) {
        try host.contents.share(file, with: &other.host.contents)
    }

    func reader() -> DiskAccess { self }
}
