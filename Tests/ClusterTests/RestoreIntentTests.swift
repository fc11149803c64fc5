import Control
import Foundation
import Testing

@testable import Cluster

/// What becomes of the directories of a restore that was interrupted.
@Suite struct RestoreIntentTests {
    private let base = "/tmp/plurix-intent-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"

    private func make(_ names: String...) throws {
        for name in names {
            let path = "\(base)/\(name)"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            try Data(name.utf8).write(to: URL(filePath: path + "/superblock.0"))
        }
    }

    private var names: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: base).sorted() }
    }

    private func content(_ name: String) -> String? {
        FileManager.default.contents(atPath: "\(base)/\(name)/superblock.0").map { String(decoding: $0, as: UTF8.self) }
    }

    private func intent() throws -> RestoreIntent {
        let intent = try RestoreIntent(to: "1:5", store: base + "/s", nodes: [1])
        #expect(intent.other == base + "/s.new")
        try make("s.new")
        return intent
    }

    @Test func aCopyThatCameToNothingIsDeleted() throws {
        defer { try? FileManager.default.removeItem(atPath: base) }
        try make("s")
        let intent = try intent()
        #expect(!intent.isExchanged)
        #expect(try intent.settle() == nil)
        #expect(try names == ["s"])
        #expect(content("s") == "s")
    }

    /// What has its name meanwhile is somebody else's.
    @Test func onlyWhatWasMadeIsDeleted() throws {
        defer { try? FileManager.default.removeItem(atPath: base) }
        try make("s")
        let intent = try intent()
        try FileManager.default.moveItem(atPath: base + "/s.new", toPath: base + "/mine")
        try make("s.new")
        #expect(try intent.settle() == nil)
        #expect(try names == ["mine", "s", "s.new"])
        #expect(content("s.new") == "s.new")
    }

    @Test func theOldOneGoesAsideOnce() throws {
        defer { try? FileManager.default.removeItem(atPath: base) }
        try make("s")
        let intent = try intent()
        try intent.exchange()
        #expect(intent.isExchanged)
        #expect(content("s") == "s.new" && content("s.new") == "s")
        for _ in 0..<2 {
            #expect(try intent.settle() == base + "/s.1")
            #expect(content("s") == "s.new" && content("s.1") == "s")
            #expect(try names == ["s", "s.1"])
        }
        // Neither it nor what came to have its first name is touched again.
        try make("s.new")
        #expect(try intent.settle() == base + "/s.1")
        #expect(try names == ["s", "s.1", "s.new"])
    }

    @Test func anIntentIsFoundAgain() throws {
        defer { try? FileManager.default.removeItem(atPath: base) }
        try make("s", "run")
        let directory = try RunDirectory(name: "run", base: base)
        #expect(RestoreIntent.load(directory) == nil)
        try intent().save(in: directory)
        let found = try #require(RestoreIntent.load(directory))
        #expect(found.state == "1:5" && found.nodes == [1] && !found.isExchanged)
        try found.exchange()
        #expect(RestoreIntent.load(directory)?.isExchanged == true)
        RestoreIntent.remove(in: directory)
        #expect(RestoreIntent.load(directory) == nil)
    }
}
