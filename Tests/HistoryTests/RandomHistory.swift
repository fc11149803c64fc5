import Wire

@testable import History

/// A machine that keeps the memory's promises by construction: one state, commits one after the other, epochs that take
/// it back. What its nodes see of it is a right history.
struct RandomHistory {
    private struct Cell { var version = GlobalTime.zero, value: UInt64 = 0 }

    /// The state after each commit of the branch that stays.
    private var states: [(time: GlobalTime, cells: [Cell])]
    private var epoch: UInt32 = 1
    private var saved = GlobalTime.zero
    private var clock: UInt64 = 1000
    private var freeAt: [UInt64]
    private var numbers: [Int]
    private var generator: Generator
    private(set) var history = History()

    init(seed: UInt64, transactions: Int, nodes: Int = 3, keys: Int = 4, epochs: Bool = true) {
        generator = Generator(seed)
        states = [(.zero, [Cell](repeating: Cell(), count: keys))]
        freeAt = [UInt64](repeating: 0, count: nodes)
        numbers = [Int](repeating: 0, count: nodes)
        for _ in 0..<transactions {
            step()
            if generator.chance(10) { save() }
            if epochs, generator.chance(5) { open() }
        }
        history.endNanoseconds = clock + 1000
        history.saved.append(Saved(saved, at: history.endNanoseconds))
    }

    private mutating func step() {
        clock += 10
        let node = generator.below(freeAt.count)
        let begin = max(freeAt[node], clock - UInt64(generator.below(60)))
        let point = generator.chance(70) ? states.count - 1 : generator.below(states.count)
        let end = clock + UInt64(generator.below(9))
        guard begin <= clock else { return }
        freeAt[node] = end + 1
        numbers[node] += 1
        var new = Transaction(
            name: "n\(node + 1).\(numbers[node])", node: "n\(node + 1)", begin: begin, end: end, outcome: .aborted)
        let kind = generator.below(10)
        let seen = kind == 0 ? states[point] : states[states.count - 1]
        for key in seen.cells.indices where generator.chance(50) {
            new.reads.append(
                Read(key: UInt32(key), value: seen.cells[key].value, version: seen.cells[key].version))
        }
        if kind == 1 { new.outcome = .committed(seen.time) }
        if kind > 1 { commit(&new) }
        history.transactions.append(new)
    }

    private mutating func commit(_ new: inout Transaction) {
        let time = states[states.count - 1].time.next(in: epoch)
        var cells = states[states.count - 1].cells
        for key in cells.indices where generator.chance(40) || (key == 0 && new.writes.isEmpty) {
            cells[key] = Cell(version: time, value: generator.next())
            new.writes.append(Write(key: UInt32(key), value: cells[key].value))
        }
        new.outcome = .committed(time)
        states.append((time, cells))
    }

    private mutating func save() {
        saved = states[Int.random(in: 0..<states.count, using: &generator)].time > saved
            ? states[states.count - 1].time : saved
        history.saved.append(Saved(saved, at: clock))
    }

    private mutating func open() {
        let first = states.firstIndex { $0.time >= saved } ?? 0
        states.removeLast(states.count - 1 - Int.random(in: first..<states.count, using: &generator))
        epoch += 1
        let opening = Opening(epoch: epoch, stays: states[states.count - 1].time)
        history.openings.append(opening)
        for place in history.transactions.indices {
            guard let time = history.transactions[place].commitTime, opening.undoes(time) else { continue }
            history.transactions[place].isNamedUndone = true
        }
    }
}

/// Ways to spoil a history.
enum Mutation: CaseIterable {
    case staleRead, swapTimes, dropCommit, otherValue, futureRead, dropUndone, addUndone, sameTime, moveClock
    case lostUpdate

    /// False when the history has nothing to spoil in this way.
    func spoil(_ history: inout History, _ generator: inout Generator) -> Bool {
        let commits = history.transactions.indices.filter {
            history.transactions[$0].isWriter && history.transactions[$0].commitTime != nil
                && !history.transactions[$0].isNamedUndone
        }
        guard commits.count > 1 else { return false }
        let place = commits[generator.below(commits.count)]
        let other = commits.filter { $0 != place }[generator.below(commits.count - 1)]
        let time = history.transactions[place].commitTime ?? .zero
        let otherTime = history.transactions[other].commitTime ?? .zero
        switch self {
        case .staleRead:
            guard let read = history.transactions[place].reads.indices.first(where: {
                history.transactions[place].reads[$0].version > .zero
            }) else { return false }
            history.transactions[place].reads[read].version = .zero
            history.transactions[place].reads[read].value = 0
        case .swapTimes:
            // Exchanging two that do not touch each other changes nothing but clocks.
            guard history.transactions[place].writes.contains(where: { write in
                history.transactions[other].reads.contains { $0.key == write.key }
                    && history.transactions[other].writes.contains { $0.key == write.key }
            }) else { return false }
            history.transactions[place].outcome = .committed(otherTime)
            history.transactions[other].outcome = .committed(time)
        case .dropCommit:
            guard commits.contains(where: { history.transactions[$0].commitTime ?? .zero > time }) else { return false }
            history.transactions.remove(at: place)
        case .otherValue:
            guard !history.transactions[place].reads.isEmpty else { return false }
            let read = history.transactions[place].reads[0]
            guard history.transactions.indices.contains(where: { index in
                index != place && (history.transactions[index].reads.contains {
                    $0.key == read.key && $0.version == read.version
                } || (history.transactions[index].commitTime == read.version
                    && history.transactions[index].writes.contains { $0.key == read.key }))
            }) else { return false }
            history.transactions[place].reads[0].value ^= 1
        case .futureRead:
            guard !history.transactions[place].reads.isEmpty else { return false }
            history.transactions[place].reads[0].version = time
        case .dropUndone:
            guard let undone = history.transactions.indices.first(where: { history.transactions[$0].isNamedUndone })
            else { return false }
            history.transactions[undone].isNamedUndone = false
        case .addUndone: history.transactions[place].isNamedUndone = true
        case .sameTime: history.transactions[place].outcome = .committed(otherTime)
        case .moveClock:
            guard otherTime < time else { return false }
            history.transactions[other].begin = history.transactions[place].end + 1
            history.transactions[other].end = history.transactions[other].begin
        case .lostUpdate:
            guard otherTime < time, let read = history.transactions[place].reads.firstIndex(where: { read in
                history.transactions[other].reads.contains { $0.key == read.key }
                    && history.transactions[other].writes.contains { $0.key == read.key }
            }), let before = history.transactions[other].reads.first(where: {
                $0.key == history.transactions[place].reads[read].key
            }) else { return false }
            history.transactions[place].reads[read] = before
        }
        return true
    }
}
