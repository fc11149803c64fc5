import Wire

// What is undone, saved, missing.
extension Checker {
    mutating func checkUndone() {
        for place in history.transactions.indices {
            let transaction = history.transactions[place]
            guard let time = transaction.commitTime, survives(time) == transaction.isNamedUndone else { continue }
            fail(.undone, [place],
                 "\(name(place)) committed at \(time.text), "
                    + (transaction.isNamedUndone
                        ? "is named as undone, and no epoch has undone it"
                        : "is not named as undone, and an epoch has undone it"))
        }
    }

    mutating func checkSaved() {
        let times = history.saved.map(\.time)
        for (before, after) in zip(times, times.dropFirst()) where after < before {
            fail(.saved, [], "\(before.text) was saved, and later only \(after.text)")
        }
        for time in times {
            for opening in history.openings.list where opening.undoes(time) {
                let lost = writers.last {
                    let commit = history.transactions[$0].commitTime ?? .zero
                    return commit <= time && opening.undoes(commit)
                }
                fail(.saved, lost.map { [$0] } ?? [],
                     "\(time.text) was saved, and epoch \(opening.begins.epoch) opened at \(opening.stays.text)")
                break
            }
        }
    }

    /// Each commit advances the counter by one: what is missing is seen by its number.
    mutating func checkCompleteness() {
        let surviving = writers.filter { survives(history.transactions[$0].commitTime ?? .zero) }
        let readSurvivors = unrecorded.keys.filter { survives($0) }
        let start = history.start.counter
        let counters = Set(
            surviving.compactMap { history.transactions[$0].commitTime?.counter }.filter { $0 > start })
        let newest = max(counters.max() ?? start, readSurvivors.map(\.counter).max() ?? start)
        let missing = newest - start - UInt64(counters.count) + UInt64(unrecorded.count - readSurvivors.count)
        guard missing > UInt64(counts.unknown) else { return }
        var first = start + 1
        while counters.contains(first) { first += 1 }
        let next = surviving.first { history.transactions[$0].commitTime?.counter ?? 0 > first }
        let readers = unrecorded.filter { $0.key.counter == first }.map(\.value)
        fail(.complete, readers.isEmpty ? next.map { [$0] } ?? Array(unrecorded.values.prefix(1)) : readers,
             "\(missing) commit\(missing == 1 ? " is" : "s are") not recorded, the first at counter \(first);"
                + " \(counts.unknown) could have been lost with \(counts.unknown == 1 ? "its node" : "their nodes")")
    }
}
