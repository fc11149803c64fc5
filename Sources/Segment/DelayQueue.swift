import Wire

/// Frames that wait for their time: a binary heap by due time, first come first served among equals.
struct DelayQueue {
    struct Entry {
        /// Monotonic time in microseconds.
        var due: UInt64
        var order: UInt64
        var station: UInt8
        var frame: [UInt8]

        fileprivate func isBefore(_ other: Entry) -> Bool { (due, order) < (other.due, other.order) }
    }

    /// Frames held at most: a second of full speed between two nodes.
    static let limit = 1 << 16
    /// Bytes of them at most: 272 MiB, so many when each has a page.
    static let byteLimit = limit * Limits.maximumFrameBytes

    private var heap: [Entry] = []
    private var bytes = 0
    private var order: UInt64 = 0

    var nextDue: UInt64? { heap.first?.due }

    /// False when the queue is full.
    mutating func insert(_ frame: [UInt8], to station: UInt8, due: UInt64) -> Bool {
        guard heap.count < Self.limit, bytes + frame.count <= Self.byteLimit else { return false }
        order += 1
        bytes += frame.count
        heap.append(Entry(due: due, order: order, station: station, frame: frame))
        var child = heap.count - 1
        while child > 0, heap[child].isBefore(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
        return true
    }

    /// Takes the first entry that is due.
    mutating func take(at now: UInt64) -> Entry? {
        guard let first = heap.first, first.due <= now else { return nil }
        bytes -= first.frame.count
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        return first
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = parent
            for child in 2 * parent + 1...2 * parent + 2 {
                if child < heap.count, heap[child].isBefore(heap[least]) { least = child }
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
