import Durability
import Store
import Wire

/// The pages of an image that an arbiter has not read yet from the store that it was started with, as `StoredPages` has
/// them: each is read when somebody wants it, or behind.
struct LatePages: ~Copyable {
    private var reader: PageReader<DiskAccess>
    /// By rising number.
    private var pages: [UInt32]

    /// - Parameter isImmediate: None is late.
    init(_ state: borrowing DurableState<DiskAccess>, isImmediate: Bool = false) throws(StoreError) {
        let reader = try state.store.makeReader()
        let all = 0..<UInt32(state.store.geometry.pageCount)
        pages = isImmediate ? [] : all.filter { reader.version(of: $0) > .zero }
        self.reader = reader
    }

    var isEmpty: Bool { pages.isEmpty }

    /// Some of those that are late.
    func next(_ count: Int) -> [UInt32] { Array(pages.prefix(count)) }

    /// A newer version is there.
    mutating func remove(_ page: UInt32) { pages.removeAll { $0 == page } }

    /// What a page holds; nil when it is not late. It is not any more.
    mutating func read(
        _ page: UInt32, _ form: StoredPage, _ state: inout DurableState<DiskAccess>
    ) -> [UInt64]? {
        guard pages.contains(page) else { return nil }
        remove(page)
        if let bytes = reader.read(page) { return form.content(bytes) }
        var bytes = [UInt8](repeating: 0, count: form.byteCount)
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        // A disk that fails does so once.
        for _ in 0..<2 where (try? state.read(page, into: &raw)) == reader.version(of: page) {
            return form.content(bytes)
        }
        return []
    }
}
