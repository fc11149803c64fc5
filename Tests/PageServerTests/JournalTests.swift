import Control
import Foundation
import Protocol
import Testing
import Wire

@testable import PageServer

@Suite struct JournalTests {
    /// A directory for one journal.
    private final class Place {
        let directory: RunDirectory
        private let base = "/tmp/plurix-journal-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"

        init() throws {
            directory = try RunDirectory(name: "j", base: base)
            try directory.create()
        }

        deinit {
            try? FileManager.default.removeItem(atPath: base)
        }

        var path: String { directory.arbiterJournal }

        func open(cluster: UInt64 = 7, pages: UInt32 = 128) throws -> (journal: Journal, contents: JournalContents) {
            try Journal.open(path, cluster: cluster, sharedPages: pages)
        }

        var bytes: [UInt8] {
            get throws { [UInt8](try Data(contentsOf: URL(filePath: path))) }
        }

        func write(_ bytes: [UInt8]) throws {
            try Data(bytes).write(to: URL(filePath: path))
        }
    }

    private static func time(_ counter: UInt64) -> GlobalTime { GlobalTime(epoch: 1, counter: counter) }
    private static func page(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: Limits.pageBytes) }

    /// Facts and two saved states.
    private static func fill(_ journal: Journal) throws {
        try journal.persist(.incarnation(1))
        try journal.persist(.admitted(Station(1), incarnation: 1))
        try journal.persist(.admitted(Station(2), incarnation: 2))
        try journal.note(Station(2), joinedAt: 77)
        try journal.save(time(1), [(0, time(1), page(1)), (1, time(1), page(2))])
        try journal.persist(.polled(epoch: 2))
        try journal.persist(.opened(EpochRecord(epoch: 2, opened: time(1))))
        try journal.persist(.died(Station(1)))
        try journal.save(time(2), [(1, time(2), page(3)), (127, time(2), page(4))])
    }

    @Test func aNewRunFindsEverything() throws {
        let place = try Place()
        try Self.fill(try place.open().journal)
        let found = try place.open().contents
        #expect(found.tornBytes == 0)
        #expect(found.state.incarnation == 1)
        #expect(found.state.polledEpoch == 2)
        let first = EpochRecord(epoch: 1, opened: .zero)
        #expect(found.state.chain == [EpochRecord(epoch: 2, opened: Self.time(1)), first])
        #expect(found.state.lastIncarnation == 2)
        #expect(Array(found.state.members.prefix(3)) == [0, 2, 0])
        #expect(Array(found.joinedAt.prefix(3)) == [0, 77, 0])
        #expect(found.state.saved == Self.time(2))
        #expect(found.image.time == Self.time(2))
        #expect(found.state.imageVersions[0] == Self.time(1))
        #expect(found.state.imageVersions[1] == Self.time(2))
        #expect(found.image.bytes(of: 0) == Self.page(1))
        #expect(found.image.bytes(of: 1) == Self.page(3))
        #expect(found.image.bytes(of: 2) == Self.page(0))
        #expect(found.image.bytes(of: 127) == Self.page(4))
    }

    @Test func layoutIsFrozen() throws {
        let place = try Place()
        try place.open(cluster: 0x0102_0304_0506_0708).journal.persist(.polled(epoch: 9))
        let bytes = try place.bytes
        #expect(bytes.count == 32 + 40)
        #expect(Array(bytes[0..<16]) == Array("PLURIXJ1".utf8) + [8, 7, 6, 5, 4, 3, 2, 1])
        #expect(Array(bytes[16..<24]) == [128, 0, 0, 0, 0, 16, 0, 0])
        #expect(Array(bytes[32..<40]) == Array("PJRC".utf8) + [2, 0, 0, 0])
        #expect(Array(bytes[40..<56]) == [8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        #expect(Array(bytes[64..<72]) == [9, 0, 0, 0, 0, 0, 0, 0])
    }

    /// A kill leaves any prefix of the last write; a state is there as a whole or not at all.
    @Test func anyPrefixIsAnEarlierState() throws {
        let place = try Place()
        try Self.fill(try place.open().journal)
        let whole = try place.bytes
        var lengths = Array(stride(from: 0, to: whole.count, by: 97))
        lengths += (0..<64).map { whole.count - 1 - $0 }
        for length in lengths {
            try place.write(Array(whole[..<length]))
            let (journal, found) = try place.open()
            #expect(found.validBytes + found.tornBytes == length || length < JournalFormat.headerBytes)
            let isFirst = found.state.saved == Self.time(1)
            #expect(isFirst || found.state.saved == .zero)
            #expect(found.image.bytes(of: 1) == Self.page(isFirst ? 2 : 0))
            #expect(found.image.bytes(of: 127) == Self.page(0))
            // It goes on from there.
            try journal.save(Self.time(5), [(5, Self.time(5), Self.page(5))])
        }
        let found = try place.open().contents
        #expect(found.image.bytes(of: 5) == Self.page(5))
        #expect(found.tornBytes == 0)
    }

    @Test func aFlippedBitIsNeverServed() throws {
        let place = try Place()
        try Self.fill(try place.open().journal)
        let whole = try place.bytes
        for index in Array(0..<240) + Array(stride(from: 240, to: whole.count, by: 61)) {
            var bytes = whole
            bytes[index] ^= 1 << UInt8(index % 8)
            try place.write(bytes)
            do {
                let found = try place.open().contents
                // Only the last record may look like an unfinished write.
                #expect(index >= whole.count - 48)
                #expect(found.state.saved == Self.time(1))
            } catch {
                #expect((error as? Failure)?.kind == .fault)
            }
            #expect(try place.bytes == bytes || index >= whole.count - 48, "a damaged journal is left as it is")
        }
    }

    // Found by fuzzing: the checksums of such a journal are right, and the arbiter announced what no node takes.
    @Test func factsThatCannotFollowEachOtherAreDamage() throws {
        let impossible: [ArbiterFact] = [
            .opened(EpochRecord(epoch: 2, opened: Self.time(1))),
            .opened(EpochRecord(epoch: 3, opened: GlobalTime(epoch: 3, counter: 1))),
            .opened(EpochRecord(epoch: Limits.maximumEpoch + 1, opened: Self.time(1))),
            .incarnation(.max), .admitted(Station(1), incarnation: .max), .polled(epoch: Limits.maximumEpoch + 1),
        ]
        for fact in impossible {
            let place = try Place()
            let journal = try place.open().journal
            try journal.persist(.opened(EpochRecord(epoch: 2, opened: Self.time(1))))
            try journal.persist(fact)
            #expect(throws: Failure.self) { try JournalReader.contents(of: place.path) }
        }
        let place = try Place()
        let journal = try place.open().journal
        try journal.save(Self.time(2), [(0, Self.time(2), Self.page(1))])
        try journal.save(Self.time(1), [])
        #expect(throws: Failure.self) { try JournalReader.contents(of: place.path) }
    }

    @Test func onlyOneHasIt() throws {
        let place = try Place()
        let first = try place.open()
        let problem = #expect(throws: Failure.self) { try place.open() }
        #expect(problem?.kind == .unavailable)
        try first.journal.compact(first.contents.state, joinedAt: [5], first.contents.image)
        #expect(throws: Failure.self) { try place.open() }
        withExtendedLifetime(first) {}
    }

    @Test func anotherClustersJournalIsRefused() throws {
        let place = try Place()
        try Self.fill(try place.open(cluster: 7).journal)
        #expect(throws: Failure.self) { try place.open(cluster: 8) }
        #expect(throws: Failure.self) { try place.open(cluster: 7, pages: 256) }
        #expect(try place.open(cluster: 7).contents.state.saved == Self.time(2))
    }

    @Test func compactionForgetsNothing() throws {
        let place = try Place()
        do {
            let (journal, empty) = try place.open()
            var state = empty.state
            var image = empty.image
            for round in 1...600 as ClosedRange<UInt64> {
                let bytes = Self.page(UInt8(round % 251))
                let pages = (0..<8).map { (page: UInt32($0), version: Self.time(round), bytes: bytes) }
                try journal.save(Self.time(round), pages)
                for page in pages {
                    image.set(page.page, to: page.bytes)
                    state.imageVersions[Int(page.page)] = page.version
                }
                image.close(at: Self.time(round))
                let fact = ArbiterFact.admitted(Station(UInt8(round % 64) + 1), incarnation: UInt32(round))
                try journal.persist(fact)
                state.apply(fact)
                if journal.isDueForCompaction(image) { try journal.compact(state, joinedAt: [0, 0, 9], image) }
            }
        }
        #expect(try place.bytes.count <= Journal.compactionMinimum + 1 << 20)
        #expect(!FileManager.default.fileExists(atPath: place.path + ".new"))
        let found = try place.open().contents
        #expect(found.state.saved == Self.time(600))
        #expect(found.state.lastIncarnation == 600)
        #expect(found.joinedAt.allSatisfy { $0 == 0 }, "every node has had a new life since the compaction")
        #expect(found.state.members.allSatisfy { $0 > 536 })
        #expect(found.image.bytes(of: 7) == Self.page(UInt8(600 % 251)))
        #expect(found.state.imageVersions[7] == Self.time(600))
        #expect(try SharedImage.read(from: place.directory).time == Self.time(600))
    }
}

extension JournalReader {
    /// What a journal says that another process may have open.
    fileprivate static func contents(of path: String) throws -> JournalContents? {
        let descriptor = open(path, O_RDONLY)
        defer { close(descriptor) }
        return try JournalReader(descriptor: descriptor, path: path).read()
    }
}
