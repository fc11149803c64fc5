import Protocol
import Wire

/// How the arbiter's store has a page: only the words that the programs write, so that a run writes little.
struct StoredPage {
    /// Words at the beginning of a page that are kept; of the others only those that hold its stamp.
    let leading: Int
    private var stamps: [Int] { Workload.stampWords.filter { $0 >= leading } }

    init(_ layout: Layout) { leading = layout.leadingWords }

    /// For programs that have no hash table.
    init() { leading = Layout.fewWords }

    var byteCount: Int { 8 * (leading + stamps.count) }

    func bytes(_ content: [UInt64]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: byteCount)
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        for word in 0..<leading { raw.store(content[word], at: 8 * word) }
        for (place, word) in stamps.enumerated() { raw.store(content[word], at: 8 * (leading + place)) }
        precondition(content[leading..<(leading + 4)].allSatisfy { $0 == 0 }, "the programs write no other words")
        return bytes
    }

    func content(_ bytes: [UInt8]) -> [UInt64] {
        var content = [UInt64](repeating: 0, count: PageFrames.words)
        let span = bytes.span.bytes
        for word in 0..<leading { content[word] = span.load(UInt64.self, at: 8 * word) }
        for (place, word) in stamps.enumerated() { content[word] = span.load(UInt64.self, at: 8 * (leading + place)) }
        return content
    }
}
