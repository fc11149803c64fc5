import Wire

/// One round of saving: the state at one commit time, gathered while the cluster goes on.
///
/// Nodes keep every unsaved version that they hold (as the current copy or as a pre-image), so the exact version wanted
/// can be had from its committer however often the page has changed since; the cluster never stops for it.
struct Saving: Sendable {
    var time: GlobalTime
    /// Each page once.
    var needs: [Need]
    /// Needs that were asked for at least once: so many from the first on.
    var begun = 0
    /// Places of those that are under way: what is looked through is never longer than the window.
    var asked: [Int] = []
    var startedAt: UInt64
    var remaining: Int

    struct Need: Sendable {
        enum State: Sendable { case idle, asked, here }
        var page: PageNumber
        var version: GlobalTime
        var holder: Station
        var state = State.idle
        var question = Question()
        var handle: FrameHandle? = nil
        var pieces = PagePieces()
        /// The supposed holder has said that it has no such version.
        var isRefused = false
        var deadline: UInt64 = .max
    }

    /// Pages under way from one holder when a page is so many frames: enough to keep its link busy while some runs are
    /// asked for. What the segment keeps for an arbiter that is slow has room for the windows of all `holders`.
    static func window(piecesPerPage: Int) -> Int { min(120, 192 / piecesPerPage) }

    /// Pages under way on a link whose answers take long, when on others `window` are.
    static func longest(_ window: Int) -> Int { window * 3 / 2 }

    /// Holders that are asked at the same time, each for a window.
    static let holders = 3

    /// Whether the next run, of so many pages, may be asked for too.
    func hasRoom(for length: Int, _ window: Int) -> Bool {
        guard asked.count + length > window else { return true }
        guard asked.count + length <= window * Self.holders else { return false }
        let holder = needs[begun].holder
        return asked.count { needs[$0].holder == holder } + length <= window
    }

    /// How many of the needs that come next are one run: neighbours, of one commit and one holder, for one request.
    var nextRun: Int {
        guard begun < needs.count else { return 0 }
        let first = needs[begun]
        var length = 1
        while length < Limits.trainPages, begun + length < needs.count {
            let need = needs[begun + length]
            guard need.page.index == first.page.index + UInt32(length), need.version == first.version,
                need.holder == first.holder
            else { break }
            length += 1
        }
        return length
    }

    /// The need of a page, when `place` is what was last noted of it.
    func isPlace(_ place: Int, of page: PageNumber) -> Bool { place < needs.count && needs[place].page == page }

    /// Places of those that have been waited for long enough.
    func due(_ now: UInt64) -> [Int] { asked.filter { needs[$0].deadline <= now } }

    /// The page is here.
    mutating func finish(_ place: Int) {
        needs[place].state = .here
        remaining -= 1
        // Answers mostly come in the order of the questions.
        if let asked = asked.firstIndex(of: place) { self.asked.remove(at: asked) }
    }
}
