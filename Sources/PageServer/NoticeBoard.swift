import Control
import Logging
import Protocol
import Wire

/// What a person should know of the arbiter's decisions: the last ones, with the time of day; all go to the log.
struct NoticeBoard {
    private let build: BuildIdentifier
    private let logger: Logger
    /// Newest last.
    private(set) var texts: [String] = []
    /// Why each node was turned away, by its number, until it is let in.
    private(set) var refusals: [Int: String] = [:]
    /// Nodes that left in order, until they are let in again.
    private var gone: Set<Int> = []
    private var lastRefused: [Int: BuildIdentifier] = [:]
    private var undone: [(time: GlobalTime, node: Station)] = []
    private var unauthentic: UInt64 = 0
    private var unauthenticAt: UInt64 = 0

    static let limit = 200
    /// Undone commits that a notice names, in runs of one node.
    private static let namedRuns = 32
    /// Foreign frames are reported at most this often, nanoseconds.
    private static let unauthenticInterval: UInt64 = 10_000_000_000

    private let file: NoticeFile?

    /// - Parameter file: where notices are kept for the next arbiter.
    init(build: BuildIdentifier, file: NoticeFile? = nil, logger: Logger) {
        self.build = build
        self.file = file
        self.logger = logger
        texts = file?.lines.suffix(Self.limit) ?? []
    }

    mutating func post(_ text: String, _ level: Logger.Level = .notice) {
        logger.log(level: level, "\(text)")
        let line = NoticeFile.line(text)
        texts.append(line)
        file?.append(line)
        if texts.count > Self.limit { texts.removeFirst(texts.count - Self.limit) }
    }

    mutating func post(_ notice: ArbiterNotice, now: UInt64) {
        switch notice {
        case .joined(let node, let incarnation):
            gone.remove(Int(node.number))
            refusals[Int(node.number)] = nil
            lastRefused[Int(node.number)] = nil
            post("n\(node.number) was admitted as incarnation \(incarnation)", .info)
        case .refused(let node, let reason, let build): refuse(node, reason, build)
        case .unauthentic: countUnauthentic(now)
        case .polling(let epoch, let reason): post("epoch \(epoch) is prepared: \(sentence(reason))")
        case .undone(let time, let node): undone.append((time, node))
        case .opened(let record, let count): opened(record, count)
        }
    }

    /// A node is gone, and in order.
    mutating func left(_ node: Int) { gone.insert(node) }

    private mutating func refuse(_ node: Station, _ reason: JoinRefusal.Reason, _ build: BuildIdentifier) {
        let number = Int(node.number)
        guard lastRefused[number] != build else { return }
        lastRefused[number] = build
        let text =
            switch reason {
            case .build:
                "n\(number) was refused: it runs build \(build.digits), the cluster runs \(self.build.digits);"
                    + " start it with the cluster's image"
            case .full: "n\(number) was refused: the cluster is full"
            case .removed: "n\(number) was refused: it was removed from the cluster"
            }
        refusals[number] = text
        post(text, .warning)
    }

    private mutating func countUnauthentic(_ now: UInt64) {
        unauthentic += 1
        guard unauthenticAt == 0 || now - unauthenticAt > Self.unauthenticInterval else { return }
        unauthenticAt = now
        let frames = unauthentic == 1 ? "a frame was" : "\(unauthentic) frames were"
        post("\(frames) dropped because of a wrong authentication tag: wrong cluster key?", .warning)
    }

    private mutating func opened(_ record: EpochRecord, _ count: UInt64) {
        let what = count == 0 ? "nothing was undone" : "\(count) undone: \(undoneRuns)"
        undone = []
        post("epoch \(record.epoch) opened at commit \(record.opened.counter); \(what)")
    }

    /// The undone commits in order, those of one node in a row together: "7…9 by n2, 10 by n1".
    private var undoneRuns: String {
        var runs: [(first: UInt64, last: UInt64, node: UInt8)] = []
        for commit in undone {
            let counter = commit.time.counter
            if let end = runs.last, end.node == commit.node.number, end.last + 1 == counter {
                runs[runs.count - 1].last = counter
            } else {
                runs.append((counter, counter, commit.node.number))
            }
        }
        let named = runs.prefix(Self.namedRuns).map { run in
            "\(run.first)" + (run.last > run.first ? "…\(run.last)" : "") + " by n\(run.node)"
        }
        return named.joined(separator: ", ") + (runs.count > named.count ? " and others" : "")
    }

    private func sentence(_ reason: ArbiterNotice.Reason) -> String {
        switch reason {
        case .died(let node): "n\(node.number) \(gone.contains(Int(node.number)) ? "left" : "died")"
        case .restarted(let node): "n\(node.number) was started anew"
        case .interrupted: "the arbiter was interrupted while it prepared one"
        case .nobodyLeft: "the cluster begins again with what is saved"
        case .tokenMissing: "the token is missing"
        case .recordMissing(let counter): "nobody has the record of commit \(counter)"
        case .pageMissing(let page): "nobody has page \(page.index)"
        }
    }
}
