import Control
import Foundation
import Logging
import Testing

@testable import PageServer

@Suite struct ArbiterLoopTests {
    /// It may have begun anew while the arbiter stood still.
    @Test func anOutageEndsWhenNothingElseWasTold() async throws {
        try await withCluster { cluster in
            let outage = Failure(.unavailable, "nothing is saved: /s: the disk is full")
            cluster.directory.notices.append(NoticeFile.line(outage.description))
            let loop = try ArbiterLoop(cluster.arbiterSettings, in: cluster.directory, logger: Logger(label: "test"))
            Thread { loop.run() }.start()
            defer { loop.stop() }
            try await loop.perform { loop in
                loop.keeper.report?(.trouble(outage))
                // For longer than it would take to end.
                usleep(5_500_000)
            }
            let notices = try await loop.perform { $0.status() }.notices
            #expect(notices.count == 1, "\(notices)")
            loop.keeper.report?(.trouble(nil))
            loop.stop()
            for _ in 0..<250 where cluster.directory.notices.lines.count < 2 {
                try await Task.sleep(for: .milliseconds(20))
            }
            let lines = cluster.directory.notices.lines
            #expect(lines.count == 2 && lines.last?.contains("can be written again") == true, "\(lines)")
        }
    }
}
