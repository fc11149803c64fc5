import Foundation
import Testing

@testable import Control

struct StoreMovesTests {
    private let base = "/tmp/plurix-moves-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"

    private func make(_ names: String...) throws {
        for name in names {
            try FileManager.default.createDirectory(atPath: "\(base)/\(name)", withIntermediateDirectories: true)
        }
    }

    // `plurix run --history h` ended with a trap in Foundation.
    @Test func everyPathHasADirectory() {
        for (path, directory) in [("h", "."), ("hh", "."), ("a/h", "a"), ("/h", "/"), ("/", "/"), ("/a/b", "/a")] {
            #expect(RunDirectory.parent(of: path) == directory)
        }
    }

    @Test func oldStoresGetTheNextFreeNumber() throws {
        defer { try? FileManager.default.removeItem(atPath: base) }
        try make("s", "s.1", "s.3")
        try Data().write(to: URL(filePath: base + "/s.2"))
        #expect(StoreMoves.freeName(beside: base + "/s") == base + "/s.4")
        #expect(StoreMoves.nameForNew(beside: base + "/s") == base + "/s.new")
        try make("s.new")
        #expect(StoreMoves.nameForNew(beside: base + "/s") == base + "/s.new.1")
        try StoreMoves.rename(base + "/s", to: base + "/s.4")
        let names = try FileManager.default.contentsOfDirectory(atPath: base).sorted()
        #expect(names == ["s.1", "s.2", "s.3", "s.4", "s.new"])
        do throws(Failure) {
            try StoreMoves.rename(base + "/s", to: base + "/s.5")
            Issue.record("what is not there was renamed")
        } catch {
            #expect(error.kind == .input && error.advice?.contains("--store") == true)
        }
    }

    @Test func aStoreNamesItsClusterAsLongAsThatAgrees() throws {
        defer { try? FileManager.default.removeItem(atPath: base) }
        try make("s", "t", "run")
        let directory = try RunDirectory(name: "c", base: base + "/run")
        try directory.create()
        let description = ClusterDescription(
            name: "c", identifier: 1, key: .random(), nic: .virtio, memoryMebibytes: 64, sharedMebibytes: 8,
            accelerator: .tcg, connect: "", image: "", maximumFrameBytes: 1514,
            storage: .init(directory: base + "/s", isVolatile: false))
        #expect(StoreUser.cluster(of: base + "/s") == nil)
        for store in ["s", "t"] { try StoreUser.note(directory, in: "\(base)/\(store)") }
        #expect(StoreUser.cluster(of: base + "/s") == nil)
        try description.create(in: directory)
        #expect(StoreUser.cluster(of: base + "/s") == directory)
        #expect(StoreUser.cluster(of: base + "/run/../s/.") == directory)
        #expect(StoreUser.cluster(of: base + "/t") == nil)
        for words in ["", "relative/c\n", "/\n", String(repeating: "/x", count: 200)] {
            try Data(words.utf8).write(to: URL(filePath: base + "/s/cluster"))
            #expect(StoreUser.cluster(of: base + "/s") == nil)
        }
        try StoreUser.note(directory, in: base + "/s")
        StoreUser.forget(in: base + "/s")
        #expect(try FileManager.default.contentsOfDirectory(atPath: base + "/s").isEmpty)
    }
}
