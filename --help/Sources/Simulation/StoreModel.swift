import Store
import Wire

/// What a store should say: everything is kept in the simplest way.
public struct StoreModel: Sendable {
    public let geometry: Geometry
    public private(set) var picture = StorePicture()
    private var pending: [UInt32: StorePicture.Content] = [:]

    public init(_ geometry: Geometry) { self.geometry = geometry }

    public mutating func become(_ picture: StorePicture) {
        self.picture = picture
        pending = [:]
    }

    public var newest: GlobalTime { picture.states.last?.checkpoint.time ?? .zero }

    public mutating func set(_ registers: [(key: UInt64, value: [UInt8])]) {
        for register in registers {
            precondition(register.key < StorePicture.registerCount, "a register that a picture has")
            picture.registers[register.key] = register.value.isEmpty ? nil : register.value
        }
    }

    public mutating func put(_ page: UInt32, _ version: GlobalTime, _ bytes: [UInt8]) {
        let isNewest = pending[page]?.version ?? .zero <= version
        if isNewest { pending[page] = StorePicture.Content(version: version, bytes: bytes) }
    }

    public mutating func abandon() { pending = [:] }

    public mutating func end(_ checkpoint: Checkpoint) {
        var new = checkpoint
        let empty = StorePicture.Content(bytes: [UInt8](repeating: 0, count: geometry.pageBytes))
        var pages = picture.states.last?.pages ?? [StorePicture.Content](repeating: empty, count: geometry.pageCount)
        if let old = picture.states.last?.checkpoint {
            if old.time == new.time {
                new.isKept = new.isKept || old.isKept
                if new.label.isEmpty { new.label = old.label }
            }
            if old.time == new.time || !old.isKept { picture.states.removeLast() }
        }
        for (page, content) in pending { pages[Int(page)] = content }
        pending = [:]
        picture.states.append(StorePicture.State(checkpoint: new, pages: pages))
    }

    public mutating func forget(_ times: [GlobalTime]) {
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

    /// Forgets what retention does not keep.
    public mutating func expire(now: UInt64) {
        let old = picture.states.dropLast(max(1, picture.retention.count)).map(\.checkpoint)
        let age = picture.retention.age
        forget(old.filter { $0.isKept && $0.label.isEmpty && $0.created + age <= now }.map(\.time))
        let unlabelled = picture.states.map(\.checkpoint).filter { $0.isKept && $0.label.isEmpty }
        forget(unlabelled.dropLast(geometry.mostCheckpoints).map(\.time))
    }

    public mutating func setRetention(_ retention: Retention) { picture.retention = retention }

    public mutating func rewind(to time: GlobalTime) {
        picture.states.removeAll { $0.checkpoint.time > time }
        picture.registers = [:]
    }
}
