import Wire

/// Pages that nodes have sent to the arbiter unasked, because they wait for a commit to be durable. They are part of
/// the next round of saving, which then need not ask for them [P27].
struct PushedPages: Sendable {
    struct Page: Sendable {
        var number: PageNumber
        var handle: FrameHandle
        fileprivate var pieces = PagePieces()

        var version: GlobalTime { pieces.version }
        var isComplete: Bool { pieces.isComplete }
    }

    private(set) var pages: [Page] = []

    /// Four nodes that each wait for the longest commit that is pushed (16 pages). What does not fit is asked for.
    static let limit = 64

    /// Takes note of a piece, and of which page it is a part.
    ///
    /// - Parameter stage: memory for a page of which there was nothing.
    /// - Returns: Where its bytes belong; nil when they are not wanted.
    mutating func take(_ reply: PageReply, stage: () -> FrameHandle) -> FrameHandle? {
        var place = pages.count
        if let known = pages.firstIndex(where: { $0.number == reply.page }) {
            place = known
            // What is there was overwritten: its memory serves the newer version.
            if reply.version > pages[place].version { pages[place].pieces = PagePieces() }
        } else {
            guard pages.count < Self.limit else { return nil }
            pages.append(Page(number: reply.page, handle: stage()))
        }
        return pages[place].pieces.take(reply) == .unwanted ? nil : pages[place].handle
    }

    mutating func takeAll() -> [Page] {
        defer { pages.removeAll(keepingCapacity: true) }
        return pages
    }
}
