import Foundation
import Testing

@testable import Control

/// What commands see of the end of their cluster.
@Suite struct EndingTests {
    /// A killed `down` takes nothing away: its lock goes with it.
    @Test func aClusterIsTakenDownWhileSomebodyIsAtIt() async throws {
        let base = "/tmp/plurix-ending-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        defer { try? FileManager.default.removeItem(atPath: base) }
        let directory = try RunDirectory(name: "a", base: base)
        try directory.create()
        // Nothing of it is left, or nothing is there yet.
        #expect(directory.takenDown?.kind == .unavailable && !directory.isEnding)
        try Data().write(to: URL(filePath: directory.stateFile))
        #expect(directory.takenDown == nil)
        let lock = try ProcessLock.take(directory.endingLock)
        #expect(directory.isEnding && directory.takenDown?.message.contains("was taken down while") == true)
        let waiting = Task { await directory.waitForEnding(.seconds(3600)) }
        _ = consume lock
        // An hour otherwise.
        await waiting.value
        #expect(!directory.isEnding && directory.takenDown == nil)
        // Nor does a look at it keep anybody from it.
        let isFree = try ProcessLock.take(directory.endingLock) != nil
        #expect(isFree)
    }
}
