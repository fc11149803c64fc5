import Kernel
import Wire

/// Commands of the host that wait to be run as transactions. One that waits already is not taken twice; one that finds
/// no place is dropped, because the host sends it again.
struct CommandQueue {
    private static let capacity = 16

    private var heads: [Wire.Command]
    private var payloads: [[UInt8]]
    private var first = 0
    private(set) var count = 0
    /// One of those that wait ends the job, or this node's part in the cluster: no step needs to come to its end.
    private(set) var endsSteps = false

    init() {
        let none = Wire.Command(identifier: 0, verb: .perform, argument: 0, length: 0)
        heads = [Wire.Command](repeating: none, count: Self.capacity)
        payloads = []
        for _ in 0..<Self.capacity { payloads.append([UInt8](repeating: 0, count: Limits.commandBytes)) }
    }

    mutating func append(_ command: Wire.Command, from frame: RawSpan) {
        guard count < Self.capacity else { return }
        for place in 0..<count where heads[(first + place) % Self.capacity].identifier == command.identifier { return }
        let slot = (first + count) % Self.capacity
        heads[slot] = command
        payloads[slot].withBytes { $0.copy(frame, from: Wire.Command.dataOffset, count: Int(command.length), to: 0) }
        count += 1
        if isEnd(command, in: slot) { endsSteps = true }
    }

    private func isEnd(_ command: Wire.Command, in slot: Int) -> Bool {
        switch command.verb {
        case .perform: payloads[slot].withFirst(Int(command.length)) { Kernel.Command.endsJob($0) }
        case .powerOff: true
        case .recordHistory: false
        }
    }

    /// The oldest command; there is one.
    var head: Wire.Command { heads[first] }

    /// Lends the oldest command's payload.
    func withPayload<Result>(_ body: (RawSpan) -> Result) -> Result {
        payloads[first].withFirst(Int(head.length), body)
    }

    mutating func removeFirst() {
        first = (first + 1) % Self.capacity
        count -= 1
        // Until the last is done: no step runs before.
        if count == 0 { endsSteps = false }
    }
}

extension [UInt8] {
    /// Lends the first `count` bytes for reading.
    func withFirst<Result>(_ count: Int, _ body: (RawSpan) -> Result) -> Result {
        let elements = span
        return body(elements.bytes.extracting(0..<count))
    }

    /// Lends the bytes for writing.
    mutating func withBytes(_ body: (inout MutableRawSpan) -> Void) {
        var elements = mutableSpan
        var bytes = elements.mutableBytes
        body(&bytes)
    }
}
