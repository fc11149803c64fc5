import Protocol
import Store
import Wire

/// A page content that a transaction saw or made, by its stamp: each write of each page has one of its own.
struct Access {
    var page: PageNumber
    var stamp: UInt64
}

/// A commit as it was decided.
struct CommitRecord {
    var time: GlobalTime
    var node: Station
    var incarnation: UInt32
    var writes: [Access]
}

/// Follows a run from outside and knows all: every content ever written, every commit decided, every epoch opened. It
/// shares no code with the protocol; what it knows of order it derives from commit times and opening times alone.
final class Checker {
    private(set) var failures: [Failure] = []
    private(set) var commits: [UInt64: CommitRecord] = [:]
    /// Commit times that wrote a page, ascending.
    private var writers: [[UInt64]]
    /// The commit that made a stamp visible.
    private(set) var commitOfStamp: [UInt64: UInt64] = [:]
    /// Opening time of each epoch that was opened, ascending by epoch.
    private(set) var openings: [(epoch: UInt32, time: UInt64)] = [(1, 0)]
    /// What the nodes may have been told to be saved.
    var newestSaved = GlobalTime.zero
    /// The newest state that a round of saving has reached; it need not be durable.
    var newestHeld = GlobalTime.zero
    /// Checkpoints that were said to be kept.
    var keptCheckpoints: [Checkpoint] = []
    var leftCluster: [UInt64] = []
    /// Commits that somebody wanted undone.
    var unwanted = 0
    private(set) var undone = 0
    /// Makes a history, when somebody wants one.
    var teller: HistoryTeller?

    init(sharedPages: Int) { writers = [[UInt64]](repeating: [], count: sharedPages) }

    func fail(_ check: Check, _ text: @autoclosure () -> String) {
        if failures.count < 20 { failures.append(Failure(check: check, text: text())) }
    }

    // MARK: The tree of histories

    /// Whether the commit (or 0) belongs to the history that leads to `tip`.
    func isAncestor(_ commit: UInt64, of tip: UInt64) -> Bool {
        guard commit <= tip else { return false }
        let from = GlobalTime(raw: commit).epoch
        let to = GlobalTime(raw: tip).epoch
        for opening in openings.reversed() {
            if opening.epoch <= from || opening.epoch <= 1 { break }
            if opening.epoch <= to && opening.time < commit { return false }
        }
        return true
    }

    /// The commit that wrote the page last in the history that leads to `tip`; 0 when none did.
    func lastWriter(of page: PageNumber, at tip: UInt64) -> UInt64 {
        let list = writers[Int(page.index)]
        var place = list.count
        while place > 0 {
            place -= 1
            if list[place] <= tip && isAncestor(list[place], of: tip) { return list[place] }
        }
        return 0
    }

    // MARK: What is told

    func committed(_ record: CommitRecord, reads: [Access]) {
        let raw = record.time.raw
        if let other = commits[raw] {
            return fail(.order, "two commits at \(describe(raw)): \(other.node.number) and \(record.node.number)")
        }
        let parent = parentTime(of: record.time)
        if let parent {
            checkReads(reads, at: parent, "commit \(describe(raw)) of n\(record.node.number)")
        } else {
            fail(.order, "commit \(describe(raw)) of n\(record.node.number) follows nothing")
        }
        commits[raw] = record
        for write in record.writes {
            commitOfStamp[write.stamp] = raw
            let index = Int(write.page.index)
            var place = writers[index].count
            while place > 0 && writers[index][place - 1] > raw { place -= 1 }
            writers[index].insert(raw, at: place)
        }
    }

    /// The time before a commit in its history: the commit one earlier in its epoch, or where the epoch was opened.
    private func parentTime(of time: GlobalTime) -> UInt64? {
        let before = GlobalTime(epoch: time.epoch, counter: time.counter - 1).raw
        if commits[before] != nil { return before }
        guard let opening = openings.first(where: { $0.epoch == time.epoch }),
            GlobalTime(raw: opening.time).counter == time.counter - 1
        else { return nil }
        return opening.time
    }

    /// Every read must be the last write before `tip` (strict serialisability of writers, and of readers at their
    /// time).
    func checkReads(_ reads: [Access], at tip: UInt64, _ who: @autoclosure () -> String,
                    as check: Check = .serialisability) {
        for read in reads {
            guard let writer = writer(of: read, who()) else { continue }
            let expected = lastWriter(of: read.page, at: tip)
            if writer != expected {
                fail(check, "\(who()) at \(describe(tip)) read page \(read.page.index) of \(describe(writer)), "
                    + "not of \(describe(expected))")
            }
        }
    }

    /// Opacity: whatever came of the transaction, all that it read is one consistent state.
    func checkSnapshot(_ reads: [Access], _ who: @autoclosure () -> String) {
        var newest: UInt64 = 0
        for read in reads {
            guard let writer = writer(of: read, who()) else { return }
            newest = max(newest, writer)
        }
        checkReads(reads, at: newest, "snapshot of " + who(), as: .opacity)
    }

    private func writer(of read: Access, _ who: @autoclosure () -> String) -> UInt64? {
        if read.stamp == 0 { return 0 }
        guard let writer = commitOfStamp[read.stamp] else {
            fail(.content, "\(who()) read page \(read.page.index) with stamp \(read.stamp) that was never committed")
            return nil
        }
        guard commits[writer]?.writes.contains(where: { $0.page == read.page && $0.stamp == read.stamp }) == true else {
            fail(.content, "\(who()) read in page \(read.page.index) the content of another page")
            return nil
        }
        return writer
    }

    /// A copy was installed at a node as this version.
    func installed(_ page: PageNumber, _ version: GlobalTime, stamp: UInt64, at node: Station) {
        let actual = stamp == 0 ? 0 : commitOfStamp[stamp]
        if actual != version.raw {
            fail(.content, "n\(node.number) holds page \(page.index) as \(describe(version.raw)), but its content is "
                + "of " + (actual.map { describe($0) } ?? "nobody"))
        }
    }

    func applied(_ time: GlobalTime, after before: GlobalTime, at node: Station) {
        guard commits[time.raw] != nil
        else { return fail(.order, "n\(node.number) applied \(describe(time.raw)), never decided") }
        if parentTime(of: time) != before.raw {
            fail(.order, "n\(node.number) applied \(describe(time.raw)) after \(describe(before.raw))")
        }
    }

    func opened(_ record: EpochRecord) {
        if !isAncestor(newestSaved.raw, of: record.opened.raw) {
            fail(.epoch, "epoch \(record.epoch) opened at \(describe(record.opened.raw)), before the saved "
                + describe(newestSaved.raw))
        }
        if record.opened.raw != 0, commits[record.opened.raw] == nil {
            fail(.epoch, "epoch \(record.epoch) opened at no commit")
        }
        if record.epoch <= openings[openings.count - 1].epoch { fail(.epoch, "epoch \(record.epoch) opened twice") }
        openings.append((record.epoch, record.opened.raw))
        for time in leftCluster where !isAncestor(time, of: record.opened.raw) {
            fail(.output, "epoch \(record.epoch) undid \(describe(time)), whose output had left the cluster")
        }
    }

    /// Output of a transaction was given to the outside world [P1].
    func left(_ time: GlobalTime) {
        leftCluster.append(time.raw)
        let epoch = openings[openings.count - 1]
        let isLive = time.epoch == epoch.epoch || isAncestor(time.raw, of: epoch.time)
        if !isLive { fail(.output, "output of the undone \(describe(time.raw)) left the cluster") }
        if !isAncestor(time.raw, of: newestSaved.raw) {
            fail(.output, "output of \(describe(time.raw)) left before it was saved")
        }
    }

    // MARK: At the end

    /// Commits of the history that leads to `tip`.
    func survivors(of tip: GlobalTime) -> [CommitRecord] {
        commits.values.filter { isAncestor($0.time.raw, of: tip.raw) }
    }

    func describe(_ raw: UInt64) -> String {
        let time = GlobalTime(raw: raw)
        return "\(time.epoch).\(time.counter)"
    }
}

extension Checker {
    /// The first commit after `time` in the history that leads to `tip`.
    func firstCommit(after time: GlobalTime, upTo tip: GlobalTime) -> CommitRecord? {
        commits.values.filter { $0.time > time && isAncestor($0.time.raw, of: tip.raw) }.min { $0.time < $1.time }
    }

    /// A reader that asked for a strict read saw at least what was saved when it asked [P2].
    func strict(_ time: GlobalTime, floor: GlobalTime, at node: Station) {
        if !isAncestor(floor.raw, of: time.raw) {
            fail(.strictness, "strict reader n\(node.number) at \(describe(time.raw)), "
                + "but \(describe(floor.raw)) was saved when it asked")
        }
    }
}
