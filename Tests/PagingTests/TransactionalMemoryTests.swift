import Paging
import Testing

@Suite struct TransactionalMemoryTests {
    static let base: UInt64 = 0x1000_0000_0000

    /// A memory of 600 pages (two leaf tables) on a machine of 64 frames, frame 0 being the root table.
    func machine(frames: Int = 64, writeLimit: Int = 8) -> (FakeProcessor, TransactionalMemory<FakeProcessor>) {
        let processor = FakeProcessor(frames: frames)
        var pool = FramePool(capacityBytes: UInt64(frames) * 4096)
        pool.add(4096..<UInt64(frames) * 4096)
        let window = PageWindow(processor, base: Self.base, pageCount: 600, rootTable: 0, frames: &pool)!
        return (processor, TransactionalMemory(processor, window: window, frames: pool, writeLimit: writeLimit))
    }

    func address(_ page: Int) -> UInt64 { Self.base + UInt64(page) * 4096 }

    /// Brings a page whose first word is `value`, as an arriving reply would.
    func install(_ value: UInt64, as page: Int, _ processor: FakeProcessor,
                 _ memory: inout TransactionalMemory<FakeProcessor>) throws {
        let staged = memory.stage(for: page)
        let frame = try #require(staged)
        processor.clear(frame)
        processor.store(frame, value)
        _ = memory.fault(page, isWrite: false)
        memory.install(frame, as: page)
    }

    /// A program's access: faults are handled as Node does.
    func touch(_ page: Int, write value: UInt64? = nil, _ processor: FakeProcessor,
               _ memory: inout TransactionalMemory<FakeProcessor>) throws -> UInt64 {
        while true {
            do throws(FakeProcessor.Fault) {
                let physical = try processor.access(address(page), isWrite: value != nil)
                if let value { processor.store(physical, value) }
                return processor.load(physical)
            } catch {
                let outcome = memory.fault(page, isWrite: value != nil)
                try #require(outcome == .ready || outcome == .written)
            }
        }
    }

    @Test func absentPageFaultsAndArrives() throws {
        var (processor, memory) = machine()
        memory.begin()
        let outcome = memory.fault(5, isWrite: false)
        #expect(outcome == .absent)
        try install(7, as: 5, processor, &memory)
        let seen1 = try touch(5, processor, &memory)
        #expect(seen1 == 7)
        #expect(memory.isAccessed(5))
        #expect(!memory.isAccessed(6))
    }

    @Test func firstWriteMakesOneShadowAndAbortPutsItBack() throws {
        var (processor, memory) = machine()
        try install(1, as: 3, processor, &memory)
        let free = memory.frames.count
        memory.begin()
        let seen2 = try touch(3, write: 2, processor, &memory)
        #expect(seen2 == 2)
        let seen3 = try touch(3, write: 3, processor, &memory)
        #expect(seen3 == 3)
        #expect(memory.writeCount == 1)
        #expect(memory.frames.count == free - 1)
        #expect(processor.load(memory.committedFrame(3)) == 1, "others are served what was committed")
        memory.abort()
        #expect(memory.frames.count == free)
        memory.begin()
        let seen4 = try touch(3, processor, &memory)
        #expect(seen4 == 1)
    }

    @Test func commitPublishesInOrderAndHandsOutWhatWasBefore() throws {
        var (processor, memory) = machine()
        for page in [10, 11, 12] { try install(UInt64(page), as: page, processor, &memory) }
        memory.begin()
        for page in [12, 10, 11] { _ = try touch(page, write: 100, processor, &memory) }
        for page in [12, 10, 11] {
            let before = memory.publish(page)
            #expect(processor.load(before) == UInt64(page))
            memory.discard(before)
        }
        memory.committed()
        memory.begin()
        #expect(throws: FakeProcessor.Fault.readOnly) { try processor.access(address(10), isWrite: true) }
        let seen5 = try touch(10, processor, &memory)
        #expect(seen5 == 100)
    }

    @Test func beginForgetsWhatWasAccessed() throws {
        var (processor, memory) = machine()
        for page in [1, 599] { try install(0, as: page, processor, &memory) }
        memory.begin()
        _ = try touch(1, processor, &memory)
        _ = try touch(599, processor, &memory)
        memory.begin()
        #expect(!memory.isAccessed(1) && !memory.isAccessed(599))
        _ = try touch(599, processor, &memory)
        #expect(memory.isAccessed(599), "the translation was forgotten with the bit")
    }

    @Test func doomedMemoryIsUnreachableAtOnceAndComesBack() throws {
        var (processor, memory) = machine()
        try install(4, as: 2, processor, &memory)
        memory.begin()
        _ = try touch(2, write: 5, processor, &memory)
        memory.doom()
        #expect(throws: FakeProcessor.Fault.absent) { try processor.access(address(2), isWrite: false) }
        memory.abort()
        memory.begin()
        let seen6 = try touch(2, processor, &memory)
        #expect(seen6 == 4)
    }

    @Test func aWrittenPageThatIsTakenAwayLeavesItsCommittedContent() throws {
        var (processor, memory) = machine()
        try install(8, as: 20, processor, &memory)
        let free = memory.frames.count
        memory.begin()
        _ = try touch(20, write: 9, processor, &memory)
        let frame = memory.remove(20)
        #expect(processor.load(frame) == 8)
        memory.discard(frame)
        memory.abort()
        #expect(memory.frames.count == free + 1)
        #expect(memory.residentCount == 0)
    }

    @Test func writesBeyondTheLimitFindNoFrame() throws {
        var (processor, memory) = machine(writeLimit: 2)
        for page in 0..<3 { try install(0, as: page, processor, &memory) }
        memory.begin()
        for page in 0..<2 { _ = try touch(page, write: 1, processor, &memory) }
        let outcome = memory.fault(2, isWrite: true)
        #expect(outcome == .outOfFrames)
        #expect(memory.writeCount == memory.writeLimit)
    }

    /// The last page of one table and the first of the next, asked for together, with a frame for each and no more.
    @Test func whatIsStagedCanAlwaysBeInstalled() throws {
        for frames in 4...8 {
            var (_, memory) = machine(frames: frames)
            var staged: [(page: Int, frame: UInt64)] = []
            for page in [511, 512] {
                if let frame = memory.stage(for: page) { staged.append((page, frame)) }
            }
            while let frame = memory.stage(for: 511) { _ = frame }
            for (page, frame) in staged { memory.install(frame, as: page) }
            let resident = memory.residentCount
            #expect(resident == staged.count, "\(frames) frames")
        }
    }

    @Test func noFrameForAShadowChangesNothing() throws {
        var (processor, memory) = machine(frames: 6)
        try install(1, as: 0, processor, &memory)
        while let frame = memory.stage(for: 0) { _ = frame }
        memory.begin()
        let outcome = memory.fault(0, isWrite: true)
        #expect(outcome == .outOfFrames)
        #expect(memory.writeCount == 0)
        let seen7 = try touch(0, processor, &memory)
        #expect(seen7 == 1)
    }

    @Test func victimsAreNeverWhatTheTransactionTouched() throws {
        var (processor, memory) = machine()
        for page in 0..<4 { try install(0, as: page, processor, &memory) }
        memory.begin()
        for page in [0, 2] { _ = try touch(page, processor, &memory) }
        var victims: Set<Int> = []
        while let page = memory.nextVictim({ _ in true }) {
            victims.insert(page)
            memory.discard(memory.remove(page))
        }
        #expect(victims == [1, 3])
        let none = memory.nextVictim { _ in false }
        #expect(none == nil)
    }

    @Test func watchingSeesOnlyChangesOfWhatWasRead() throws {
        var (processor, memory) = machine()
        for page in 0..<3 { try install(0, as: page, processor, &memory) }
        memory.begin()
        _ = try touch(1, processor, &memory)
        memory.watch()
        memory.discard(memory.remove(2))
        #expect(!memory.hasChanged)
        memory.discard(memory.remove(1))
        #expect(memory.hasChanged)
    }

    @Test func whatWasTouchedCanBeListedWithoutForgettingIt() throws {
        var (processor, memory) = machine()
        for page in [1, 2, 599] { try install(UInt64(page), as: page, processor, &memory) }
        memory.begin()
        _ = try touch(1, processor, &memory)
        _ = try touch(599, write: 7, processor, &memory)
        for _ in 0..<2 {
            var seen: [Int: [UInt64?]] = [:]
            memory.forEachAccessed { page, committed, written in
                seen[page] = [processor.load(committed), written.map(processor.load)]
            }
            #expect(seen == [1: [1, nil], 599: [599, 7]])
        }
    }

    @Test func framesAvoidTheSlotOfTheirSource() {
        var pool = FramePool(capacityBytes: 1024 * 4096)
        pool.add(0..<1024 * 4096)
        let first = pool.take()!
        #expect(first == 0)
        pool.give(256 * 4096 * 0)
        let apart = pool.take(apartFrom: 256 * 4096)!
        #expect((apart / 4096) & 0xFF != 0)
    }
}
