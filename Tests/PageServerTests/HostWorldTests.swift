import Control
import Segment
import Testing
import Wire

@testable import PageServer
@testable import Protocol

/// The world of an arbiter that has begun again.
@Suite struct HostWorldTests {
    private let memory: SavedMemory
    private let keeper: StoreKeeper
    private let world: HostWorld

    init() throws {
        memory = try SavedMemory()
        try memory.damage(170)
        keeper = try memory.keeper(keeping: 1)
        let directory = try RunDirectory(name: "c", base: memory.place.path)
        try directory.create()
        let contents = try keeper.contents()
        world = HostWorld(
            link: ArbiterLink(try HostStation(.arbiter, in: directory)), keeper: keeper, image: contents.image,
            joinedAt: contents.joinedAt, maximumFrameBytes: Limits.maximumFrameBytes, logger: SavedMemory.quiet)
        keeper.begin { _ in }
    }

    /// Saves a page, as a checkpoint that is kept.
    private func save(_ page: UInt32, at counter: UInt64) async {
        let time = GlobalTime(raw: counter)
        let mark = keeper.mark("", notBefore: time, now: counter)
        let handle = world.stage()
        world.fill(handle, at: 0, with: SavedMemory.bytes(page).span.bytes, from: 0, count: Limits.pageBytes)
        let saved = SavedPage(page: PageNumber(page), version: time, handle: handle)
        world.gathered(saved)
        _ = world.save(time, [saved])
        while keeper.outcome(of: mark) == nil { await keeper.settled(mark, within: .milliseconds(50)) }
    }

    private var keptCount: Int { keeper.checkpoints.count(where: \.isKept) }

    /// The old checkpoints may have what is lost, and go when nothing is lost any more.
    @Test func noCheckpointIsForgottenForOneWithDamage() async throws {
        for portion in await memory.readBehind(keeper) { world.adopt(portion) }
        #expect(world.image.damage != nil)
        for counter in 8...10 as ClosedRange<UInt64> { await save(500, at: counter) }
        #expect(keptCount == 3)
        await save(170, at: 11)
        #expect(world.image.damage == nil)
        await save(500, at: 12)
        #expect(keptCount == 1)
    }

    @Test func aPageThatCannotBeReadBackIsNotServed() async throws {
        func isServed(_ page: UInt32) -> Bool {
            let content = PageContent(page: PageNumber(page), handle: nil, offset: 0, count: Limits.pageBytes)
            return world.transmit(Limits.pageBytes, content, at: 0) { _ in }
        }
        #expect(isServed(171) && !isServed(170))
        for portion in await memory.readBehind(keeper) { world.adopt(portion) }
        #expect(isServed(171) && !isServed(170))
        await save(170, at: 8)
        #expect(isServed(170))
    }
}
