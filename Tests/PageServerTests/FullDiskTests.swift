import Durability
import Foundation
import Store
import Testing
import Wire

@testable import PageServer
@testable import SmallDisk

/// A store whose disk is full for long, on a file system of its own.
@Suite(.enabled(if: SmallDisk.isPossible, "mounts a file system, which needs root")) struct FullDiskTests {
    private static func keeper(in path: String) throws -> Keeper<StoreDirectory> {
        let store = try Store.create(
            on: try StoreDirectory(path + "/s", for: .creating), cluster: 7, identity: 1,
            key: SipHash.Key(low: 1, high: 2),
            Geometry(pageCount: 1024, segmentBytes: 1 << 20, reserveBytes: 64 << 10))
        return Keeper(try DurableState(store), settleInterval: 1 << 20)
    }

    private static func put(_ count: UInt32, at time: UInt64, _ keeper: inout Keeper<StoreDirectory>) {
        for page in 0..<count {
            keeper.put([.init(
                number: page, version: GlobalTime(epoch: 1, counter: time),
                bytes: [UInt8](repeating: UInt8(time), count: Limits.pageBytes))])
        }
        keeper.end(at: GlobalTime(epoch: 1, counter: time), now: time)
    }

    private static func files(_ path: String) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: path + "/s").count
    }

    /// What fills a disk is never let loose on the host's own.
    @Test func onlyTheFileSystemThatWasMadeIsWrittenTo() throws {
        try SmallDisk.with(bytes: 1 << 20) { disk in
            let inside = disk.path + "/directory"
            try FileManager.default.createDirectory(atPath: inside, withIntermediateDirectories: false)
            #expect(throws: SmallDisk.Problem.self) { try SmallDisk(path: inside).check(bytes: 1 << 20) }
            #expect(throws: SmallDisk.Problem.self) { try disk.check(bytes: 2 << 20) }
            #expect(throws: SmallDisk.Problem.self) { try SmallDisk(path: "/tmp/nowhere").check(bytes: 1 << 20) }
        }
    }

    /// However often it is tried, nothing is left of that but what the first tries could write.
    @Test func triesLeaveNothingBehind() throws {
        try SmallDisk.with(bytes: 4 << 20) { disk in
            let path = disk.path
            var keeper = try Self.keeper(in: path)
            Self.put(100, at: 1, &keeper)
            disk.fill()
            Self.put(400, at: 2, &keeper)
            let hasFailed = keeper.isFailing
            try #require(hasFailed)
            // What the reserve took is taken by others.
            for _ in 0..<3 {
                _ = keeper.retry()
                disk.fill()
            }
            let before = try Self.files(path)
            for _ in 0..<50 {
                let isFailing = keeper.retry()
                try #require(isFailing)
            }
            #expect(try Self.files(path) == before)
            disk.empty()
            let isFailing = keeper.retry()
            let (isDurable, time) = (keeper.isDurable, keeper.state.time)
            #expect(!isFailing && isDurable && time.counter == 2)
            let inventory = try keeper.state.verify()
            #expect(inventory.isSound)
        }
    }

    /// Where nothing is to be written, a try shows all the same whether there is room.
    @Test func nothingToWriteIsNoRoom() throws {
        try SmallDisk.with(bytes: 4 << 20) { disk in
            let path = disk.path
            var keeper = try Self.keeper(in: path)
            Self.put(100, at: 1, &keeper)
            disk.fill()
            var incarnation: UInt32 = 0
            for _ in 0..<3 {
                while !keeper.isFailing {
                    incarnation += 1
                    Self.note(incarnation, &keeper)
                }
                // What the reserve took is taken by others.
                _ = keeper.retry()
                disk.fill()
            }
            _ = keeper.takeReports()
            for _ in 0..<20 {
                let isFailing = keeper.retry()
                try #require(isFailing)
            }
            let reports = keeper.takeReports()
            #expect(reports.isEmpty)
            disk.empty()
            let isFailing = keeper.retry()
            let last = keeper.takeReports()
            #expect(!isFailing && last == [.trouble(nil)])
        }
    }

    private static func note(_ incarnation: UInt32, _ keeper: inout Keeper<StoreDirectory>) {
        do throws(StoreError) { try keeper.note { $0.apply(.incarnation(incarnation)) } } catch {
            #expect(error == .readOnly || "\(error)".contains("no space"))
        }
    }
}
