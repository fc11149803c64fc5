import Simulation

/// What a process tells of each seed, one line each, so that another can count, and knows where it was when it died.
enum Report {
    case begun(UInt64)
    case sound(UInt64, Summary)
    case failed(UInt64, check: String, text: String)

    init?(_ line: String) {
        let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
        guard words.count > 1, let seed = UInt64(words[1]) else { return nil }
        switch words[0] {
        case "begin" where words.count == 2: self = .begun(seed)
        case "sound" where words.count == 4:
            guard let summary = Summary(words[2], words[3]) else { return nil }
            self = .sound(seed, summary)
        case "failed" where words.count == 4: self = .failed(seed, check: words[2], text: words[3])
        default: return nil
        }
    }

    init(_ verdict: Verdict) {
        if let failure = verdict.failures.first {
            self = .failed(verdict.seed, check: failure.check.rawValue, text: failure.text)
        } else {
            self = .sound(verdict.seed, Summary(verdict))
        }
    }

    var line: String {
        switch self {
        case .begun(let seed): "begin \(seed)"
        case .sound(let seed, let summary): "sound \(seed) \(summary.figures) \(summary.table)"
        case .failed(let seed, let check, let text): "failed \(seed) \(check) \(text)"
        }
    }
}
