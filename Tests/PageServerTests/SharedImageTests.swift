import Control
import Foundation
import Kernel
import Store
import Synchronization
import Testing
import Wire

@testable import PageServer

/// The image of an arbiter that has begun again, which reads its pages late.
@Suite struct SharedImageTests {
    private let memory: SavedMemory

    init() throws { memory = try SavedMemory() }

    /// What the nodes of a program have in common: where its result is.
    private static func common(resultPage: UInt8, count: UInt8) -> [UInt8] {
        var page = [UInt8](repeating: 0, count: Limits.pageBytes)
        (page[0], page[8]) = (resultPage, count)
        return page
    }

    private static func bytes(_ page: UInt32) -> [UInt8] { SavedMemory.bytes(page) }

    @Test func pagesAreReadWhenTheyAreWanted() throws {
        var image = try memory.keeper().contents().image
        #expect(image.time == GlobalTime(raw: 7))
        // But for those that the arbiter looks at by itself.
        let late = SavedMemory.heap.count + 600
        #expect(image.unreadCount == late && image.bytes(of: 1) == Self.bytes(1))
        #expect(image.bytes(of: 299) == Self.bytes(299) && image.unreadCount == late)
        #expect(image.copy(of: 299) != nil && image.copy(of: 1024) == nil)
        #expect(image.fetch(299) == Self.bytes(299) && image.unreadCount == late - 1)
        #expect(image.fetch(299) == Self.bytes(299) && image.unreadCount == late - 1)
        #expect(image.fetch(350) == [UInt8](repeating: 0, count: Limits.pageBytes))
    }

    @Test func theRestIsReadBehind() async throws {
        let keeper = try memory.keeper()
        var image = try keeper.contents().image
        let new = [UInt8](repeating: 9, count: Limits.pageBytes)
        image.set(150, to: new)
        let portions = await memory.readBehind(keeper)
        #expect(portions.count > 2 && portions.dropLast().allSatisfy { !$0.isLast })
        for portion in portions { image.adopt(portion) }
        #expect(image.unreadCount == 0 && image.damage == nil)
        for page in SavedMemory.heap { #expect(image.bytes(of: page) == (page == 150 ? new : Self.bytes(page))) }
    }

    @Test func whatCannotBeReadBackIsTold() async throws {
        try memory.damage(170)
        try memory.damage(172)
        let keeper = try memory.keeper()
        var image = try keeper.contents().image
        #expect(image.fetch(170) == nil && image.fetch(171) == Self.bytes(171))
        #expect(image.damage == nil, "whether it can be read at last is not known")
        for portion in await memory.readBehind(keeper) { image.adopt(portion) }
        #expect(image.unreadCount == 0)
        let damage = try #require(image.damage)
        #expect(damage.kind == .fault)
        #expect(damage.message.hasPrefix(
            "2 pages of the saved memory cannot be read back, as of commit 0:6: \(memory.path): segment."))
        #expect(damage.advice?.contains("a checkpoint before 0:6,") == true)
        #expect(image.bytes(of: 170) == nil && image.copy(of: 172) == nil)
        // Who writes all of it anew needs none of what it was.
        image.set(170, to: Self.bytes(170))
        #expect(image.damage?.message.hasPrefix("a page of the saved memory") == true && !image.isWhole)
        image.set(172, to: Self.bytes(172))
        #expect(image.damage == nil && image.isWhole && image.bytes(of: 172) == Self.bytes(172))
    }

    /// Of several it is the oldest that says how far to go back.
    @Test func theOldestLossIsTold() async throws {
        try memory.damage(170)
        try memory.damage(500)
        let keeper = try memory.keeper()
        var image = try keeper.contents().image
        for portion in await memory.readBehind(keeper) { image.adopt(portion) }
        #expect(image.damage?.message.contains("as of commit 0:6:") == true)
        image.set(170, to: Self.bytes(170))
        #expect(image.damage?.message.contains("as of commit 0:7:") == true)
    }

    /// What could not be read is read again at the end.
    @Test func whatFailsOnceIsTriedAgain() async throws {
        let mend = try memory.damage(110)
        let keeper = try memory.keeper()
        var image = try keeper.contents().image
        let isMended = Mutex(false)
        let portions = await memory.readBehind(keeper) { portion in
            // The page is one of the first portion's.
            guard !isMended.withLock({ $0 }) else { return }
            isMended.withLock { $0 = true }
            do { try mend() } catch { Issue.record(error) }
        }
        let place = try #require(portions.firstIndex { $0.pages.contains { $0.number == 110 } })
        #expect(place > 2 && place == portions.count - 2)
        for portion in portions { image.adopt(portion) }
        #expect(image.isWhole && image.bytes(of: 110) == Self.bytes(110))
    }

    /// A process that may open no more files is no damage.
    @Test func whatFailsForAWhileIsNotLost() throws {
        try memory.damage(110)
        let tries = Mutex(0)
        let store = try Store.open(StoreDirectory(memory.path, for: .reading))
        let pages = StoredPages(try store.makeReader()) { page, version in
            let tries = tries.withLock { tries in
                tries += 1
                return tries
            }
            return tries == 1 ? .failure(Failure(.unavailable, "as many files are open")) : .success(Self.bytes(page))
        }
        var reader = ImageReader(pages)
        var found: [UInt32: [UInt8]] = [:]
        var lost: [UInt32] = []
        reader.run { portion in
            for (number, bytes) in portion.pages { found[number] = bytes }
            lost += portion.lost.map(\.number)
            return true
        }
        #expect(lost.isEmpty && found[110] == Self.bytes(110) && tries.withLock { $0 } == 2)
    }

    /// A disk may be mended while it is in use; what was written anew meanwhile is not tried again.
    @Test func whatIsMendedIsNotLostAnyMore() throws {
        for page in [110, 111, 112] as [UInt32] { try memory.damage(page) }
        let rounds = Mutex(0)
        let store = try Store.open(StoreDirectory(memory.path, for: .reading))
        let pages = StoredPages(try store.makeReader()) { page, _ in
            let isMended = rounds.withLock { $0 } > 0
            if page == 111, isMended { return .success(nil) }
            return page == 110 && isMended ? .success(Self.bytes(page)) : .failure(Failure(.fault, "lost"))
        }
        var reader = ImageReader(pages, patience: 1)
        var image = try SharedImage(pages, pageCount: 1024, at: GlobalTime(raw: 7))
        var counts: [Int] = []
        reader.run { portion in
            image.adopt(portion)
            let isOver = portion.isLast || rounds.withLock { $0 } > 0
            guard isOver else { return true }
            if portion.isLast {
                #expect(image.damage?.message.hasPrefix("3 pages") == true && portion.lost.count == 3)
                image.set(111, to: Self.bytes(7))
            } else {
                counts.append(portion.lost.count + portion.pages.count)
                #expect(image.bytes(of: 110) == Self.bytes(110) && image.bytes(of: 111) == Self.bytes(7))
                #expect(image.damage?.message.hasPrefix("a page") == true && image.bytes(of: 112) == nil)
            }
            return rounds.withLock { rounds in
                rounds += 1
                return rounds < 3
            }
        }
        // What is mended and what is lost, and then that alone.
        #expect(counts == [2, 1])
    }

    /// A page that was wanted in vain is not read again for each who asks: the reader of all of them does so.
    @Test func whatIsMissedIsReadBehind() throws {
        try memory.damage(170)
        let asked = Mutex(0)
        let store = try Store.open(StoreDirectory(memory.path, for: .reading))
        let pages = StoredPages(try store.makeReader()) { _, _ in
            asked.withLock { $0 += 1 }
            return .failure(Failure(.fault, "lost"))
        }
        var image = try SharedImage(pages, pageCount: 1024, at: GlobalTime(raw: 7))
        for _ in 0..<3 { #expect(image.fetch(170) == nil) }
        #expect(asked.withLock { $0 } == 1)
        image.adopt(ImageReader.Portion(pages: [(170, Self.bytes(170))]))
        #expect(image.fetch(170) == Self.bytes(170))
    }

    /// What is read behind lies where it lay meanwhile.
    @Test func nothingIsTidiedUpBeforeAllIsRead() async throws {
        let old = GlobalTime(raw: 8)
        for time in [old, GlobalTime(raw: 9)] { try memory.saveAgain(at: time) }
        let keeper = try memory.keeper()
        _ = try keeper.contents()
        let before = try memory.place.segments("s").count
        let counts = Mutex<[Int]>([])
        let place = memory.path
        keeper.begin { _ in }
        _ = await memory.readBehind(keeper) { [weak keeper] _ in
            guard let keeper else { return }
            if counts.withLock({ $0.isEmpty }) { _ = try? keeper.forget([CheckpointName.text(old)]) }
            // What a forgetting has begun in the queue has gone on when this has waited its turn.
            for _ in 0..<10 { _ = keeper.checkpoints }
            let names = (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []
            counts.withLock { $0.append(names.count { $0.hasPrefix("segment.") }) }
        }
        #expect(keeper.checkpoints.count(where: \.isKept) == 1, "the older one is forgotten")
        #expect(counts.withLock { $0.count > 2 && $0.min() ?? 0 >= before }, "\(counts.withLock { $0 }) of \(before)")
        for _ in 0..<100 where try memory.place.segments("s").count >= before {
            try await Task.sleep(for: .milliseconds(50))
        }
        #expect(try memory.place.segments("s").count < before)
    }

    /// A program that has ended is not told to have come to less than it has.
    @Test func aResultThatCannotBeReadBackIsNoResult() async throws {
        try memory.damage(170)
        let keeper = try memory.keeper()
        var image = try keeper.contents().image
        let job = LayoutTests.image(phase: .finished)
        for page in 0...2 as ClosedRange<UInt32> { image.set(page, to: try #require(job.bytes(of: page))) }
        image.set(SystemLayout.commonPage, to: Self.common(resultPage: 170, count: 8))
        var jobs = Jobs(incarnation: 1, in: try RunDirectory(name: "c", base: "/tmp/x"), now: 0)
        var orders = Orders(incarnation: 1)
        jobs.refresh(image, now: 0, &orders)
        #expect(jobs.report(7, now: 0).reply.state == .running, "the page may be found yet")
        #expect(jobs.running(now: 0) == nil && !jobs.isLookWanted(image))
        // It is over all the same: nobody stops it, and nobody need live.
        jobs.settle(dead: .max, now: 3_600_000_000_000, &orders)
        #expect(jobs.report(7, now: 0).reply.state == .running && orders.count == 0)
        for portion in await memory.readBehind(keeper) { image.adopt(portion) }
        #expect(jobs.isLookWanted(image))
        jobs.refresh(image, now: 0, &orders)
        #expect(jobs.running(now: 0) == nil && !jobs.isLookWanted(image))
        let (reply, result) = jobs.report(7, now: 0)
        #expect(reply.state == .failed && reply.failure?.kind == .fault && result.isEmpty)
        #expect(reply.failure?.message.contains("cannot be read back") == true)
        // What is left of it is none.
        var first = [UInt8](repeating: 0, count: Limits.pageBytes)
        (first[0], first[4], first[8]) = (170, 1, UInt8(ascii: "["))
        image.set(90, to: first)
        image.set(SystemLayout.commonPage, to: Self.common(resultPage: 90, count: 8))
        jobs = Jobs(incarnation: 1, in: try RunDirectory(name: "c", base: "/tmp/x"), now: 0)
        jobs.refresh(image, now: 0, &orders)
        #expect(jobs.report(7, now: 0).reply.state == .failed && jobs.report(7, now: 0).result.isEmpty)
        // Beside one that can.
        image.set(SystemLayout.commonPage, to: Self.common(resultPage: 171, count: 8))
        jobs = Jobs(incarnation: 1, in: try RunDirectory(name: "c", base: "/tmp/x"), now: 0)
        jobs.refresh(image, now: 0, &orders)
        let whole = jobs.report(7, now: 0)
        #expect(whole.reply.state == .finished && whole.result == Array(Self.bytes(171)[8..<16]))
    }

    @Test func theStoreSaysWhereAPageIsNow() throws {
        let keeper = try memory.keeper()
        #expect(try keeper.page(120, GlobalTime(raw: 6)).get() == Self.bytes(120))
        #expect(try keeper.page(120, GlobalTime(raw: 5)).get() == nil)
    }

    /// An arbiter that does not know its nodes and its program would do harm.
    @Test func theSystemsPagesMustBeSound() throws {
        try memory.damage(1)
        let keeper = try memory.keeper()
        let failure = #expect(throws: Failure.self) { try keeper.contents() }
        #expect(failure?.kind == .fault && failure?.message.contains("is damaged at byte") == true)
    }

    /// A page that was moved is where the store says.
    @Test func theStoreIsAskedForWhatWasMoved() throws {
        try memory.damage(180)
        let asked = Mutex<[UInt32]>([])
        func pages(_ answer: Result<[UInt8]?, Failure>) throws -> StoredPages {
            let store = try Store.open(StoreDirectory(memory.path, for: .reading))
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
