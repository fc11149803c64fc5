import Control
import Durability
import Heap
import Kernel
import Programs
import Store
import Wire

/// The shared memory as the arbiter has it: what every page held at one commit time. Once that time is saved it can
/// never be undone, and what is read from it may be shown. A copy of the value stays as it is while the arbiter goes
/// on saving.
public struct SharedImage: PageSource, Sendable {
    /// The commit time of this state.
    public private(set) var time = GlobalTime.zero
    /// Bytes of each page; empty for a page that was never saved, which is zero.
    private var pages: [[UInt8]]
    /// Pages that hold bytes.
    private(set) var pageCountInUse = 0

    private static let zeros = [UInt8](repeating: 0, count: Limits.pageBytes)

    /// A memory of zeros.
    init(pageCount: Int) {
        pages = [[UInt8]](repeating: [], count: pageCount)
    }

    /// The newest state of a store.
    ///
    /// - Throws: `.damaged` for a page that cannot be read as it was written.
    init(reading state: inout DurableState<StoreDirectory>) throws(StoreError) {
        self.init(pageCount: state.store.geometry.pageCount)
        for page in 0..<UInt32(pageCount) where state.store.version(of: page) > .zero { try read(page, of: &state) }
        close(at: state.time)
    }

    /// What the layout of a saved state is seen from: its root and its job. All other pages are zero.
    ///
    /// - Throws: `.damaged` for a page that cannot be read as it was written.
    init(
        layoutOf state: inout DurableState<StoreDirectory>, at time: GlobalTime
    ) throws(StoreError) {
        self.init(pageCount: state.store.geometry.pageCount)
        for page in [SystemLayout.rootPage, SystemLayout.jobPage] { try read(page, of: &state, at: time) }
        close(at: time)
    }

    /// The page as the store has it, of the newest state when no other is named.
    private mutating func read(
        _ page: UInt32, of state: inout DurableState<StoreDirectory>, at time: GlobalTime? = nil
    ) throws(StoreError) {
        var bytes = [UInt8](repeating: 0, count: Limits.pageBytes)
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        _ = try state.read(page, at: time, into: &raw)
        set(page, to: bytes)
    }

    /// Pages of the shared memory.
    public var pageCount: Int { pages.count }

    /// The bytes of a page, which must be one of the shared memory.
    public func bytes(of page: UInt32) -> [UInt8] {
        let bytes = pages[Int(page)]
        return bytes.isEmpty ? Self.zeros : bytes
    }

    /// Whether the page was ever saved.
    func isInUse(_ page: UInt32) -> Bool { !pages[Int(page)].isEmpty }

    /// The page for readers of records; nil for a page outside of the shared memory.
    public func copy(of page: UInt32) -> PageCopy? {
        guard Int(page) < pages.count else { return nil }
        return PageCopy(page: page, bytes: bytes(of: page))
    }

    /// The value at a place, which must lie inside one page of the shared memory.
    public subscript<Value: BitwiseCopyable>(place: Shared<Value>) -> Value {
        let offset = Int(place.address.offset % pageByteCount)
        precondition(offset + MemoryLayout<Value>.size <= Limits.pageBytes, "a value that crosses pages")
        // Safe: inside the page by the check above; every value of a record is valid with any bits.
        return bytes(of: place.address.page).withUnsafeBytes {
            $0.loadUnaligned(fromByteOffset: offset, as: Value.self)
        }
    }

    /// - Throws: `.input` for a saved memory in which another build has laid something out differently: the system
    ///   pages, or what a program keeps that was at work.
    func checkLayout(of store: String) throws(Failure) {
        guard time > .zero else { return }
        guard Root(self) != nil else {
            throw misfit("the type Root of its memory has format \(self[Root.format])", "\(Root.expectedFormat)", store)
        }
        let job = JobRecord(self)
        guard job.phase?.isActive == true, job.programFormat != 0 else { return }
        let name = String(decoding: job.nameBytes, as: UTF8.self)
        // A program that there is no more ends by itself, with a word.
        let known = ProgramTable.all.first { $0.name.description == name }?.format
        guard let known, job.programFormat != known else { return }
        throw misfit(
            "the program \(name) was at work, whose memory has format \(job.programFormat)", "\(known)", store)
    }

    private func misfit(_ what: String, _ known: String, _ store: String) -> Failure {
        Failure(
            .input, "\(store): \(what), and this build knows \(known)",
            advice: "use the plurix that wrote it, go on from an earlier checkpoint with --at, or begin a new store"
                + " with plurix up --new", at: store)
    }

    /// A page gets other bytes; part of a state that `close` names.
    ///
    /// - Returns: What it held; empty for a page that was never saved.
    @discardableResult
    mutating func set(_ page: UInt32, to bytes: consuming [UInt8]) -> [UInt8] {
        precondition(bytes.count == Limits.pageBytes, "a page has one size")
        if pages[Int(page)].isEmpty { pageCountInUse += 1 }
        swap(&pages[Int(page)], &bytes)
        return bytes
    }

    /// All pages that were set belong to the state at this time.
    mutating func close(at time: GlobalTime) {
        self.time = time
    }
}
