import Durability
import Protocol
import Store
import Wire

/// The shared memory as a store has it at one commit time.
struct SavedState {
    var time: GlobalTime
    var image: [[UInt64]]
    var versions: [GlobalTime]

    /// - Parameter time: Of a checkpoint; nil for the newest state.
    init(reading state: inout DurableState<DiskAccess>, at wanted: GlobalTime?, _ form: StoredPage) throws(StoreError) {
        time = wanted ?? state.time
        let count = state.store.geometry.pageCount
        image = []
        versions = []
        for page in 0..<UInt32(count) {
            var bytes = [UInt8](repeating: 0xEE, count: form.byteCount)
            var span = bytes.mutableSpan
            var raw = span.mutableBytes
            versions.append(try state.read(page, at: wanted, into: &raw))
            image.append(form.content(bytes))
        }
    }
}
