import Control
import Foundation

/// When the nodes were told to start a job: what an arbiter that goes on with it cannot know from the saved state.
struct JobBegin: Codable, Equatable {
    var job: Int
    /// On the host's monotonic clock, nanoseconds, which all arbiters of a run directory share.
    var time: UInt64

    /// Nil where none was written down.
    static func load(_ directory: RunDirectory) -> JobBegin? {
        FileManager.default.contents(atPath: directory.jobFile)
            .flatMap { try? JSONDecoder().decode(JobBegin.self, from: $0) }
    }

    /// Where that fails, as on a full disk, a job that outlives its arbiter counts its time from the next one's start.
    func save(in directory: RunDirectory) {
        try? RunDirectory.replace(directory.jobFile, with: JSONEncoder().encode(self))
    }
}
