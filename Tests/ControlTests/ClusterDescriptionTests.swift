import Foundation
import Testing

@testable import Control

struct ClusterDescriptionTests {
    private func description(
        shared: Int = 64, frame: Int = 4352, _ storage: ClusterDescription.Storage
    ) -> ClusterDescription {
        ClusterDescription(
            name: "c", identifier: 1, key: .random(), nic: .virtio, memoryMebibytes: 64, sharedMebibytes: shared,
            accelerator: .tcg, connect: "", image: "", maximumFrameBytes: frame, storage: storage)
    }

    private func isReadBack(_ description: ClusterDescription) throws -> Bool {
        let found = try? ClusterDescription.read(JSONEncoder().encode(description))
        #expect(found == nil || found == description)
        return found != nil
    }

    // Found by fuzzing: sizes were computed with whatever the file said.
    @Test(arguments: [
        (64, 4352, true), (-1, 4352, false), (1 << 40, 4352, false), (64, 1 << 16, false), (0, 1514, false),
    ])
    func impossibleSizesAreRefused(shared: Int, frame: Int, isSound: Bool) throws {
        let storage = ClusterDescription.Storage(directory: "/s", isVolatile: false)
        #expect(try isReadBack(description(shared: shared, frame: frame, storage)) == isSound)
    }

    @Test(arguments: [
        ("/s", 10, 0, 0, true), ("/s", 1, 3600, 30, true), ("s", 10, 0, 0, false), ("", 10, 0, 0, false),
        ("/s", 0, 0, 0, false), ("/s", -1, 0, 0, false), ("/s", 10, UInt64.max, 0, false),
        ("/s", 10, 0, UInt64.max, false),
    ])
    func impossibleStoresAreRefused(
        directory: String, count: Int, age: UInt64, period: UInt64, isSound: Bool
    ) throws {
        let storage = ClusterDescription.Storage(
            directory: directory, isVolatile: true, keepCount: count, keepSeconds: age, checkpointSeconds: period)
        #expect(try isReadBack(description(storage)) == isSound)
    }

    /// Who takes the cluster down may look at any moment.
    @Test func oneIsThereAsAWholeOrNotAtAll() async throws {
        let base = "/tmp/plurix-description-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        defer { try? FileManager.default.removeItem(atPath: base) }
        let directory = try RunDirectory(name: "c", base: base)
        try directory.create()
        let cluster = description(.volatile(in: directory))
        let end = ContinuousClock.now + .seconds(60)
        for _ in 0..<100 {
            let looking = Task.detached {
                while ContinuousClock.now < end {
                    if let data = FileManager.default.contents(atPath: directory.stateFile) { return data }
                }
                return Data()
            }
            try cluster.create(in: directory)
            #expect(try await ClusterDescription.read(looking.value) == cluster)
            #expect(throws: Failure.self) { try cluster.create(in: directory) }
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["cluster.json"])
            unlink(directory.stateFile)
        }
    }

    @Test func storesHaveAPlaceOfTheUsers() throws {
        func place(_ environment: [String: String]) throws -> String {
            try ClusterDescription.Storage.defaultDirectory(of: "c", environment: environment)
        }
        #expect(try place(["XDG_STATE_HOME": "/x/state/", "HOME": "/home/u"]) == "/x/state/plurix/c")
        #expect(try place(["XDG_STATE_HOME": "relative", "HOME": "/home/u"]) == "/home/u/.local/state/plurix/c")
        #expect(try place(["HOME": "/home/u"]) == "/home/u/.local/state/plurix/c")
        #expect(throws: Failure.self) { try place([:]) }
        #expect(throws: Failure.self) { try place(["HOME": "relative"]) }
    }
}
