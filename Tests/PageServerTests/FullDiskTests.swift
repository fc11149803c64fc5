import Control
import Durability
import Foundation
import Store
import Testing
import Wire

@testable import PageServer

/// A store whose disk is full for long, on a file system of its own.
@Suite(.enabled(if: getuid() == 0, "mounts a file system, which needs root")) struct FullDiskTests {
    private static func mount(_ words: String...) throws -> Int32 {
        let process = try Process.run(URL(filePath: "/bin/" + words[0]), arguments: Array(words.dropFirst()))
        process.waitUntilExit()
        return process.terminationStatus
    }

    private func withDisk(_ body: (String) throws -> Void) throws {
        let path = "/tmp/plurix-full-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try #require(try Self.mount("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", path) == 0)
        let outcome = Result { try body(path) }
        #expect(try Self.mount("umount", path) == 0)
        try outcome.get()
    }

    private static func keeper(in path: String) throws -> Keeper<StoreDirectory> {
        let store = try Store.create(
            on: try StoreDirectory(path + "/s", for: .creating), cluster: 7, identity: 1,
            key: SipHash.Key(low: 1, high: 2),
            Geometry(pageCount: 1024, segmentBytes: 1 << 20, reserveBytes: 64 << 10))
        return Keeper(try DurableState(store), settleInterval: 1 << 20)
    }

    private static func put(_ count: UInt32, at time: UInt64, _ keeper: inout Keeper<StoreDirectory>) {
        for page in 0..<count {
            keeper.put(.init(
                number: page, version: GlobalTime(epoch: 1, counter: time),
                bytes: [UInt8](repeating: UInt8(time), count: Limits.pageBytes)))
        }
        keeper.end(at: GlobalTime(epoch: 1, counter: time), now: time)
    }

    /// Takes all room that there is, as somebody else does who writes to the same disk.
    private static func fill(_ path: String) {
        let file = open(path + "/full", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        let zeros = [UInt8](repeating: 0, count: 4096)
        while write(file, zeros, zeros.count) > 0 {}
        close(file)
    }

    private static func empty(_ path: String) { unlink(path + "/full") }

    private static func files(_ path: String) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: path + "/s").count
    }

    /// However often it is tried, nothing is left of that but what the first tries could write.
    @Test func triesLeaveNothingBehind() throws {
        try withDisk { path in
            var keeper = try Self.keeper(in: path)
            Self.put(100, at: 1, &keeper)
            Self.fill(path)
            Self.put(400, at: 2, &keeper)
            let hasFailed = keeper.isFailing
            try #require(hasFailed)
            // What the reserve took is taken by others.
            for _ in 0..<3 {
                _ = keeper.retry()
                Self.fill(path)
            }
            let before = try Self.files(path)
            for _ in 0..<50 {
                let isFailing = keeper.retry()
                try #require(isFailing)
            }
            #expect(try Self.files(path) == before)
            Self.empty(path)
            let isFailing = keeper.retry()
            let (isDurable, time) = (keeper.isDurable, keeper.state.time)
            #expect(!isFailing && isDurable && time.counter == 2)
            let inventory = try keeper.state.verify()
            #expect(inventory.isSound)
        }
    }

    /// Where nothing is to be written, a try shows all the same whether there is room.
    @Test func nothingToWriteIsNoRoom() throws {
        try withDisk { path in
            var keeper = try Self.keeper(in: path)
            Self.put(100, at: 1, &keeper)
            Self.fill(path)
            var incarnation: UInt32 = 0
            for _ in 0..<3 {
                while !keeper.isFailing {
                    incarnation += 1
                    Self.note(incarnation, &keeper)
                }
                // What the reserve took is taken by others.
                _ = keeper.retry()
                Self.fill(path)
            }
            _ = keeper.takeReports()
            for _ in 0..<20 {
                let isFailing = keeper.retry()
                try #require(isFailing)
            }
            let reports = keeper.takeReports()
            #expect(reports.isEmpty)
            Self.empty(path)
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

@Suite struct StoreOutageTests {
    private let full = Failure(.unavailable, "the disk is full")
    private let second: UInt64 = 1_000_000_000

    /// Room for moments ends nothing.
    @Test func oneOutageHasOneBeginningAndOneEnd() {
        var outage = StoreOutage()
        #expect(outage.hear(full, now: 0) == "the disk is full")
        for round in 1...9 as ClosedRange<UInt64> {
            #expect(outage.hear(nil, now: round * second) == nil)
            #expect(outage.end(now: round * second + second / 2) == nil)
            #expect(outage.hear(full, now: round * second + second / 2) == nil)
        }
        #expect(outage.deadline == .max && outage.end(now: .max) == nil)
        #expect(outage.hear(nil, now: 20 * second) == nil)
        #expect(outage.deadline > 20 * second && outage.deadline < 40 * second)
        #expect(outage.end(now: outage.deadline - 1) == nil)
        #expect(outage.end(now: outage.deadline)?.contains("can be written again") == true)
        #expect(outage.deadline == .max && outage.end(now: .max) == nil)
        #expect(outage.hear(full, now: 50 * second) == "the disk is full")
    }

    @Test func anotherReasonIsTold() {
        var outage = StoreOutage()
        #expect(outage.hear(nil, now: 0) == nil && outage.deadline == .max)
        #expect(outage.hear(full, now: 0) != nil)
        #expect(outage.hear(Failure(.fault, "the disk failed"), now: 1) == "the disk failed")
    }

    @Test func triesBecomeRare() {
        var pause = RetryPause()
        var now: UInt64 = 5
        var pauses: [Int] = []
        for _ in 0..<6 {
            pauses.append(pause.next(now: now))
            now += UInt64(pauses.last ?? 0) * 1_000_000
        }
        #expect(pauses == [200, 400, 800, 1600, 2000, 2000])
        #expect(pause.next(now: now + 60 * second) == 200)
    }
}
