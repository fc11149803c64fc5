import Control
import Durability
import Foundation
import Testing
import Wire

@testable import PageServer
@testable import Store

/// What is said of a damaged store when another one is made of what it still holds.
@Suite struct SalvageTests {
    @Test func whatASalvagedStoreHasLostIsNamed() throws {
        let place = try Place()
        try place.makeStore("s")
        let file = URL(filePath: place.path + "/s/segment.0000000000000001")
        let count = try Data(contentsOf: file).count
        do {
            var store = try Store.open(try StoreDirectory(place.path + "/s", for: .writing))
            for counter in 6...7 as ClosedRange<UInt64> {
                let page = [UInt8](repeating: UInt8(counter), count: Limits.pageBytes)
                try store.put(1, version: GlobalTime(raw: counter), page.span.bytes)
                try store.commitCheckpoint(
                    Checkpoint(time: GlobalTime(raw: counter), created: counter, label: "l\(counter)", isKept: true))
            }
        }
        let last = try #require(place.segments("s").last)
        var bytes = try Data(contentsOf: last)
        bytes[(last == file ? count : 0) + 1000] ^= 4
        try bytes.write(to: last)
        let done = try StoreRevival.salvage(from: place.path + "/s", at: nil, into: place.path + "/t")
        #expect(done.checkpoint.time == 5 && done.lost.map(\.title) == ["0:6 (l6)", "0:7 (l7)"] && !done.isNewest)
        // Who wants one of them is told why there is none.
        for name in ["l7", "6", "l8"] {
            let failure = #expect(throws: Failure.self) {
                try StoreRevival.salvage(from: place.path + "/s", at: name, into: place.path + "/u")
            }
            #expect(failure?.kind == (name == "l8" ? .input : .fault) && failure?.advice?.contains("0:5") == true)
            let isTold = failure?.message.contains("is lost: segment.") == true
            #expect(isTold == (name != "l8"), "\(String(describing: failure))")
        }
        #expect(try StoreExamination(of: place.path + "/t").checkpoints.map(\.time) == [5])
    }

    /// A state for each number, in a sealed segment of its own, which writes page 1 anew.
    private static func save(_ times: ClosedRange<UInt64>, in path: String) throws {
        for counter in times {
            var store = try Store.open(try StoreDirectory(path, for: .writing))
            let page = [UInt8](repeating: UInt8(counter), count: Limits.pageBytes)
            try store.put(1, version: GlobalTime(raw: counter), page.span.bytes)
            try store.commitCheckpoint(
                Checkpoint(time: GlobalTime(raw: counter), created: counter, label: "l\(counter)", isKept: true))
            try store.closeHead()
            try store.settle()
        }
    }

    /// Its page, before the end of the state and the seal.
    private static func damage(_ segment: URL) throws {
        var bytes = try Data(contentsOf: segment)
        bytes[bytes.count - 2000] ^= 4
        try bytes.write(to: segment)
    }

    private static func titles(_ path: String, at name: String?, into target: String) throws -> [String] {
        let done = try StoreRevival.salvage(from: path, at: name, into: target)
        return ([done.checkpoint] + done.lost).map(\.title)
    }

    /// Of a sound store, nothing is said to be lost.
    @Test func whatIsNewestIsKnown() throws {
        let place = try Place()
        try place.makeStore("s")
        let path = place.path + "/s"
        try Self.save(6...8, in: path)
        for (name, isNewest) in [("l8", true), ("l7", false)] {
            let done = try StoreRevival.salvage(from: path, at: name, into: "\(place.path)/\(name)")
            #expect(done.isNewest == isNewest && done.lost.isEmpty, "\(name)")
        }
        // An older page is damaged, and the newest state is whole.
        try Self.damage(place.segments("s")[1])
        let done = try StoreRevival.salvage(from: path, at: nil, into: place.path + "/t")
        #expect(done.isNewest && done.lost.map(\.title) == ["0:6 (l6)"])
    }

    /// A disk that gives nothing of a file, or does not even open it: what needs none of it can be read all the same.
    @Test(arguments: [1, 2, 3], [false, true]) func aReadErrorCostsWhatNeedsIt(place number: Int, isOpen: Bool) throws {
        let place = try Place()
        try place.makeStore("s")
        let path = place.path + "/s"
        try Self.save(6...8, in: path)
        let segment = try place.segments("s")[number].path(percentEncoded: false)
        unlink(segment)
        if isOpen {
            try FileManager.default.createDirectory(atPath: segment, withIntermediateDirectories: false)
        } else {
            try #require(symlink("/dev/null", segment) == 0)
        }
        let refusal = #expect(throws: Failure.self) { try StoreExamination.checkpoints(of: path) }
        #expect(refusal?.kind == .fault)
        let done = try StoreRevival.salvage(from: path, at: "5", into: place.path + "/t")
        #expect(done.checkpoint.time == 5 && !done.isNewest)
        // The last segment alone tells of its state.
        #expect(done.lost.contains { $0.time == UInt64(5 + number) } == (number < 3))
        #expect(try StoreExamination(of: place.path + "/t").sound)
        let newest = try StoreRevival.salvage(from: path, at: nil, into: place.path + "/u")
        #expect(newest.checkpoint.time == UInt64(4 + number))
    }

    /// Also where an older state was wanted. Newer ones that are whole are not in the new store, and not lost.
    @Test func whatIsNotWholeIsNamed() throws {
        let place = try Place()
        try place.makeStore("s")
        let path = place.path + "/s"
        try Self.save(6...8, in: path)
        try Self.damage(place.segments("s")[2])
        #expect(try Self.titles(path, at: nil, into: place.path + "/t") == ["0:8 (l8)", "0:7 (l7)"])
        #expect(try Self.titles(path, at: "l6", into: place.path + "/u") == ["0:6 (l6)", "0:7 (l7)"])
    }

    /// A read error after the new store was made: its maker was told that it had failed.
    @Test func whatTheDiskDoesNotGiveIsNamed() throws {
        let place = try Place()
        try place.makeStore("s")
        try Self.save(6...8, in: place.path + "/s")
        var state = try DurableState(Store.salvage(try StoreDirectory(place.path + "/s", for: .reading)))
        let kept = Array(state.store.checkpoints.prefix(2))
        try #require(kept.map(\.time.raw) == [5, 6])
        try #require(StoreRevival.broken(&state, kept, from: GlobalTime(raw: 6)).isEmpty)
        // Where a file was, the open descriptor has a directory: reading fails.
        let segment = try place.segments("s")[2].path(percentEncoded: false)
        let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap { Int32($0) }
        let reader = try #require(descriptors.first { descriptor in
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)")) == segment
        })
        let directory = open(place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        try #require(dup2(directory, reader) == reader)
        close(directory)
        let failure = #expect(throws: StoreError.self) { try state.isWhole(at: GlobalTime(raw: 7)) }
        #expect(failure == .disk(.failed(EISDIR), .segment(3)))
        #expect(StoreRevival.broken(&state, kept, from: GlobalTime(raw: 6)).map(\.label) == ["l7"])
    }

    @Test func whatIsLostWithAllOfItIsNamed() throws {
        let place = try Place()
        try place.makeStore("s")
        let path = place.path + "/s"
        try Self.save(6...8, in: path)
        let segments = try place.segments("s")
        try #require(segments.count == 4)
        let names = "the checkpoints that are lost: 0:5, 0:6 (l6), 0:7 (l7), 0:8 (l8)"
        // The system's page, which all states share.
        var bytes = try Data(contentsOf: segments[0])
        bytes[bytes.count - 2000] ^= 4
        try bytes.write(to: segments[0])
        let nothing = #expect(throws: Failure.self) { try Self.titles(path, at: nil, into: place.path + "/t") }
        #expect(nothing?.kind == .fault)
        #expect(nothing?.message == "\(path): no state that is whole can be read back; \(names)")
        // And where the log cannot even be opened.
        unlink(segments[0].path(percentEncoded: false))
        let worse = #expect(throws: Failure.self) { try Self.titles(path, at: nil, into: place.path + "/t") }
        #expect(worse?.kind == .fault && worse?.message.hasSuffix("; \(names)") == true, "\(String(describing: worse))")
        #expect(worse?.advice?.contains("salvage") == false)
        #expect(place.names == ["s"])
    }
}
