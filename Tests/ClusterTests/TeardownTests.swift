import Control
import Foundation
import Logging
import Testing

@testable import Cluster

@Suite struct TeardownTests {
    /// `up` leaves its store to who takes the cluster down, from the moment at which it says what the cluster is.
    @Test func whatAClusterSaysWhileItEndsIsKnown() async throws {
        let base = "/tmp/plurix-teardown-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        defer { try? FileManager.default.removeItem(atPath: base) }
        let directory = try RunDirectory(name: "a", base: base)
        try directory.create()
        let description = ClusterDescription(
            name: "a", identifier: 7, key: .random(), nic: .virtio, memoryMebibytes: 64, sharedMebibytes: 64,
            accelerator: .tcg, connect: "qemu:///embed", image: "", maximumFrameBytes: 1514,
            storage: .init(directory: base + "/store", isVolatile: false))
        // Something that is asked to stop, when nothing of the cluster is to be started any more.
        let process = try Process.run(URL(filePath: "/bin/sleep"), arguments: ["60"])
        try #require(ProcessIdentity(of: process.processIdentifier))
            .save(to: directory.record(of: BackgroundProcess.segment.rawValue))
        var server = ControlServer(path: directory.segmentSocket, logger: Logger(label: "test"))
        server.on(Stop.self) { _ in
            #expect(directory.isEnding)
            try description.create(in: directory)
            return Done()
        }
        let (readiness, ready) = AsyncStream.makeStream(of: Void.self)
        let serving = Task { [server] in try await server.run { ready.finish() } }
        for await _ in readiness {}
        let removed = try await Teardown(directory).run()
        #expect(removed?.description == description && !directory.exists)
        let again = try await Teardown(directory).run()
        #expect(again == nil)
        // Its end is known here a moment later.
        for _ in 0..<500 where process.isRunning { try await Task.sleep(for: .milliseconds(20)) }
        #expect(!process.isRunning)
        serving.cancel()
        _ = await serving.result
    }
}
