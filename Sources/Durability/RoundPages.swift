/// Pages of the round of saving under way that the store was not given yet: they go a few at a time, and the last ones
/// with the round's end.
public struct RoundPages: Sendable {
    private var waiting: [PageVersion] = []
    /// Whether these are all pages of the round: one or two commits that somebody waits for.
    public private(set) var isShort = true

    /// A round with no more pages is short.
    public static var few: Int { 16 }
    /// Pages of a longer round that go together.
    private static var many: Int { 64 }

    public init() {}

    /// Another page of the round is here.
    ///
    /// - Returns: What the store should be given now; mostly nothing.
    public mutating func add(_ page: PageVersion) -> [PageVersion] {
        var due: [PageVersion] = []
        if waiting.count == (isShort ? Self.few : Self.many) {
            swap(&due, &waiting)
            isShort = false
            waiting.reserveCapacity(Self.many)
        }
        waiting.append(page)
        return due
    }

    /// The round ends, or comes to nothing.
    ///
    /// - Returns: The pages that the store was not given yet.
    public mutating func end() -> [PageVersion] {
        defer { self = RoundPages() }
        return waiting
    }
}
