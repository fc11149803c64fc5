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

    /// Nanoseconds of all nodes together: from one look to the next it grows by at least as much as any one of them
    /// stood still. (The longest of them does not: another node may have been paused for longer before.)
    func total(now: UInt64) -> UInt64 {
        ended.values.reduce(0, +) + since.values.reduce(0) { $0 + now - $1 }
    }
}
