/// What happens at a moment of virtual time.
enum Event {
    /// A frame arrives at a station.
    case deliver(Frame, to: UInt8)
    /// A station looks at its clock; stale when its generation has gone on.
    case wake(UInt8, generation: UInt64)
    /// The thread of the arbiter's store goes on; stale when the arbiter was started anew.
    case store(life: Int)
    /// The next entry of the fault script.
    case fault(Fault)
}

/// The bytes of a frame on their way; shared between its receivers.
final class Frame {
    let bytes: [UInt8]
    /// Someone without the key has changed what its tag covers.
    let isForged: Bool
    /// Which lives of which stations have let it in.
    private var admissions: [(station: UInt8, life: Int)] = []

    init(_ bytes: [UInt8], isForged: Bool = false) {
        self.bytes = bytes
        self.isForged = isForged
    }

    /// A station lets it in; false when it did before.
    func admit(at station: UInt8, life: Int) -> Bool {
        guard !admissions.contains(where: { $0.station == station && $0.life == life }) else { return false }
        admissions.append((station, life))
        return true
    }
}

/// A binary heap of events by time, and by order of insertion at equal times.
struct EventQueue {
    private struct Entry {
        var time: UInt64
        var order: UInt64
        var event: Event

        func isBefore(_ other: Entry) -> Bool { time != other.time ? time < other.time : order < other.order }
    }

    private var heap: [Entry] = []
    private var order: UInt64 = 0

    var isEmpty: Bool { heap.isEmpty }
    var nextTime: UInt64? { heap.first?.time }

    mutating func insert(_ event: Event, at time: UInt64) {
        order += 1
        heap.append(Entry(time: time, order: order, event: event))
        var place = heap.count - 1
        while place > 0 {
            let parent = (place - 1) / 2
            guard heap[place].isBefore(heap[parent]) else { break }
            heap.swapAt(place, parent)
            place = parent
        }
    }

    mutating func removeFirst() -> (time: UInt64, event: Event)? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        if !heap.isEmpty {
            heap[0] = last
            var place = 0
            while true {
                var least = place
                for child in [2 * place + 1, 2 * place + 2] where child < heap.count {
                    if heap[child].isBefore(heap[least]) { least = child }
                }
                guard least != place else { break }
                heap.swapAt(place, least)
                place = least
            }
        }
        return (first.time, first.event)
    }
}
