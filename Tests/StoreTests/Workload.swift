import Wire

@testable import Simulation
@testable import Store

/// A seeded user of a store, and what the store should say after each step.
struct Workload {
    /// One call of the store, with what was expected before and after it.
    enum Step: Int, CaseIterable {
        case set, put, end, endKept, abandon, submit, flush, settle, forget, expire, retain, clean
    }

    var model: Model
    /// Everything that the store has said so far, oldest first; one more whenever a step changed it.
    private(set) var pictures: [Picture]
    /// The last picture that was flushed.
    private(set) var durable = 0
    private var random: Generator
    private var counter: UInt64 = 0
    private var epoch: UInt32 = 1
    private let weights: [(Step, Int)]

    static let everything: [(Step, Int)] = [
        (.set, 4), (.put, 12), (.end, 5), (.endKept, 2), (.abandon, 1), (.submit, 2), (.flush, 3), (.settle, 2),
        (.forget, 1), (.expire, 1), (.retain, 1), (.clean, 6),
    ]

    static let cleaning: [(Step, Int)] = [(.put, 8), (.end, 3), (.endKept, 1), (.forget, 2), (.settle, 1), (.clean, 12)]

    init(_ geometry: Geometry, seed: UInt64, _ weights: [(Step, Int)] = everything) {
        model = Model(geometry)
        pictures = [model.picture]
        random = Generator(seed)
        self.weights = weights
    }

    /// After the user was killed: the store says one of the last pictures, and it goes on from there.
    mutating func restart(from picture: Picture) {
        model.become(picture)
        pictures = [picture]
        durable = 0
        epoch += 1
    }

    private mutating func draw() -> Step {
        var place = random.below(weights.reduce(0) { $0 + $1.1 })
        for (step, weight) in weights {
            place -= weight
            if place < 0 { return step }
        }
        return .flush
    }

    /// Does something. What the model should be afterwards counts as soon as the call began.
    mutating func step<D: Disk>(_ store: inout Store<D>) throws(StoreError) {
        let step = draw()
        try perform(step, &store)
        if pictures.last != model.picture { pictures.append(model.picture) }
        if step == .flush || step == .settle || store.isFlushed { durable = pictures.count - 1 }
    }

    private mutating func perform<D: Disk>(_ step: Step, _ store: inout Store<D>) throws(StoreError) {
        switch step {
        case .set:
            let registers = (0...random.below(3)).map { _ in
                let value = [UInt8](repeating: UInt8(random.below(256)), count: random.below(12))
                return (key: UInt64(random.below(6)), value: value)
            }
            model.set(registers)
            note()
            try store.set(registers)
        case .put:
            counter += 1
            let page = UInt32(random.below(model.geometry.pageCount))
            let bytes = (0..<model.geometry.pageBytes).map { _ in UInt8(random.below(256)) }
            let time = GlobalTime(epoch: epoch, counter: counter)
            model.put(page, time, bytes)
            try store.put(page, time, bytes)
        case .end, .endKept:
            counter += 1
            let time = GlobalTime(epoch: epoch, counter: counter)
            let label = step == .endKept && random.chance(300) ? "label \(counter)" : ""
            let checkpoint = Checkpoint(time: time, created: counter, label: label, isKept: step == .endKept)
            model.end(checkpoint)
            note()
            try store.endCheckpoint(checkpoint)
        case .abandon:
            // As an epoch does: what was put belongs to no history any more.
            epoch += 1
            model.abandon()
            store.abandonCheckpoint()
        case .submit: try store.submit()
        case .flush: try store.flush()
        case .settle: try store.settle()
        case .forget:
            guard let one = store.checkpoints.first?.time, store.checkpoints.count > 1 else { return }
            model.forget([one])
            note()
            try store.forget([one])
        case .expire:
            var other = model
            let kept = model.picture.states.dropLast(max(1, model.picture.retention.count)).map(\.checkpoint)
            let now = counter
            let age = model.picture.retention.age
            other.forget(kept.filter { $0.isKept && $0.label.isEmpty && $0.created + age <= now }.map(\.time))
            model = other
            note()
            _ = try store.expire(now: now)
        case .retain:
            let retention = Retention(count: 1 + random.below(3), age: UInt64(random.below(20)))
            model.setRetention(retention)
            note()
            try store.setRetention(retention)
        case .clean: _ = try store.clean(budget: 256)
        }
    }

    private mutating func note() {
        if pictures.last != model.picture { pictures.append(model.picture) }
    }
}
