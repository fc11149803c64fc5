import Planted
import Wire

/// Records that others have applied and this station has not: what is known of the gap, and when to ask for them.
///
/// Mere reordering closes most gaps by itself, so a gap is left alone for `Tuning.reorder`. Then its records are asked
/// for, and a request under way is given the time that an answer takes: what is heard meanwhile is no reason to ask
/// again [P25].
struct CatchUp: Sendable {
    /// The last commit that is known to exist.
    private(set) var counter: UInt64 = 0
    /// Who is asked first: a station that has it, or while nobody answers, at least a part of what is missing.
    private(set) var heardFrom = Station.arbiter
    /// When the records are asked for, if they have not come by then.
    private(set) var deadline: UInt64 = .max
    private(set) var tries: UInt8 = 0
    private var askedAt: UInt64 = 0
    /// The last record that was asked for; 0 before the first request.
    private var askedUntil: UInt64 = 0

    init() {}

    /// A record up to `counter`, which is missing here, exists; `station` has it.
    ///
    /// Who told of it first may be gone by now. So the last to tell of it is asked, and who knows less when those who
    /// know more do not answer. The arbiter is asked in turn anyway [P10].
    mutating func hear(of counter: UInt64, from station: Station) {
        let isBetter = counter > self.counter
        if isBetter || station != .arbiter && (counter == self.counter || tries > 0) { heardFrom = station }
        self.counter = max(counter, self.counter)
    }

    /// The records are wanted at `time`, unless a request for some of them is under way.
    mutating func want(at time: UInt64) {
        if !planted(88), askedUntil == 0 { deadline = min(deadline, time) }
    }

    /// What to ask for now, if it is time: that many records from the first that is missing.
    mutating func due(after applied: UInt64, _ now: UInt64, _ patience: Patience, _ tuning: Tuning) -> UInt32? {
        guard deadline <= now, counter > applied else { return nil }
        let count = min(counter - applied, UInt64(Limits.requestRecords))
        if tries == 0 { askedAt = now }
        askedUntil = applied + count
        deadline = now + patience.wait(tries / 2, tuning)
        tries = min(tries + 1, 100)
        return UInt32(count)
    }

    /// Some of the records came. When all that were asked for are here the next are asked for at once, because more are
    /// made meanwhile; when others are still missing, as soon as the rest of the answer would have been here.
    mutating func progress(to applied: UInt64, _ now: UInt64, _ patience: inout Patience, _ tuning: Tuning) {
        let isAnswered = askedUntil > 0 && applied >= askedUntil
        // Which try was answered cannot be told, unless there was one; and a part may have come by itself.
        if isAnswered && tries == 1 { patience.note(now - askedAt) }
        guard counter > applied else {
            self = CatchUp()
            return
        }
        tries = 0
        askedAt = now
        deadline = isAnswered ? now : now + max(tuning.reorder, patience.spread)
        if isAnswered { askedUntil = 0 }
    }

    /// The arbiter has called a poll over it: patience starts anew.
    mutating func restart() { tries = 0 }
}
