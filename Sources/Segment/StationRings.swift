import Control
import Wire

/// The ring that the switch writes to for a station, and the one that it is offered: a switch that was started anew has
/// none, sends through the socket, and takes the next.
struct StationRings {
    /// Nil until the switch has taken one.
    private(set) var current: FrameRingReader?
    /// Nil while the switch has what it needs.
    private(set) var offered: FrameRingReader?

    /// - Throws: `.fault` when the system has no memory to share.
    init() throws(Failure) { offered = try FrameRingReader() }

    /// Whether what is offered was taken: frames come through it from now on, and what came before it came through
    /// the current one and the socket.
    var isOfferTaken: Bool { offered?.ring.isTaken == true }

    /// Offers a new one to a switch that has none. Without memory for it frames go on to come through the socket.
    mutating func offer() {
        if offered == nil { offered = try? FrameRingReader() }
    }

    /// The offer was taken, and all that had come before was.
    mutating func settle() {
        current = offered
        offered = nil
    }

    /// Hands out frames that are there, so many at most, and returns how many there were.
    mutating func take(most: Int, _ body: (RawSpan) -> Void) -> Int {
        guard let current else { return 0 }
        if let count = current.take(most: most, body) { return count }
        // Whoever wrote that is not to be believed any more.
        self.current = nil
        offer()
        return 0
    }

    /// Wants the bell for the next frame.
    ///
    /// - Returns: False when there is one already.
    func fallAsleep() -> Bool {
        let isFirst = current?.fallAsleep() ?? true
        return (offered?.fallAsleep() ?? true) && isFirst
    }

    func wakeUp() {
        current?.wakeUp()
        offered?.wakeUp()
    }
}
