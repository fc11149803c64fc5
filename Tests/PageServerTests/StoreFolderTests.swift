import Control
import Foundation
import Store
import Testing
import Wire

@testable import PageServer

/// Stores as whole directories: who has one, where it goes, and what is said of those that cannot be used.
@Suite struct StoreFolderTests {
    @Test func whatADirectoryHoldsIsSeen() throws {
        let place = try Place()
        let path = place.path + "/s"
        #expect(try StoreFolder.content(of: path) == .nothing)
        #expect(try StoreFolder.make(path))
        #expect(try !StoreFolder.make(path))
        #expect(try StoreFolder.content(of: path) == .nothing)
        try place.touch("s/cluster")
        #expect(try StoreFolder.content(of: path) == .nothing)
        try place.touch("s/notes")
        #expect(try StoreFolder.content(of: path) == .other("notes"))
        try place.makeStore("s")
        #expect(try StoreFolder.content(of: path) == .store)
        #expect(throws: Failure.self) { try StoreFolder.content(of: path + "/notes") }
    }

    @Test func nothingIsMadeInsideOfAStore() throws {
        let place = try Place()
        try place.makeStore("s")
        let path = place.path + "/s"
        let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        #expect(symlink(path, place.path + "/link") == 0)
        _ = try StoreFolder.make(place.path + "/x")
        for target in ["s/t", "s/t/u", "s/", "s/./t", "link/t", "x/../s/t"].map({ "\(place.path)/\($0)" }) {
            let forked = #expect(throws: Failure.self) { try StoreRevival.fork(from: path, at: nil, into: target) }
            let salvaged = #expect(throws: Failure.self) {
                try StoreRevival.salvage(from: path, at: nil, into: target)
            }
            for failure in [forked, salvaged] {
                // What is the store's directory itself is refused for what is in it.
                let isTold = failure?.message == "\(target) would lie inside of the store \(path)"
                #expect(failure?.kind == .input && isTold != target.hasSuffix("/"), "\(String(describing: failure))")
            }
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: path).sorted() == names)
        for target in ["t", "s.1", "x/s"] {
            _ = try StoreRevival.salvage(from: path, at: nil, into: "\(place.path)/\(target)")
        }
    }

    @Test func directoriesAreMadeForThisUserAlone() throws {
        let place = try Place()
        #expect(try StoreFolder.make(place.path + "/a/b/c"))
        var facts = stat()
        #expect(stat(place.path + "/a/b", &facts) == 0 && facts.st_mode & 0o777 == 0o700)
        try place.touch("file")
        do throws(Failure) {
            _ = try StoreFolder.make(place.path + "/file/s")
            Issue.record("a file became a directory")
        } catch {
            #expect(error.kind == .input && error.description.contains("Not a directory"))
            // The options with which somebody named that place are not known here.
            #expect(error.advice?.contains("another place") == true && error.advice?.contains("--") == false)
        }
    }

    /// Its parent is there, and yet nothing can be made in it.
    @Test func aParentInWhichNothingCanBeMadeIsNamed() throws {
        let place = try Place()
        #expect(symlink("/nonexistent/disk", place.path + "/link") == 0)
        for path in [place.path + "/link/s", place.path + "/link/s/t", "/proc/plurix-store"] {
            let failure = #expect(throws: Failure.self) { try StoreFolder.make(path) }
            #expect(failure?.kind == .input && failure?.advice?.contains("another place") == true)
            #expect(failure?.message.hasSuffix("cannot be made: No such file or directory") == true)
        }
        #expect(place.names == ["link"])
    }

    @Test func aStoreGoesAsideAndNothingElseIsTouched() throws {
        let place = try Place()
        try place.makeStore("s")
        try place.touch("s/cluster")
        try place.touch("s.1")
        let aside = try StoreFolder.setAside(place.path + "/s")
        #expect(aside == place.path + "/s.2")
        #expect(place.names == ["s.1", "s.2"])
        #expect(try StoreExamination(of: aside).sound)
        #expect(!FileManager.default.fileExists(atPath: aside + "/cluster"))
    }

    @Test func aStoreInUseIsNeitherMovedNorDeleted() throws {
        let place = try Place()
        try place.makeStore("s")
        let path = place.path + "/s"
        let user = try StoreDirectory(path, for: .writing)
        let moved = #expect(throws: Failure.self) { try StoreFolder.setAside(path) }
        let deleted = #expect(throws: Failure.self) { try StoreFolder.delete(path) }
        let gone = #expect(throws: Failure.self) { try StoreRevival.prepare(path) }
        for error in [moved, deleted, gone] {
            #expect(error?.kind == .unavailable && error?.message.contains("in use") == true)
        }
        withExtendedLifetime(user.path) {}
        #expect(place.names == ["s"])
    }

    @Test func onlyAStoresOwnFilesAreDeleted() throws {
        let place = try Place()
        try place.makeStore("s")
        try place.touch("s/cluster")
        try StoreFolder.delete(place.path + "/s", andDirectory: false)
        #expect(place.names == ["s"])
        try place.makeStore("s")
        try place.touch("s/notes")
        try StoreFolder.delete(place.path + "/s")
        #expect(try FileManager.default.contentsOfDirectory(atPath: place.path + "/s") == ["notes"])
        try place.makeStore("t")
        try StoreFolder.delete(place.path + "/t")
        #expect(place.names == ["s"])
    }

    /// A copy that comes to nothing leaves nothing, and takes nothing.
    @Test func aForkThatFailsLeavesEverythingAsItWas() throws {
        let place = try Place()
        try place.makeStore("s")
        try place.makeStore("t")
        let names = try FileManager.default.contentsOfDirectory(atPath: place.path + "/t").sorted()
        let taken = #expect(throws: Failure.self) {
            try StoreRevival.fork(from: place.path + "/s", at: nil, into: place.path + "/t")
        }
        #expect(taken?.kind == .input)
        #expect(try FileManager.default.contentsOfDirectory(atPath: place.path + "/t").sorted() == names)
        for target in ["u/v", "w"] {
            if target == "w" { _ = try StoreFolder.make(place.path + "/w") }
            #expect(throws: Failure.self) {
                try StoreRevival.fork(from: place.path + "/s", at: "nothing", into: place.path + "/" + target)
            }
        }
        #expect(place.names == ["s", "t", "w"])
    }

    /// Before anything of it is made: who restores a running cluster has nothing to go back from.
    @Test func aStateThatThisBuildCannotReadIsNotForked() throws {
        let place = try Place()
        try place.makeStore("s", format: 9)
        let failure = #expect(throws: Failure.self) {
            try StoreRevival.fork(from: place.path + "/s", at: nil, into: place.path + "/t")
        }
        #expect(failure?.kind == .input)
        let words = "the state at 0:5: the type Root of its memory has format 9, and this build knows 1"
        #expect(failure?.message == words)
        #expect(place.names == ["s"])
        try place.makeStore("u")
        #expect(try StoreRevival.fork(from: place.path + "/u", at: nil, into: place.path + "/v").raw == 5)
    }

    @Test func aStoreThatWasMovedIsMissed() throws {
        let place = try Place()
        try place.makeStore("s")
        let there = try #require(StorePlace(place.path + "/s"))
        #expect(there.trouble == nil)
        try FileManager.default.moveItem(atPath: place.path + "/s", toPath: place.path + "/t")
        #expect(there.trouble?.message.contains("is not there any more") == true)
        try place.makeStore("s")
        #expect(there.trouble?.message.contains("is another directory") == true)
        try FileManager.default.removeItem(atPath: place.path + "/s")
        try FileManager.default.moveItem(atPath: place.path + "/t", toPath: place.path + "/s")
        #expect(there.trouble == nil)
        #expect(StorePlace(place.path + "/nothing") == nil)
        #expect(try StoreExamination.cluster(of: place.path + "/s") == 7)
    }

    /// Labels that look like others, or like nothing: what was no UTF-8, bidirectional controls, zero widths, a soft
    /// hyphen, a tag, fillers, an empty pattern of Braille, a mark on nothing.
    private static let invisible = [
        "a\u{FFFD}", "a\u{202E}b", "a\u{2066}b", "a\u{2069}", "a\u{200B}", "a\u{200D}b", "\u{FEFF}a", "a\u{AD}b",
        "a\u{E0041}", "\u{3164}", "\u{FFA0}", "a\u{2800}", "\u{301}a",
    ]

    @Test func labelsThatMeanSomethingElseAreRefused() throws {
        for label in ["", "newest", "5", "1:5", "a b", "a\u{7}", String(repeating: "x", count: 1000)] + Self.invisible {
            let problem = #expect(throws: Failure.self) { try CheckpointName.check(label, among: []) }
            #expect(problem?.kind == .usage && problem?.advice != nil && problem?.message.isPrintable == true)
        }
        for label in ["newer", "größer", "前", "\u{1F600}"] { try CheckpointName.check(label, among: []) }
    }

    /// A state is not taken away from somebody who gave it another label.
    @Test func aStateIsForgottenByAllItsLabels() throws {
        let both = Checkpoint(time: GlobalTime(epoch: 1, counter: 5), created: 0, label: "a b", isKept: true)
        let other = Checkpoint(time: GlobalTime(epoch: 1, counter: 6), created: 0, label: "c", isKept: true)
        for label in ["a", "b"] { #expect(try CheckpointName.resolve(label, among: [both, other]) == both) }
        #expect(throws: Failure.self) { try CheckpointName.resolve("a b", among: [both, other]) }
        #expect(throws: Failure.self) { try CheckpointName.check("b", among: [both, other]) }
        let problem = #expect(throws: Failure.self) { try CheckpointName.resolve(["c", "a"], among: [both, other]) }
        #expect(problem?.kind == .input && problem?.advice?.hasSuffix(": a b") == true)
        #expect(try CheckpointName.resolve(["b", "a"], among: [both, other]) == [both])
        #expect(try CheckpointName.resolve(["1:5", "c"], among: [both, other]) == [both, other])
        for names in [["1:5", "a"], ["a", "1:5"]] {
            #expect(try CheckpointName.resolve(names, among: [both, other]) == [both])
        }
    }

    /// Lists show it by that name.
    @Test func theNewestStateHasAName() throws {
        let old = Checkpoint(time: GlobalTime(epoch: 1, counter: 5), created: 0, label: "a", isKept: true)
        let last = Checkpoint(time: GlobalTime(epoch: 1, counter: 6), created: 0, label: "b", isKept: true)
        #expect(try CheckpointName.resolve("newest", among: [old, last]) == last)
        #expect(throws: Failure.self) { try CheckpointName.resolve("newest", among: [Checkpoint]()) }
        let kept = #expect(throws: Failure.self) { try CheckpointName.resolve(["newest"], among: [old, last]) }
        #expect(kept?.kind == .input && kept?.message.contains("stays until there is a newer one") == true)
    }

    /// Some scalars make one character with a space before or behind them.
    @Test(arguments: ["\u{1F3FB}b", "\u{FF9E}", "b\u{0D4E}"]) func labelsAreTakenApartByScalars(label: String) throws {
        try CheckpointName.check(label, among: [])
        let one = Checkpoint(
            time: GlobalTime(epoch: 1, counter: 5), created: 0, label: "a \(label) c", isKept: true)
        #expect(one.labels == ["a", label, "c"])
        #expect(throws: Failure.self) { try CheckpointName.check(label, among: [one]) }
    }

    private func kind(_ path: String) -> (Failure.Kind, String)? {
        do throws(Failure) {
            _ = try StoreRevival.prepare(path)
            return nil
        } catch {
            return (error.kind, error.description)
        }
    }

    /// A directory that is no store, one of a newer format, and damaged ones.
    @Test func storesThatCannotBeGoneOnWithAreNamed() throws {
        let place = try Place()
        _ = try StoreFolder.make(place.path + "/empty")
        let none = try #require(kind(place.path + "/empty"))
        #expect(none.0 == .input && none.1.contains("no store"))
        #expect(kind(place.path + "/missing")?.0 == .input)
        try place.makeStore("s")
        let path = place.path + "/s"
        let slots = try (0...1).map { try Data(contentsOf: URL(filePath: "\(path)/superblock.\($0)")) }
        for slot in 0...1 {
            try Self.newer(slots[slot], slot).write(to: URL(filePath: "\(path)/superblock.\(slot)"))
        }
        let newer = try #require(kind(path))
        #expect(newer.0 == .input && newer.1.contains("99"))
        for slot in 0...1 { try slots[slot].prefix(60).write(to: URL(filePath: "\(path)/superblock.\(slot)")) }
        #expect(kind(path) != nil)
        for slot in 0...1 { try slots[slot].write(to: URL(filePath: "\(path)/superblock.\(slot)")) }
        #expect(kind(path) == nil)
        let names = try FileManager.default.contentsOfDirectory(atPath: path)
        let segment = try #require(names.sorted().first { $0.hasPrefix("segment") })
        truncate("\(path)/\(segment)", 70)
        let cut = try #require(kind(path))
        #expect(cut.0 == .fault && cut.1.contains(segment))
        unlink("\(path)/\(segment)")
        #expect(kind(path)?.0 == .fault)
    }

    /// A superblock of format 99 as its writer would leave it: magic, format, …, tag.
    private static func newer(_ block: Data, _ slot: Int) -> Data {
        var bytes = [UInt8](block)
        bytes[8] = 99
        var hash = SipHash(key: SipHash.Key(low: 0x504c_5552_4958, high: 0x5355_5045_5242 + UInt64(slot)))
        let tag = hash.finish(Array(bytes[..<120]).span.bytes, from: 0).low
        return Data(bytes[..<120]) + withUnsafeBytes(of: tag.littleEndian) { Data($0) }
    }
}
