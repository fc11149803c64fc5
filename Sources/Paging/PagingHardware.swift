/// What paging needs of the machine: words and bytes of physical memory, and the translation cache.
///
/// In the image it is the direct map and `invlpg`; in tests an array that plays the processor.
public protocol PagingHardware {
    func load(_ physical: UInt64) -> UInt64
    func store(_ physical: UInt64, _ value: UInt64)
    /// Fills a page frame with zeros.
    func clear(_ frame: UInt64)
    /// Copies a page frame.
    func copy(_ source: UInt64, to target: UInt64)
    /// Copies `count` bytes of a span into physical memory, and back.
    func write(_ physical: UInt64, _ bytes: RawSpan, from start: Int, count: Int)
    func read(_ physical: UInt64, count: Int, into bytes: inout MutableRawSpan, at target: Int)
    /// Forgets the translation of one page, so that a cleared accessed bit is set again by the next access.
    func invalidate(_ address: UInt64)
    /// Forgets every translation.
    func reload()
}
