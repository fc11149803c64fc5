import Wire

@testable import Simulation
@testable import Store

/// Everything that a store says, as a value: what a test compares.
struct Picture: Equatable {
    struct State: Equatable {
        var checkpoint: Checkpoint
        /// Version and content of each page.
        var pages: [Content]
    }

    struct Content: Equatable {
        var version = GlobalTime.zero
        var bytes: [UInt8]
    }

    var registers: [UInt64: [UInt8]] = [:]
    var retention = Retention()
    var states: [State] = []
}

/// What a store should say: everything is kept in the simplest way.
struct Model {
    let geometry: Geometry
    private(set) var picture = Picture()
    private var pending: [UInt32: Picture.Content] = [:]

    init(_ geometry: Geometry) { self.geometry = geometry }

    mutating func become(_ picture: Picture) {
        self.picture = picture
        pending = [:]
    }

    var newest: GlobalTime { picture.states.last?.checkpoint.time ?? .zero }

    mutating func set(_ registers: [(key: UInt64, value: [UInt8])]) {
        for register in registers { picture.registers[register.key] = register.value.isEmpty ? nil : register.value }
    }

    mutating func put(_ page: UInt32, _ version: GlobalTime, _ bytes: [UInt8]) {
        let isNewest = pending[page]?.version ?? .zero <= version
        if isNewest { pending[page] = Picture.Content(version: version, bytes: bytes) }
    }

    mutating func abandon() { pending = [:] }

    mutating func end(_ checkpoint: Checkpoint) {
        var new = checkpoint
        let empty = Picture.Content(bytes: [UInt8](repeating: 0, count: geometry.pageBytes))
        var pages = picture.states.last?.pages ?? [Picture.Content](repeating: empty, count: geometry.pageCount)
        if let old = picture.states.last?.checkpoint {
            if old.time == new.time {
                new.isKept = new.isKept || old.isKept
                if new.label.isEmpty { new.label = old.label }
            }
            if old.time == new.time || !old.isKept { picture.states.removeLast() }
        }
        for (page, content) in pending { pages[Int(page)] = content }
        pending = [:]
        picture.states.append(Picture.State(checkpoint: new, pages: pages))
    }

    mutating func forget(_ times: [GlobalTime]) {
        for time in times {
            guard let place = picture.states.firstIndex(where: { $0.checkpoint.time == time }) else { continue }
            if place == picture.states.count - 1 {
                picture.states[place].checkpoint.isKept = false
                picture.states[place].checkpoint.label = ""
            } else {
                picture.states.remove(at: place)
            }
        }
    }

    mutating func setRetention(_ retention: Retention) { picture.retention = retention }

    mutating func rewind(to time: GlobalTime) {
        picture.states.removeAll { $0.checkpoint.time > time }
        picture.registers = [:]
    }
}

extension Store where Medium: ~Copyable {
    /// What it says, read page by page.
    mutating func picture() throws(StoreError) -> Picture {
        var picture = Picture(retention: retention)
        for register in state.registers.all { picture.registers[register.key] = register.value }
        for checkpoint in checkpoints {
            var pages: [Picture.Content] = []
            for page in 0..<UInt32(geometry.pageCount) {
                let (version, bytes) = try content(of: page, at: checkpoint.time)
                pages.append(Picture.Content(version: version, bytes: bytes))
            }
            picture.states.append(Picture.State(checkpoint: checkpoint, pages: pages))
        }
        return picture
    }

    mutating func content(of page: UInt32, at time: GlobalTime? = nil) throws(StoreError) -> (GlobalTime, [UInt8]) {
        var bytes = [UInt8](repeating: 0xEE, count: geometry.pageBytes)
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        let version = try read(page, at: time, into: &raw)
        return (version, bytes)
    }

    mutating func put(_ page: UInt32, _ version: GlobalTime, _ bytes: [UInt8]) throws(StoreError) {
        try put(page, version: version, bytes.span.bytes)
    }
}

enum Sample {
    static let key = SipHash.Key(low: 0x0706_0504_0302_0100, high: 0x0F0E_0D0C_0B0A_0908)
    static let identity: UInt64 = 0x1111_2222_3333_4444
    static let cluster: UInt64 = 7

    /// Small pages and segments: much happens in few bytes.
    static let tiny = Geometry(pageBytes: 64, pageCount: 8, segmentBytes: 4096, reserveBytes: 0)

    static func time(_ counter: UInt64, epoch: UInt32 = 1) -> GlobalTime { GlobalTime(epoch: epoch, counter: counter) }

    static func store<D: Disk>(on disk: D, _ geometry: Geometry = tiny) throws(StoreError) -> Store<D> {
        try .create(on: disk, cluster: cluster, identity: identity, key: key, geometry)
    }

    static func page(_ byte: UInt8, _ geometry: Geometry = tiny) -> [UInt8] {
        [UInt8](repeating: byte, count: geometry.pageBytes)
    }
}
