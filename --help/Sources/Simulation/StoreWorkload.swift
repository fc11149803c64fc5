import Store
import Wire

/// One call of a store.
public enum StoreStep: Sendable {
    case set([(key: UInt64, value: [UInt8])])
    case put(UInt32, GlobalTime, [UInt8])
    case end(Checkpoint)
    case abandon
    case submit
    case flush
    case settle
    case forget([GlobalTime])
    case expire(now: UInt64)
    case retain(Retention)
    case clean(budget: Int)

    public func perform<Medium: Disk & ~Copyable>(_ store: inout Store<Medium>) throws(StoreError) {
        switch self {
        case .set(let registers): try store.set(registers)
        case .put(let page, let version, let bytes): try store.put(page, version: version, bytes.span.bytes)
        case .end(let checkpoint): try store.endCheckpoint(checkpoint)
        case .abandon: store.abandonCheckpoint()
        case .submit: try store.submit()
        case .flush: try store.flush()
        case .settle: try store.settle()
        case .forget(let times): try store.forget(times)
        case .expire(let now): _ = try store.expire(now: now)
        case .retain(let retention): try store.setRetention(retention)
        case .clean(let budget): _ = try store.clean(budget: budget)
        }
    }

    /// After it, everything that was done before survives the process.
    public var isBarrier: Bool {
        switch self {
        case .submit, .flush, .settle: true
        case .set, .put, .end, .abandon, .forget, .expire, .retain, .clean: false
        }
    }
}

/// A seeded user of a store, and what the store should say after each step. It draws its steps from what the store
/// should say, so that somebody else can follow it without the store.
public struct StoreWorkload: Sendable {
    public enum Kind: Int, Sendable {
        case set, put, end, endKept, abandon, submit, flush, settle, forget, expire, retain, clean
    }

    public var model: StoreModel
    /// Everything that the store has said so far, oldest first; one more whenever a step changed it.
    public private(set) var pictures: [StorePicture]
    /// The last picture that was flushed.
    public private(set) var durable = 0
    private var random: Generator
    private var counter: UInt64 = 0
    private var epoch: UInt32 = 1
    private let weights: [(Kind, Int)]
    private let cleaned: Int

    public static let everything: [(Kind, Int)] = [
        (.set, 4), (.put, 12), (.end, 5), (.endKept, 2), (.abandon, 1), (.submit, 2), (.flush, 3), (.settle, 2),
        (.forget, 1), (.expire, 1), (.retain, 1), (.clean, 6),
    ]

    public static let cleaning: [(Kind, Int)] = [
        (.put, 8), (.end, 3), (.endKept, 1), (.forget, 2), (.settle, 1), (.clean, 12),
    ]

    /// - Parameter cleaned: The budget of one call to clean, bytes.
    public init(_ geometry: Geometry, seed: UInt64, _ weights: [(Kind, Int)] = everything, cleaned: Int = 256) {
        model = StoreModel(geometry)
        pictures = [model.picture]
        random = Generator(seed)
        self.weights = weights
        self.cleaned = cleaned
    }

    /// After the user was killed: the store says one of the last pictures, and it goes on from there.
    public mutating func restart(from picture: StorePicture) {
        model.become(picture)
        pictures = [picture]
        durable = 0
        epoch = max(epoch, model.newest.epoch) + 1
        counter = max(counter, model.newest.counter)
    }

    private mutating func draw() -> Kind {
        var place = random.below(weights.reduce(0) { $0 + $1.1 })
        for (kind, weight) in weights {
            place -= weight
            if place < 0 { return kind }
        }
        return .flush
    }

    /// What is done next. What the store should say afterwards counts as soon as the call began.
    public mutating func next() -> StoreStep {
        while true {
            guard let step = step(draw()) else { continue }
            if pictures.last != model.picture { pictures.append(model.picture) }
            return step
        }
    }

    /// Does something with a store.
    public mutating func step<Medium: Disk & ~Copyable>(_ store: inout Store<Medium>) throws(StoreError) {
        let step = next()
        try step.perform(&store)
        if store.isFlushed { durable = pictures.count - 1 }
    }

    /// Forgets the pictures before the newest one.
    public mutating func trim() {
        pictures = [model.picture]
        durable = 0
    }

    /// Nil when there is nothing to forget.
    private mutating func step(_ kind: Kind) -> StoreStep? {
        switch kind {
        case .set:
            let registers = (0...random.below(3)).map { _ in
                let value = [UInt8](repeating: UInt8(random.below(256)), count: random.below(12))
                return (key: UInt64(random.below(6)), value: value)
            }
            model.set(registers)
            return .set(registers)
        case .put:
            counter += 1
            let page = UInt32(random.below(model.geometry.pageCount))
            var bytes: [UInt8] = []
            bytes.reserveCapacity(model.geometry.pageBytes)
            while bytes.count < model.geometry.pageBytes {
                var word = random.next()
                for _ in 0..<8 {
                    bytes.append(UInt8(truncatingIfNeeded: word))
                    word >>= 8
                }
            }
            let time = GlobalTime(epoch: epoch, counter: counter)
            model.put(page, time, bytes)
            return .put(page, time, bytes)
        case .end, .endKept:
            counter += 1
            let time = GlobalTime(epoch: epoch, counter: counter)
            let label = kind == .endKept && random.chance(300) ? "label \(counter)" : ""
            let checkpoint = Checkpoint(time: time, created: counter, label: label, isKept: kind == .endKept)
            model.end(checkpoint)
            return .end(checkpoint)
        case .abandon:
            // As an epoch does: what was put belongs to no history any more.
            epoch += 1
            model.abandon()
            return .abandon
        case .submit: return .submit
        case .flush: return .flush
        case .settle: return .settle
        case .forget:
            guard model.picture.states.count > 1, let one = model.picture.states.first?.checkpoint.time
            else { return nil }
            model.forget([one])
            return .forget([one])
        case .expire:
            model.expire(now: counter)
            return .expire(now: counter)
        case .retain:
            let retention = Retention(count: 1 + random.below(3), age: UInt64(random.below(20)))
            model.setRetention(retention)
            return .retain(retention)
        case .clean: return .clean(budget: cleaned)
        }
    }
}
