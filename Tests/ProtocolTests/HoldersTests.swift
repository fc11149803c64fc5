import Testing
import Wire

@testable import Protocol

struct HoldersTests {
    private static let holders = Holders([
        .init(page: PageNumber(7), version: time(3), station: Station(2)),
        .init(page: PageNumber(4), version: time(5), station: Station(3)),
        .init(page: PageNumber(7), version: time(2), station: Station(1)),
        .init(page: PageNumber(7), version: time(3), station: Station(1)),
    ])

    private static func time(_ counter: UInt64) -> GlobalTime { GlobalTime(epoch: 1, counter: counter) }

    /// Of two that have the same, it is the one that answered first.
    @Test(arguments: [(7, 2, 1), (7, 3, 2), (4, 5, 3)] as [(UInt32, UInt64, UInt8)])
    func whoHasAVersion(page: UInt32, counter: UInt64, station: UInt8) {
        #expect(Self.holders.station(of: PageNumber(page), Self.time(counter)) == Station(station))
    }

    @Test(arguments: [(7, 1), (7, 4), (4, 3), (5, 5), (0, 0), (8, 9)] as [(UInt32, UInt64)])
    func whatNobodyHas(page: UInt32, counter: UInt64) {
        #expect(Self.holders.station(of: PageNumber(page), Self.time(counter)) == nil)
        #expect(Holders().station(of: PageNumber(page), Self.time(counter)) == nil)
    }

    @Test func whatIsSavedIsForgotten() {
        var holders = Self.holders
        holders.removeAll { $0.version <= Self.time(3) }
        #expect(holders.station(of: PageNumber(7), Self.time(3)) == nil && holders.count == 1)
        #expect(holders.station(of: PageNumber(4), Self.time(5)) == Station(3))
    }
}
