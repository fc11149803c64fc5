import Control
import Durability
import Heap
import Kernel
import Programs
import Store
import Wire

/// The shared memory as the arbiter has it: what every page held at one commit time. Once that time is saved it can
/// never be undone, and what is read from it may be shown.
///
/// Pages that an earlier arbiter saved are read from the store when they are wanted first, or by `ImageReader`: a heap
/// of any size is there at once. Whether they can be read back is the reader's word.
public struct SharedImage: PageSource, Sendable {
    /// The commit time of this state.
    public private(set) var time = GlobalTime.zero
    /// Bytes of each page; empty for one that is zero, late or lost.
    private var pages: [[UInt8]]
    private var late: LatePages
    /// Where late pages are; nil when there are none.
    private var stored: StoredPages?
    private var losses: [UInt32: ImageReader.Loss] = [:]

    private static let zeros = [UInt8](repeating: 0, count: Limits.pageBytes)

    /// A memory of zeros.
    init(pageCount: Int) {
        pages = [[UInt8]](repeating: [], count: pageCount)
        late = LatePages(pageCount: pageCount) { _ in false }
    }

    /// The state of a store, of which the pages that the arbiter itself looks at are read.
    ///
    /// - Throws: Why one of these cannot be read.
    init(_ stored: StoredPages, pageCount: Int, at time: GlobalTime) throws(Failure) {
        self.init(pageCount: pageCount)
        late = LatePages(pageCount: pageCount, where: stored.has)
        self.stored = stored
        for page in 0..<min(SystemLayout.heapFirstPage, UInt32(pageCount)) where stored.has(page) {
            if let bytes = try stored.bytes(of: page) { set(page, to: bytes) }
        }
        close(at: time)
    }

    /// What the layout of a saved state is seen from: its root and its job. All other pages are zero.
    ///
    /// - Throws: `.damaged` for a page that cannot be read as it was written.
    init(
        layoutOf state: inout DurableState<StoreDirectory>, at time: GlobalTime
    ) throws(StoreError) {
        self.init(pageCount: state.store.geometry.pageCount)
        for page in [SystemLayout.rootPage, SystemLayout.jobPage] {
            var bytes = [UInt8](repeating: 0, count: Limits.pageBytes)
            var span = bytes.mutableSpan
            var raw = span.mutableBytes
            _ = try state.read(page, at: time, into: &raw)
            set(page, to: bytes)
        }
        close(at: time)
    }

    /// Pages of the shared memory.
    public var pageCount: Int { pages.count }

    /// The bytes of a page, which must be one of the shared memory; nil when they cannot be read back.
    public func bytes(of page: UInt32) -> [UInt8]? {
        guard pages[Int(page)].isEmpty else { return pages[Int(page)] }
        guard late.contains(page) else { return losses[page] == nil ? Self.zeros : nil }
        // Why not is what the reader of all of them finds out.
        return late.isWorthReading(page) ? (try? stored?.bytes(of: page)) ?? nil : nil
    }

    /// The same for a page that may be wanted again.
    mutating func fetch(_ page: UInt32) -> [UInt8]? {
        let bytes = bytes(of: page)
        guard late.contains(page) else { return bytes }
        if let bytes { set(page, to: bytes) } else { late.miss(page) }
        return bytes
    }

    /// The page for readers of records; nil for a page outside of the shared memory, or one that cannot be read back.
    public func copy(of page: UInt32) -> PageCopy? {
        guard Int(page) < pages.count, let bytes = bytes(of: page) else { return nil }
        return PageCopy(page: page, bytes: bytes)
    }

    /// The value at a place, which must lie inside one page of the system's.
    public subscript<Value: BitwiseCopyable>(place: Shared<Value>) -> Value {
        let offset = Int(place.address.offset % pageByteCount)
        precondition(offset + MemoryLayout<Value>.size <= Limits.pageBytes, "a value that crosses pages")
        guard let bytes = bytes(of: place.address.page) else { preconditionFailure("a page of the system's is read") }
        // Safe: inside the page by the check above; every value of a record is valid with any bits.
        return bytes.withUnsafeBytes {
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
    /// - Returns: What it held; empty for a page that was not here.
    @discardableResult
    mutating func set(_ page: UInt32, to bytes: consuming [UInt8]) -> [UInt8] {
        precondition(bytes.count == Limits.pageBytes, "a page has one size")
        var old = bytes
        swap(&pages[Int(page)], &old)
        noteRead(page)
        if !losses.isEmpty { losses[page] = nil }
        return old
    }

    /// - Returns: Whether it was late.
    @discardableResult
    private mutating func noteRead(_ page: UInt32) -> Bool {
        guard late.remove(page) else { return false }
        // Its files are closed: what is deleted of them is to be free.
        if late.count == 0 { stored = nil }
        return true
    }

    /// All pages that were set belong to the state at this time.
    mutating func close(at time: GlobalTime) {
        self.time = time
    }

    // MARK: What was saved before

    /// Takes pages that were read, as far as they are still wanted.
    mutating func adopt(_ portion: consuming ImageReader.Portion) {
        for (number, bytes) in portion.pages where late.contains(number) || losses[number] != nil {
            set(number, to: bytes)
        }
        for (number, loss) in portion.lost where noteRead(number) || losses[number] != nil { losses[number] = loss }
    }

    /// Pages of which it is not known whether they can be read back.
    var unreadCount: Int { late.count }

    /// All pages are known to be as they were written.
    var isWhole: Bool { late.count == 0 && losses.isEmpty }

    /// Pages cannot be read back as they were written, and are not served; nil while none is known.
    var damage: Failure? {
        let known = losses.values.sorted { $0.version < $1.version }
        guard let first = known.first else { return nil }
        let count = known.count == 1 ? "a page" : "\(known.count) pages"
        let time = CheckpointName.text(first.version)
        var damage = (known.first { $0.failure.kind == .fault } ?? first).failure
        damage.message = "\(count) of the saved memory cannot be read back, as of commit \(time): \(damage.message)"
        // A process that is short of something is helped first.
        guard damage.kind == .fault else { return damage }
        damage.advice = "what needs them waits; go back with plurix restore to a checkpoint before \(time), or end the"
            + " cluster and save what is left with plurix store salvage"
        return damage
    }
}
