import Simulation

/// Why words of the command line cannot be followed, as a sentence.
struct OptionError: Error, Equatable {
    var text: String
    init(_ text: String) { self.text = text }
}

/// What the words of the command line ask for.
struct Options {
    var seed: UInt64?
    var first = UInt64.random(in: 1...999_999_000)
    var count = 500
    /// Fresh seeds until so much time has passed, instead of `count`.
    var seconds: UInt64?
    var jobs: Int?
    var nodes: Int?
    var trouble = Trouble.all
    var restriction = Restriction()
    var isTraced = false
    var showsFrames = false
    /// The first failure ends the batch, as it is.
    var stopsAtFailure = false
    var history: String?
    /// This process is one of a batch's: it runs every so many-th seed.
    var stride: UInt64?

    static let usage = """
        usage: simulate [--seeds N] [--from SEED] [--seconds N] [--jobs N] [--until-failure] [--frames]
               simulate SEED [--without KIND,…] [--faults PLACE,…] [--calm FRAMES] [--trace] [--history FILE]
               both: [--nodes 1...8] [--trouble BITS]
        """

    init(_ words: ArraySlice<String>) throws(OptionError) {
        var words = words
        while let word = words.popFirst() {
            switch word {
            case "--seeds": count = Int(try Self.number(words.popFirst(), after: word, in: 1...1_000_000_000))
            case "--from": first = try Self.number(words.popFirst(), after: word, in: 0...UInt64.max / 2)
            case "--seconds": seconds = try Self.number(words.popFirst(), after: word, in: 1...10_000_000)
            case "--jobs": jobs = Int(try Self.number(words.popFirst(), after: word, in: 1...64))
            case "--nodes": nodes = Int(try Self.number(words.popFirst(), after: word, in: 1...8))
            case "--trouble":
                let bits = try Self.number(words.popFirst(), after: word, in: 0...UInt64(Trouble.all.rawValue))
                trouble = Trouble(rawValue: UInt32(bits))
            case "--without": restriction.without = try Self.kinds(words.popFirst())
            case "--faults": restriction.faults = try Self.places(words.popFirst())
            case "--calm":
                let frames = try Self.number(words.popFirst(), after: word, in: 0...UInt64(Int.max))
                restriction.calmAfter = Int(frames)
            case "--trace": isTraced = true
            case "--frames": showsFrames = true
            case "--until-failure": stopsAtFailure = true
            case "--history":
                guard let path = words.popFirst() else { throw OptionError("--history takes a file") }
                history = path
            case "--stride": stride = try Self.number(words.popFirst(), after: word, in: 1...64)
            default:
                guard !word.hasPrefix("-") else { throw OptionError("'\(word)' is no option") }
                guard let value = UInt64(word) else { throw OptionError("'\(word)' is no seed: a seed is a number") }
                guard seed == nil else { throw OptionError("one seed is replayed at a time") }
                seed = value
            }
        }
    }

    private static func number(
        _ word: String?, after option: String, in range: ClosedRange<UInt64>
    ) throws(OptionError) -> UInt64 {
        guard let word, let value = UInt64(word) else {
            throw OptionError("\(option) takes a number, not '\(word ?? "")'")
        }
        guard range ~= value else {
            throw OptionError("\(option) takes \(range.lowerBound) to \(range.upperBound), not \(value)")
        }
        return value
    }

    private static func kinds(_ list: String?) throws(OptionError) -> Trouble {
        var kinds = Trouble.none
        for word in (list ?? "").split(separator: ",", omittingEmptySubsequences: false) {
            guard let kind = Trouble.names.first(where: { $0.name == word }) else {
                let names = Trouble.names.map(\.name).joined(separator: ",")
                throw OptionError("--without takes of \(names), not '\(word)'")
            }
            kinds.insert(kind.trouble)
        }
        return kinds
    }

    private static func places(_ list: String?) throws(OptionError) -> [Int] {
        guard let list else { throw OptionError("--faults takes places of the script") }
        var places: [Int] = []
        if list == "none" { return places }
        for word in list.split(separator: ",", omittingEmptySubsequences: false) {
            guard let place = Int(word) else { throw OptionError("--faults takes places of the script, not '\(word)'") }
            places.append(place)
        }
        return places
    }

    /// The words that repeat a run of `seed` with these restrictions.
    func words(_ seed: UInt64, _ restriction: Restriction) -> [String] {
        var words = ["\(seed)"] + common
        let without = Trouble.names.filter { restriction.without.contains($0.trouble) }.map(\.name)
        if !without.isEmpty { words += ["--without", without.joined(separator: ",")] }
        if let faults = restriction.faults {
            words += ["--faults", faults.isEmpty ? "none" : faults.map { "\($0)" }.joined(separator: ",")]
        }
        if let calm = restriction.calmAfter { words += ["--calm", "\(calm)"] }
        return words
    }

    /// The words that all processes of a batch share.
    var common: [String] {
        var words: [String] = []
        if let nodes { words += ["--nodes", "\(nodes)"] }
        if trouble != .all { words += ["--trouble", "\(trouble.rawValue)"] }
        return words
    }
}
