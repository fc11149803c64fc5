import Control
import Foundation
import Testing

@testable import Cluster

@Suite struct BackgroundProcessTests {
    /// The log of one that was killed is silent, or about something else.
    @Test func whyOneEndedIsSaid() throws {
        let base = "/tmp/plurix-process-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        defer { try? FileManager.default.removeItem(atPath: base) }
        let directory = try RunDirectory(name: "a", base: base)
        try directory.create()
        let log = directory.log(of: "supervisor")
        #expect(
            BackgroundProcess.supervisor.lastWords(in: directory, SIGKILL).message
                == "the supervisor was killed by signal 9")
        try Data("all is well\n".utf8).write(to: URL(filePath: log))
        #expect(BackgroundProcess.supervisor.lastWords(in: directory, SIGKILL).message.contains("signal 9"))
        let failed: Int32 = 1 << 8
        #expect(
            BackgroundProcess.supervisor.lastWords(in: directory, failed).message
                == "the supervisor ended at once: all is well")
        let reason = Failure(.input, "it has a reason")
        let words = String(decoding: try JSONEncoder().encode(reason), as: UTF8.self)
        try Data("all is well\nfailure \(words)\n".utf8).write(to: URL(filePath: log))
        #expect(BackgroundProcess.supervisor.lastWords(in: directory, failed) == reason)
    }
}
