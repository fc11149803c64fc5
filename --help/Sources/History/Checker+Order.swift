import Wire

// What commit times and clocks say about the order.
extension Checker {
    mutating func checkTimes() {
        for place in history.transactions.indices {
            let transaction = history.transactions[place]
            count(transaction)
            guard let time = transaction.commitTime, transaction.isWriter else { continue }
            if let other = writerAt[time] {
                fail(.uniqueTimes, [other, place], "\(name(other)) and \(name(place)) committed both at \(time.text)")
            } else {
                writerAt[time] = place
                writers.append(place)
            }
        }
        writers.sort { history.transactions[$0].commitTime ?? .zero < history.transactions[$1].commitTime ?? .zero }
        counts.keys = table.keyCount
        let surviving = writers.filter { survives(history.transactions[$0].commitTime ?? .zero) }
        for (before, after) in zip(surviving, surviving.dropFirst()) {
            let times = [before, after].map { history.transactions[$0].commitTime ?? .zero }
            guard times[0].counter >= times[1].counter, times[0] != times[1] else { continue }
            fail(.uniqueTimes, [before, after],
                 "\(name(before)) at \(times[0].text) and \(name(after)) at \(times[1].text) both stay, and the counter"
                    + " did not advance")
        }
    }

    /// From the newest time down: nobody with a smaller time may have begun after somebody with a larger one had ended.
    mutating func checkRealTime() {
        var earliest: Int?
        for place in writers.reversed() {
            let transaction = history.transactions[place]
            guard let time = transaction.commitTime, survives(time) else { continue }
            if let earliest, history.transactions[earliest].end.isBefore(transaction.begin, error: history.clockError) {
                fail(.realTime, [place, earliest],
                     "\(name(earliest)) was acknowledged before \(name(place)) began, but its time"
                        + " \(history.transactions[earliest].commitTime?.text ?? "") is larger than \(time.text)")
            }
            if earliest.map({ transaction.end < history.transactions[$0].end }) ?? true { earliest = place }
        }
    }

    mutating func checkNodeOrder() {
        var newest: [String: Int] = [:]
        for place in history.transactions.indices {
            let transaction = history.transactions[place]
            guard let time = transaction.commitTime, survives(time) else { continue }
            guard let before = newest[transaction.node], let reached = history.transactions[before].commitTime else {
                newest[transaction.node] = place
                continue
            }
            if time < reached || (time == reached && transaction.isWriter) {
                fail(.nodeOrder, [before, place],
                     "\(name(place)) came after \(name(before)) on \(transaction.node), but its time \(time.text) is"
                        + " not larger than \(reached.text)")
            } else {
                newest[transaction.node] = place
            }
        }
    }
}
