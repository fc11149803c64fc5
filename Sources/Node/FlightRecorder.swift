import Machine
import Protocol
import Wire

/// The last events of the protocol, for the epitaph: a ring that costs a few stores an event.
struct FlightRecorder {
    private struct Entry {
        var time: UInt64 = 0
        var name: StaticString = ""
        var first: UInt64 = 0
        var second: UInt64 = 0
    }

    private static let capacity = 128
    private var entries = [Entry](repeating: Entry(), count: capacity)
    private var next = 0

    mutating func record(_ event: ProtocolEvent, at time: UInt64) {
        switch event {
        case .joined(let incarnation, let applied): add("joined", UInt64(incarnation), applied.raw, time)
        case .refused(let reason): add("refused", UInt64(reason.rawValue), 0, time)
        case .keyMismatch: add("keyMismatch", 0, 0, time)
        case .committed(let at, let pages): add("committed", at.raw, UInt64(pages), time)
        case .applied(let at, let committer): add("applied", at.raw, UInt64(committer.number), time)
        case .doomed(let page, let by): add("doomed", UInt64(page.index), by.raw, time)
        case .tokenGranted(let number, let to): add("tokenGranted", UInt64(number), UInt64(to.number), time)
        case .tokenTaken(let number): add("tokenTaken", UInt64(number), 0, time)
        case .frozen(let epoch): add("frozen", UInt64(epoch), 0, time)
        case .epochOpened(let epoch, let at): add("epochOpened", UInt64(epoch), at.raw, time)
        case .asked(let page, let station): add("asked", UInt64(page.index), UInt64(station.number), time)
        case .installed(let page, let version): add("installed", UInt64(page.index), version.raw, time)
        case .rejoining: add("rejoining", 0, 0, time)
        }
    }

    private mutating func add(_ name: StaticString, _ first: UInt64, _ second: UInt64, _ time: UInt64) {
        entries[next] = Entry(time: time, name: name, first: first, second: second)
        next = (next + 1) % Self.capacity
    }

    /// Writes the events to the serial console, the oldest first: `EVENT nanoseconds name first second`.
    func write() {
        for place in 0..<Self.capacity {
            let entry = entries[(next + place) % Self.capacity]
            guard entry.time > 0 else { continue }
            Machine.write(serial: "EVENT ")
            Machine.write(serialDecimal: entry.time)
            Machine.write(serial: " ")
            Machine.write(serial: entry.name)
            Machine.write(serial: " ")
            Machine.write(serialHexadecimal: entry.first)
            Machine.write(serial: " ")
            Machine.write(serialHexadecimal: entry.second)
            Machine.write(serial: "\n")
        }
    }
}
