import Simulation

/// Looks for the least that still fails alike: the earliest calm, the fewest kinds of faults, the fewest entries of the
/// fault script.
struct Shrink {
    private let scriptLength: Int
    private let stillFails: (Restriction) -> Bool
    private let isOver: () -> Bool
    private(set) var restriction = Restriction()
    private(set) var tries = 0
    static let mostTries = 250

    /// - Parameters:
    ///   - scriptLength: entries of the seed's fault script.
    ///   - isOver: whether the time for the search has run out; what was found until then is kept.
    ///   - stillFails: whether the run fails alike when so much is taken away from it.
    init(
        scriptLength: Int, isOver: @escaping () -> Bool = { false }, stillFails: @escaping (Restriction) -> Bool
    ) {
        self.scriptLength = scriptLength
        self.isOver = isOver
        self.stillFails = stillFails
    }

    mutating func run() {
        shorten()
        dropKinds()
        dropFaults()
        shorten()
    }

    /// Faults stop as early as possible: a binary search, because mostly what fails early fails late too.
    private mutating func shorten() {
        var least = 0
        var most = restriction.calmAfter ?? Self.longestRun
        while least < most {
            let middle = (least + most) / 2
            var attempt = restriction
            attempt.calmAfter = middle
            if fails(attempt) {
                restriction = attempt
                most = middle
            } else {
                least = middle + 1
            }
        }
    }

    private mutating func dropKinds() {
        for (_, kind) in Trouble.names {
            var attempt = restriction
            attempt.without.insert(kind)
            if fails(attempt) { restriction = attempt }
        }
    }

    /// Leaves out ever smaller runs of the script.
    private mutating func dropFaults() {
        var kept = Array(0..<scriptLength)
        var size = max(1, kept.count / 2)
        while size >= 1 {
            var start = 0
            while start < kept.count {
                var attempt = restriction
                attempt.faults = kept
                attempt.faults?.removeSubrange(start..<min(start + size, kept.count))
                if fails(attempt) {
                    restriction = attempt
                    kept = attempt.faults ?? kept
                } else {
                    start += size
                }
            }
            size /= 2
        }
    }

    /// Frames of the longest run that is cut; how many the failing one had is not known when it traps.
    static let longestRun = 1 << 17

    private mutating func fails(_ attempt: Restriction) -> Bool {
        guard tries < Self.mostTries, !isOver() else { return false }
        tries += 1
        return stillFails(attempt)
    }
}
