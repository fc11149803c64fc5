/// How long machines have stood still: a paused machine's clock stands still as well.
struct Pauses {
    /// When each pause that lasts began, by node.
    private var since: [Int: UInt64] = [:]
    /// Nanoseconds of the pauses that have ended, by node.
    private var ended: [Int: UInt64] = [:]

    mutating func update(paused: [Int], now: UInt64) {
        for node in paused where since[node] == nil { since[node] = now }
        for (node, began) in since where !paused.contains(node) {
            ended[node, default: 0] += now - began
            since[node] = nil
        }
    }

    /// Nanoseconds of the node that stood still longest.
    func longest(now: UInt64) -> UInt64 {
        Set(since.keys).union(ended.keys).reduce(0) { longest, node in
            max(longest, ended[node, default: 0] + (since[node].map { now - $0 } ?? 0))
        }
    }
}
