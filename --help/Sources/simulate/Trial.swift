import Simulation

extension Child {
    /// Runs one seed in a process of its own, as it may trap or hang.
    ///
    /// - Returns: its failure; nil when it is sound.
    static func outcome(
        of words: [String], program: String = Child.own, longestSilence: Duration = Crew.longestSilence
    ) -> Crew.Failure? {
        guard var child = Child(words + ["--stride", "1"], program: program) else {
            Simulate.stop("no process could be started", code: 71)
        }
        var failure: Crew.Failure?
        var seed: UInt64 = 0
        var isAtSeed = false
        var lastWords = ""
        while child.speaks(within: longestSilence) {
            guard let lines = child.read() else {
                return end(child.finish(), isAtSeed ? seed : nil, lastWords) ?? failure
            }
            for line in lines {
                switch Report(line) {
                case .begun(let begun): (seed, isAtSeed) = (begun, true)
                case .sound: isAtSeed = false
                case .failed(let seed, let check, let text):
                    isAtSeed = false
                    failure = Crew.Failure(seed: seed, check: check, text: text)
                case nil: lastWords = line
                }
            }
        }
        child.kill()
        _ = child.finish()
        return Crew.Failure(seed: seed, check: "hang", text: "no end after \(longestSilence)")
    }

    private static func end(_ signal: Int32?, _ seed: UInt64?, _ lastWords: String) -> Crew.Failure? {
        seed.map { Crew.Failure(seed: $0, check: "trap", text: "signal \(signal ?? 0) \(lastWords)") }
    }
}
