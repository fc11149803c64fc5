import Dispatch
import Synchronization

/// Some of an image on its way from who reads it to the arbiter. It holds little: an arbiter may stand still.
final class PortionQueue: Sendable {
    private struct State {
        var portions: [ImageReader.Portion] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let room = DispatchSemaphore(value: 0)

    private static let capacity = 16

    init() {
        // As many as it may hold: one that began with a value would have to have it again at its end.
        for _ in 0..<Self.capacity { room.signal() }
    }

    /// Waits until there is room.
    ///
    /// - Returns: False when it was closed.
    func put(_ portion: ImageReader.Portion) -> Bool {
        room.wait()
        return state.withLock { state in
            if !state.isClosed { state.portions.append(portion) }
            return !state.isClosed
        }
    }

    func takeAll() -> [ImageReader.Portion] {
        let portions = state.withLock { state in
            defer { state.portions.removeAll() }
            return state.portions
        }
        for _ in portions { room.signal() }
        return portions
    }

    /// Nothing is taken any more.
    func close() {
        state.withLock { $0.isClosed = true }
        room.signal()
    }
}
