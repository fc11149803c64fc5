import Wire

/// The pieces of one version of a page, as they arrive in any order, some of them twice.
///
/// Stations with other cards may cut a page differently. Pieces are put together only when they are of one version and
/// of one cut; the first piece of a newer version, or of another cut, begins anew.
struct PagePieces: Sendable {
    /// The version that is being put together.
    private(set) var version = GlobalTime.zero
    /// Bytes of each piece but the last; 0 before the first piece.
    private var stride = 0
    /// Pieces still missing, one bit each.
    private var missing: UInt8 = 0
    private(set) var isComplete = false

    init() {}

    /// What an arrived piece is.
    enum Arrival { case unwanted, first, another }

    /// Takes note of a piece, whose bytes the caller then stores, unless it is unwanted.
    mutating func take(_ reply: PageReply) -> Arrival {
        guard !isComplete else { return .unwanted }
        let isFirst = stride == 0 || reply.version > version || reply.version == version && reply.stride != stride
        if isFirst {
            version = reply.version
            stride = reply.stride
            missing = reply.count == 8 ? .max : (1 << reply.count) - 1
        }
        guard reply.version == version, missing & (1 << reply.index) != 0 else { return .unwanted }
        missing &= ~(1 << reply.index)
        isComplete = missing == 0
        return isFirst ? .first : .another
    }

    /// Hands the pieces of a page to `body`, as few as the link allows. A page that was never committed is zero and
    /// needs no bytes.
    static func split(_ page: PageNumber, _ version: GlobalTime, nonce: UInt64, maximumFrame: Int,
                      _ body: (PageReply) -> Void) {
        let most = PageReply.pieceBytes(maximumFrame: maximumFrame)
        let total = version == .zero ? 0 : Limits.pageBytes
        let pieces = version == .zero ? 1 : PageReply.pieces(maximumFrame: maximumFrame)
        for index in 0..<pieces {
            let offset = index * most
            body(PageReply(nonce: nonce, page: page, version: version, index: UInt8(index), count: UInt8(pieces),
                           offset: UInt16(offset), length: UInt16(min(most, total - offset))))
        }
    }
}
