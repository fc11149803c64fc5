import Control
import Durability
import Foundation
import Kernel
import Logging
import Store
import Synchronization
import Testing
import Wire

@testable import PageServer

/// The image of an arbiter that has begun again, which reads its pages late.
@Suite struct SharedImageTests {
    private let place: Place
    private let path: String
    /// More pages than are read at a time.
    private static let heap = 100..<300 as Range<UInt32>

    init() throws {
        place = try Place()
        path = place.path + "/s"
        // An opening reads the last segments record by record: what counts is in earlier ones, which list their pages.
        let geometry = Geometry(pageCount: 1024, segmentBytes: 1 << 20, reserveBytes: 4096)
        var store = try Store.create(
            on: StoreDirectory(path, for: .creating), cluster: 7, identity: 1, key: SipHash.Key(low: 2, high: 3),
            geometry)
        for page in [1] + Self.heap { try store.put(page, version: GlobalTime(raw: 6), Self.bytes(page).span.bytes) }
        try store.commitCheckpoint(Checkpoint(time: GlobalTime(raw: 6), created: 0, isKept: false))
        for page in 400..<1000 as Range<UInt32> {
            try store.put(page, version: GlobalTime(raw: 7), Self.bytes(page).span.bytes)
        }
        try store.commitCheckpoint(Checkpoint(time: GlobalTime(raw: 7), created: 0, isKept: false))
        try store.settle()
    }

    private static func bytes(_ page: UInt32) -> [UInt8] {
        (0..<Limits.pageBytes).map { UInt8(truncatingIfNeeded: $0 % 4 == 0 ? Int(page) : Int(page) >> 8) }
    }

    /// What the nodes of a program have in common: where its result is.
    private static func common(resultPage: UInt8, count: UInt8) -> [UInt8] {
        var page = [UInt8](repeating: 0, count: Limits.pageBytes)
        (page[0], page[8]) = (resultPage, count)
        return page
    }

    private func keeper(keeping count: Int = 10) throws -> StoreKeeper {
        let quiet = Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }
        let settings = StoreSettings(directory: path, retention: Retention(count: count, age: 0))
        return try StoreKeeper(settings, cluster: 7, sharedPages: 1024, logger: quiet)
    }

    /// Another bit in the middle of a page, wherever its newest version lies.
    private func damage(_ page: UInt32) throws {
        for segment in try place.segments("s").reversed() {
            var data = try Data(contentsOf: segment)
            guard let found = data.range(of: Data(Self.bytes(page))) else { continue }
            data[found.lowerBound + 2000] ^= 1
            return try data.write(to: segment)
        }
        Issue.record("page \(page) is not in the store")
    }

    /// Reads all that is late, and returns it in the order in which it was told.
    private func readBehind(_ keeper: StoreKeeper) async -> [ImageReader.Portion] {
        let (portions, told) = AsyncStream.makeStream(of: ImageReader.Portion.self)
        keeper.begin { report in
            guard case .read(let portion) = report else { return }
            told.yield(portion)
            if portion.isLast { told.finish() }
        }
        return await portions.reduce(into: []) { $0.append($1) }
    }

    @Test func pagesAreReadWhenTheyAreWanted() throws {
        var image = try keeper().contents().image
        #expect(image.time == GlobalTime(raw: 7))
        // But for those that the arbiter looks at by itself.
        let late = Self.heap.count + 600
        #expect(image.unreadCount == late && image.bytes(of: 1) == Self.bytes(1))
        #expect(image.bytes(of: 299) == Self.bytes(299) && image.unreadCount == late)
        #expect(image.copy(of: 299) != nil && image.copy(of: 1024) == nil)
        #expect(image.fetch(299) == Self.bytes(299) && image.unreadCount == late - 1)
        #expect(image.fetch(299) == Self.bytes(299) && image.unreadCount == late - 1)
        #expect(image.fetch(350) == [UInt8](repeating: 0, count: Limits.pageBytes))
    }

    @Test func theRestIsReadBehind() async throws {
        let keeper = try keeper()
        var image = try keeper.contents().image
        let new = [UInt8](repeating: 9, count: Limits.pageBytes)
        image.set(150, to: new)
        let portions = await readBehind(keeper)
        #expect(portions.count > 2 && portions.dropLast().allSatisfy { !$0.isLast })
        for portion in portions { image.adopt(portion) }
        #expect(image.unreadCount == 0 && image.damage == nil)
        for page in Self.heap { #expect(image.bytes(of: page) == (page == 150 ? new : Self.bytes(page))) }
    }

    @Test func whatCannotBeReadBackIsTold() async throws {
        try damage(170)
        try damage(172)
        let keeper = try keeper()
        var image = try keeper.contents().image
        #expect(image.fetch(170) == nil && image.fetch(171) == Self.bytes(171))
        #expect(image.damage == nil, "whether it can be read at last is not known")
        for portion in await readBehind(keeper) { image.adopt(portion) }
        #expect(image.unreadCount == 0)
        let damage = try #require(image.damage)
        #expect(damage.kind == .fault)
        #expect(damage.message.hasPrefix("2 pages of the saved memory cannot be read back: \(path): segment."))
        #expect(image.bytes(of: 170) == nil && image.copy(of: 172) == nil)
        // Who writes all of it anew needs none of what it was.
        image.set(170, to: Self.bytes(170))
        #expect(image.damage?.message.hasPrefix("a page of the saved memory") == true)
        image.set(172, to: Self.bytes(172))
        #expect(image.damage == nil && image.bytes(of: 172) == Self.bytes(172))
    }

    /// What was short for a moment is read at the end.
    @Test func whatFailsOnceIsTriedAgain() async throws {
        let healthy = Dictionary(uniqueKeysWithValues: try place.segments("s").map { ($0, try Data(contentsOf: $0)) })
        try damage(170)
        let keeper = try keeper()
        let image = Mutex(try keeper.contents().image)
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        keeper.begin { report in
            guard case .read(let portion) = report else { return }
            image.withLock { $0.adopt(portion) }
            for (file, data) in healthy where !portion.isLast { try? data.write(to: file) }
            if portion.isLast { end.finish() }
        }
        for await _ in ends {}
        #expect(image.withLock { $0.unreadCount } == 0 && image.withLock { $0.damage } == nil)
        #expect(image.withLock { $0.bytes(of: 170) } == Self.bytes(170))
    }

    /// The old checkpoints may have what is lost.
    @Test(arguments: [false, true]) func noCheckpointIsForgottenForOneWithDamage(isDamaged: Bool) async throws {
        if isDamaged { try damage(170) }
        let keeper = try keeper(keeping: 1)
        _ = try keeper.contents()
        _ = await readBehind(keeper)
        for counter in 8...10 as ClosedRange<UInt64> {
            let time = GlobalTime(raw: counter)
            let mark = keeper.mark("", notBefore: time, now: counter)
            _ = keeper.end(
                at: time, with: [PageVersion(number: 500, version: time, bytes: Self.bytes(UInt32(counter)))],
                isShort: true, now: counter)
            while keeper.outcome(of: mark) == nil { await keeper.settled(mark, within: .milliseconds(50)) }
        }
        #expect(keeper.checkpoints.count(where: \.isKept) == (isDamaged ? 3 : 1))
    }

    /// What is read behind lies where it lay meanwhile.
    @Test func nothingIsTidiedUpBeforeAllIsRead() async throws {
        do {
            var store = try Store.open(StoreDirectory(path, for: .writing))
            for time in [GlobalTime(raw: 8), GlobalTime(raw: 9)] {
                for page in 400..<1000 as Range<UInt32> {
                    try store.put(page, version: time, Self.bytes(page).span.bytes)
                }
                try store.commitCheckpoint(Checkpoint(time: time, created: 0, isKept: true))
            }
        }
        let keeper = try keeper()
        _ = try keeper.contents()
        let old = GlobalTime(raw: 8)
        let before = try place.segments("s").count
        let counts = Mutex<[Int]>([])
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        let place = path
        keeper.begin { [weak keeper] report in
            guard case .read(let portion) = report, let keeper else { return }
            if counts.withLock({ $0.isEmpty }) { _ = try? keeper.forget([CheckpointName.text(old)]) }
            // What a forgetting has begun in the queue has gone on when this has waited its turn.
            for _ in 0..<10 { _ = keeper.checkpoints }
            let names = (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []
            counts.withLock { $0.append(names.count { $0.hasPrefix("segment.") }) }
            if portion.isLast { end.finish() }
        }
        for await _ in ends {}
        #expect(keeper.checkpoints.count(where: \.isKept) == 1, "the older one is forgotten")
        #expect(counts.withLock { $0.count > 2 && $0.min() ?? 0 >= before }, "\(counts.withLock { $0 }) of \(before)")
        for _ in 0..<100 where try self.place.segments("s").count >= before {
            try await Task.sleep(for: .milliseconds(50))
        }
        #expect(try self.place.segments("s").count < before)
    }

    /// A program that has ended is not told to have come to less than it has.
    @Test func aResultThatCannotBeReadBackIsNoResult() async throws {
        try damage(170)
        let keeper = try keeper()
        var image = try keeper.contents().image
        let job = LayoutTests.image(phase: .finished)
        for page in 0...2 as ClosedRange<UInt32> { image.set(page, to: try #require(job.bytes(of: page))) }
        image.set(SystemLayout.commonPage, to: Self.common(resultPage: 170, count: 8))
        var jobs = Jobs(incarnation: 1, in: try RunDirectory(name: "c", base: "/tmp/x"), now: 0)
        var orders = Orders(incarnation: 1)
        jobs.refresh(image, now: 0, &orders)
        #expect(jobs.running(now: 0)?.program == "counter", "the page may be found yet")
        #expect(jobs.isLookWanted)
        for portion in await readBehind(keeper) { image.adopt(portion) }
        jobs.refresh(image, now: 0, &orders)
        #expect(jobs.running(now: 0) == nil && !jobs.isLookWanted)
        let (reply, result) = jobs.report(7, now: 0)
        #expect(reply.state == .failed && reply.failure?.kind == .fault && result.isEmpty)
        #expect(reply.failure?.message.contains("cannot be read back") == true)
        // Beside one that can.
        image.set(SystemLayout.commonPage, to: Self.common(resultPage: 171, count: 8))
        jobs = Jobs(incarnation: 1, in: try RunDirectory(name: "c", base: "/tmp/x"), now: 0)
        jobs.refresh(image, now: 0, &orders)
        let whole = jobs.report(7, now: 0)
        #expect(whole.reply.state == .finished && whole.result == Array(Self.bytes(171)[8..<16]))
    }

    @Test func theStoreSaysWhereAPageIsNow() throws {
        let keeper = try keeper()
        #expect(try keeper.page(120, GlobalTime(raw: 6)).get() == Self.bytes(120))
        #expect(try keeper.page(120, GlobalTime(raw: 5)).get() == nil)
    }

    /// An arbiter that does not know its nodes and its program would do harm.
    @Test func theSystemsPagesMustBeSound() throws {
        try damage(1)
        let keeper = try keeper()
        let failure = #expect(throws: Failure.self) { try keeper.contents() }
        #expect(failure?.kind == .fault && failure?.message.contains("is damaged at byte") == true)
    }

    /// A page that was moved is where the store says.
    @Test func theStoreIsAskedForWhatWasMoved() throws {
        try damage(180)
        let asked = Mutex<[UInt32]>([])
        func pages(_ answer: Result<[UInt8]?, Failure>) throws -> StoredPages {
            let store = try Store.open(StoreDirectory(path, for: .reading))
            return StoredPages(try store.makeReader()) { page, version in
                asked.withLock { $0.append(page) }
                return version == GlobalTime(raw: 6) ? answer : .success(nil)
            }
        }
        #expect(try pages(.success(Self.bytes(180))).bytes(of: 180) == Self.bytes(180))
        #expect(try pages(.success(nil)).bytes(of: 180) == nil)
        #expect(throws: Failure.self) { try pages(.failure(Failure(.fault, "lost"))).bytes(of: 180) }
        #expect(try pages(.success(nil)).bytes(of: 181) == Self.bytes(181))
        #expect(asked.withLock { $0 } == [180, 180, 180])
    }
}
